import type { NatsConnection } from 'nats'
import type { JsonObject } from '../../core/action.ts'
import { isoOf, type Clock, type Instant } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import type { ClientId, JobId, ProjectId, RunId } from '../../core/ids.ts'
import { documentOf, linesFromJson } from '../../proto/events.ts'
import type { StampedLine } from '../../proto/events.ts'
import type { Link, LinkLog } from '../../proto/nats/link.ts'
import {
  progressSubjects,
  publicSubject,
  storedProjectSubjects,
  streams,
  subjectOf,
} from '../../proto/subjects.ts'
import type { EventSource, FollowedEvent } from '../ports/feed.ts'
import { Reader } from './follow.ts'
import type { Pulled } from './pull.ts'
import { WaitingLine } from './waiting-line.ts'

/** Messages that wait for a slow reader; the rest waits in the stream. Progress beyond it is dropped. */
const waitingMax = 256
/** The pauses between two attempts to read a stream over the same connection. Milliseconds. */
const againMinMs = 100
const againMaxMs = 5_000

/** Reads the streams of events and logs back. */
export class NatsEventSource implements EventSource {
  readonly #link: Link
  readonly #clock: Clock
  readonly #log: LinkLog

  constructor(link: Link, clock: Clock, log: LinkLog) {
    this.#link = link
    this.#clock = clock
    this.#log = log
  }

  async *follow(
    project: ProjectId,
    options: { readonly after?: number; readonly progress: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<FollowedEvent, void, undefined> {
    this.#mustBeThere()
    const line = new WaitingLine<FollowedEvent>()
    const reader = new Reader({
      stream: streams.events.name,
      filter: storedProjectSubjects(project),
      ...(options.after === undefined ? {} : { after: options.after }),
      room: () => waitingMax - line.length,
      receive: (message) => line.push(eventOf(project, message)),
      missed: (after, position) => line.push(gapOf(project, after, position, this.#clock.now())),
    })
    using _work = this.#link.attach(async (connection, signal) => {
      if (options.progress) followProgress(connection, project, line, signal)
      await this.#keepReading(reader, connection, signal)
    })
    for await (const event of line.read(options.signal)) {
      yield event
      reader.more()
    }
  }

  async *logs(
    project: ProjectId,
    client: ClientId,
    job: JobId,
    run: RunId,
    options: { readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<StampedLine, void, undefined> {
    this.#mustBeThere()
    const line = new WaitingLine<StampedLine[]>()
    const reader = new Reader({
      stream: streams.logs.name,
      filter: subjectOf({ about: 'log', project, client, job, run }),
      after: 0,
      room: () => waitingMax - line.length,
      receive: (message) => {
        line.push(linesFromJson(textOf(message)))
        if (!options.follow && message.pending === 0) line.end()
      },
    })
    using _work = this.#link.attach(async (connection, signal) => {
      if (options.follow) return this.#keepReading(reader, connection, signal)
      // Somebody waits for the end of it: a lost connection is an answer too.
      const opened = (backlog: number) => {
        if (backlog === 0) line.end()
      }
      await reader.read(connection, signal, opened).then(
        () => line.end(away()),
        (cause: unknown) => line.end(away(cause)),
      )
    })
    for await (const lines of line.read(options.signal)) {
      yield* lines
      reader.more()
    }
  }

  /** One reader's trouble is not the connection's, which others use: it tries again by itself. */
  async #keepReading(reader: Reader, connection: NatsConnection, signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        await reader.read(connection, signal)
      } catch (err) {
        if (signal.aborted) return
        this.#log.debug({ err, failures }, 'reading a stream of events failed; trying again')
      }
      const pauseMs = Math.min(againMaxMs, againMinMs * 2 ** Math.min(failures, 16))
      await this.#clock.sleep(pauseMs * (0.5 + this.#clock.random() / 2), signal).catch(() => undefined)
    }
  }

  #mustBeThere(): void {
    if (this.#link.connection === undefined) throw away()
  }
}

const away = (cause?: unknown) => new Fault('feed_down', 'NATS is away', { cause })

const textOf = (message: { readonly data: Uint8Array }) => Buffer.from(message.data).toString()

function eventOf(project: ProjectId, { subject, data, sequence }: Pulled): FollowedEvent {
  return { subject: publicSubject(subject), project, data: documentOf(textOf({ data })) ?? {}, sequence }
}

/** Tells a follower that it may have missed something; its sequence is that of the last event that it can have missed. */
const gapOf = (project: ProjectId, after: number, position: number, now: Instant): FollowedEvent => ({
  subject: '',
  project,
  sequence: position,
  data: { type: 'gap', at: isoOf(now), project, after, first: position + 1 },
})

function followProgress(
  connection: NatsConnection,
  project: ProjectId,
  line: WaitingLine<FollowedEvent>,
  signal: AbortSignal,
): void {
  const subscription = connection.subscribe(progressSubjects(project), {
    callback: (error, message) => {
      if (error !== null || line.length >= waitingMax) return
      const data: JsonObject | undefined = documentOf(textOf(message))
      if (data !== undefined) line.push({ subject: message.subject, project, data })
    },
  })
  signal.addEventListener('abort', () => subscription.unsubscribe(), { once: true })
}
