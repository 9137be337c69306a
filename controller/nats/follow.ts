import { AckPolicy, DeliverPolicy, nanos, ReplayPolicy } from 'nats'
import type { NatsConnection } from 'nats'
import { Fault } from '../../core/fault.ts'
import { serverInbox } from '../../proto/subjects.ts'
import { pull } from './pull.ts'
import type { Pull, Pulled } from './pull.ts'
import { managerOf } from './streams.ts'

export interface ReaderOptions {
  readonly stream: string
  /** Which of its subjects. */
  readonly filter: string
  /** Messages with a greater sequence only; absent: those that are stored from now on. */
  readonly after?: number
  /** Takes a message. */
  readonly receive: (message: Pulled) => void
  /** How many it may be given now. */
  readonly room: () => number
  /** Told when messages behind `after` are not kept any more; it goes on behind `position`. */
  readonly missed?: (after: number, position: number) => void
}

/** A consumer that nobody asks for messages is removed by JetStream after this. Milliseconds. */
const abandonedAfterMs = 60_000

/**
 * Reads a stream in order, without gaps and without repeats, over any number of connections: it knows the last sequence
 * that it has handed on, and each connection gets a consumer of its own that starts behind it.
 */
export class Reader {
  readonly #options: ReaderOptions
  /** The last sequence that was handed on or was never wanted; unknown until the first connection. */
  #position: number | undefined
  #source: Pull | undefined

  constructor(options: ReaderOptions) {
    this.#options = options
    this.#position = options.after
  }

  /** Makes a consumer behind the position; answers its name and how many messages it has now. */
  async #consumer(connection: NatsConnection): Promise<{ name: string; backlog: number }> {
    const { stream, filter } = this.#options
    const manager = await managerOf(connection)
    const { state } = await manager.streams.info(stream)
    this.#position = this.#placeIn(state)
    const consumer = await manager.consumers.add(stream, {
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: this.#position + 1,
      replay_policy: ReplayPolicy.Instant,
      filter_subject: filter,
      mem_storage: true,
      inactive_threshold: nanos(abandonedAfterMs),
    })
    return { name: consumer.name, backlog: consumer.num_pending }
  }

  /** Where to go on: behind the last message that was read, as far as the stream still goes back. */
  #placeIn({ first_seq: first, last_seq: last }: { first_seq: number; last_seq: number }): number {
    const after = this.#position ?? last
    // A stream that was made anew counts from 1 again.
    const position = after > last ? Math.max(0, first - 1) : Math.max(after, first - 1)
    // From the very first on is from whatever there is.
    if (position !== after && after > 0) this.#options.missed?.(after, position)
    return position
  }

  /** There is room again. */
  more(): void {
    this.#source?.more()
  }

  /**
   * Reads over this connection until the signal aborts. Rejects with nats's errors, and with Fault('feed_down') when
   * something went missing: with the next connection it goes on behind the last good message. `opened` is told how many
   * messages are stored already.
   */
  async read(
    connection: NatsConnection,
    signal: AbortSignal,
    opened: (backlog: number) => void = () => undefined,
  ): Promise<void> {
    const { stream, room, receive } = this.#options
    const { name: consumer, backlog } = await this.#consumer(connection)
    opened(backlog)
    const broken = new AbortController()
    let deliveries = 0
    const source = pull(connection, {
      ...{ stream, consumer, room, inboxPrefix: serverInbox },
      receive: (message) => {
        if (broken.signal.aborted) return
        // One went missing on the way: begin again behind the last good one.
        if (message.delivery !== ++deliveries) return broken.abort()
        this.#position = message.sequence
        receive(message)
      },
      signal: AbortSignal.any([signal, broken.signal]),
    })
    this.#source = source
    try {
      await source.ended
      if (broken.signal.aborted) throw new Fault('feed_down', `${stream}: a message went missing on the way`)
    } finally {
      if (!connection.isClosed()) await this.#remove(connection, consumer)
    }
  }

  /** Not needed for correctness: JetStream removes it by itself after a while. */
  async #remove(connection: NatsConnection, consumer: string): Promise<void> {
    try {
      const manager = await managerOf(connection)
      await manager.consumers.delete(this.#options.stream, consumer)
    } catch {
      // The connection went away.
    }
  }
}
