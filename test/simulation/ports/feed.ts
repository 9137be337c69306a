import type { ClientId, ProjectId } from '../../../core/ids.ts'
import { memoryFeed, type MemoryFeed } from '../../../controller/memory/feed.ts'
import type { EventSink, EventSource, ReportFeed, ReportHandler } from '../../../controller/ports/feed.ts'
import type { Publisher } from '../../../agent/ports/publisher.ts'
import type { Network } from '../kernel/network.ts'
import type { Process } from '../kernel/process.ts'

/** The broker's name in the network. */
export const brokerHost = 'broker'

/** A publisher waits so long for the broker's word. Milliseconds. */
const publishMs = 5_000
/** A message that no server has acknowledged comes again after this. Milliseconds. */
const ackWaitMs = 30_000

/** Results of agents, over the network to a broker and from there to one of the servers; again until it is acknowledged. */
export class Broker {
  readonly #network: Network
  readonly #hub: MemoryFeed
  #down = false

  /** `process`: the broker's own. */
  constructor(network: Network, process: Process) {
    this.#network = network
    this.#hub = memoryFeed(process.clock)
  }

  get isDown(): boolean {
    return this.#down
  }

  setDown(down: boolean): void {
    this.#down = down
    if (down) this.#hub.stop()
    else this.#hub.resume()
  }

  publisher(process: Process, project: ProjectId, client: ClientId): Publisher {
    const there = this.#hub.publisher(project, client)
    return {
      publish: (job, report) =>
        this.#network.call(process, brokerHost, { withinMs: publishMs, code: 'timeout' }, () =>
          there.publish(job, report),
        ),
      log: (job, run, attempt, line) => there.log(job, run, attempt, line),
      connected: () => there.connected(),
      [Symbol.asyncDispose]: () => there[Symbol.asyncDispose](),
    }
  }

  server(
    process: Process,
    handle: ReportHandler,
    atOnce: number,
  ): { readonly feed: ReportFeed; readonly events: EventSink; readonly source: EventSource } {
    const member = this.#hub.server({
      handle: (delivery) => this.#handOver(process, () => handle(delivery)),
      atOnce,
    })
    process.onEnd(() => member.crash())
    return member
  }

  /** One delivery: rejects when no acknowledgement comes in time, whatever became of it. */
  #handOver(process: Process, handle: () => Promise<void>): Promise<void> {
    const { host } = process
    return new Promise((resolve, reject) => {
      const late = this.#network.timeline.after(ackWaitMs, () => reject(new Error('not acknowledged')))
      const answer = (settle: () => void): void =>
        this.#network.carry(process, brokerHost, () => {
          late.cancel()
          settle()
        })
      this.#network.carry(brokerHost, host.name, () =>
        process.act(() => {
          handle().then(
            () => answer(resolve),
            (error: unknown) => answer(() => reject(error as Error)),
          )
        }),
      )
    })
  }
}
