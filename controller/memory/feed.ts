import type { JsonObject } from '../../core/action.ts'
import { isoOf, type Clock, type Monotonic } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import type { ClientId, JobId, ProjectId, RunId } from '../../core/ids.ts'
import type { Progress } from '../../core/link.ts'
import type { Report } from '../../core/run.ts'
import { eventMessage, progressMessage } from '../../proto/events.ts'
import type { StampedLine } from '../../proto/events.ts'
import { subjectOf } from '../../proto/subjects.ts'
import type {
  DomainEvent,
  EventSink,
  EventSource,
  FollowedEvent,
  ReportFeed,
  ReportHandler,
} from '../ports/feed.ts'
import { Deliveries } from './deliveries.ts'

/** One server's side of a feed in memory. */
export interface MemoryFeedServer {
  readonly feed: ReportFeed
  readonly events: EventSink
  readonly source: EventSource
  /** Ends it as a kill does: what it was handling comes again, to another server. */
  crash(): void
}

/** One agent's side: it has the shape of the agent's port `Publisher`. */
export interface MemoryPublisher extends AsyncDisposable {
  publish(job: JobId, report: Report): Promise<void>
  log(
    job: JobId,
    run: RunId,
    attempt: number,
    line: { readonly level: string; readonly stream: string; readonly text: string },
  ): void
  connected(): boolean
}

/** Results, events and logs in memory, shared by any number of servers and agents of one process. */
export interface MemoryFeed {
  /** One more server. */
  server(options: { readonly handle: ReportHandler; readonly atOnce: number }): MemoryFeedServer
  publisher(project: ProjectId, client: ClientId): MemoryPublisher
  /** It is away for everybody. What it had stored stays. */
  stop(): void
  /** Ends `stop`. */
  resume(): void
}

/** A repeated message id is dropped for this long, as JetStream does. Milliseconds. */
const duplicateWindowMs = 120_000

/** A feed with the contract of NATS. Only repeats after a failure wait, on the given clock. */
export function memoryFeed(clock: Clock): MemoryFeed {
  const hub = new Hub(clock)
  return {
    server: ({ handle, atOnce }) => hub.server(handle, atOnce),
    publisher: (project, client) => hub.publisher(project, client),
    stop: () => hub.setAway(true),
    resume: () => hub.setAway(false),
  }
}

class Hub {
  readonly #clock: Clock
  readonly #deliveries: Deliveries
  readonly #events: (FollowedEvent & { readonly sequence: number })[] = []
  /** By subject. */
  readonly #logs = new Map<string, StampedLine[]>()
  readonly #seen = new Map<string, Monotonic>()
  readonly #progressTo = new Set<(event: FollowedEvent) => void>()
  #away = false
  /** Resolved, and replaced, whenever something was stored or came back. */
  #changed = Promise.withResolvers<void>()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#deliveries = new Deliveries(clock)
  }

  setAway(away: boolean): void {
    this.#away = away
    this.#deliveries.setAway(away)
    this.#wake()
  }

  server(handle: ReportHandler, atOnce: number): MemoryFeedServer {
    const member = this.#deliveries.join(handle, atOnce)
    return {
      feed: {
        healthy: () => !this.#away && member.open,
        [Symbol.asyncDispose]: () => member.leave(),
      },
      crash: () => member.crash(),
      events: {
        announce: (event) => this.#announce(event),
        progress: (project, client, job, progress) => this.#progress(project, client, job, progress),
      },
      source: {
        follow: (project, options) => this.#follow(project, options),
        logs: (project, client, job, run, options) =>
          this.#readLogs(subjectOf({ about: 'log', project, client, job, run }), options),
      },
    }
  }

  publisher(project: ProjectId, client: ClientId): MemoryPublisher {
    return {
      connected: () => !this.#away,
      publish: async (_job, report) => {
        if (this.#away) throw new Fault('feed_down', 'the feed is away')
        const id = `${project} ${report.run}.${report.attempt}`
        if (!this.#isNew(id) || report.client !== client) return
        this.#deliveries.add({ project, client, report })
      },
      log: (job, run, _attempt, line) => {
        if (this.#away) return
        const subject = subjectOf({ about: 'log', project, client, job, run })
        const lines = this.#logs.get(subject) ?? []
        this.#logs.set(subject, [...lines, { at: this.#clock.now(), ...line }])
        this.#wake()
      },
      [Symbol.asyncDispose]: async () => {},
    }
  }

  #isNew(id: string): boolean {
    const now = this.#clock.monotonic()
    const before = this.#seen.get(id)
    if (before !== undefined && now - before < duplicateWindowMs) return false
    this.#seen.set(id, now)
    return true
  }

  #announce(event: DomainEvent): void {
    const message = this.#away ? undefined : eventMessage(event, this.#clock.now())
    if (message === undefined) return
    const { subject, document: data } = message
    this.#events.push({
      subject,
      project: event.project,
      data: copyOf(data),
      sequence: this.#events.length + 1,
    })
    this.#wake()
  }

  #progress(project: ProjectId, client: ClientId, job: JobId, progress: Progress): void {
    if (this.#away) return
    const { subject, document } = progressMessage(project, client, job, progress, this.#clock.now())
    for (const tell of this.#progressTo) tell({ subject, project, data: copyOf(document) })
  }

  async *#follow(
    project: ProjectId,
    options: { readonly after?: number; readonly progress: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<FollowedEvent, void, undefined> {
    this.#mustBeThere()
    const after = options.after ?? this.#events.length
    let position = after > this.#events.length ? 0 : after
    if (position !== after) yield this.#gap(project, after)
    const progress: FollowedEvent[] = []
    const tell = (event: FollowedEvent) => {
      if (event.project === project) progress.push(event)
      this.#wake()
    }
    if (options.progress) this.#progressTo.add(tell)
    try {
      while (!options.signal.aborted) {
        const changed = this.#changed.promise
        const event = this.#away ? undefined : (this.#events[position] ?? progress.shift())
        if (event === undefined) await untilAborted(changed, options.signal)
        else if (event.sequence !== undefined) position++
        if (event?.project === project) yield event
      }
    } finally {
      this.#progressTo.delete(tell)
    }
  }

  /** Nothing that was stored goes: so a sequence that there never was is of another feed, and this one is new from its start. */
  #gap(project: ProjectId, after: number): FollowedEvent {
    const data = { type: 'gap', at: isoOf(this.#clock.now()), project, after, first: 1 }
    return { subject: '', project, sequence: 0, data }
  }

  async *#readLogs(
    subject: string,
    options: { readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<StampedLine, void, undefined> {
    this.#mustBeThere()
    for (let position = 0; !options.signal.aborted;) {
      const changed = this.#changed.promise
      const line = this.#away ? undefined : this.#logs.get(subject)?.[position]
      if (line !== undefined) {
        position++
        yield line
      } else if (options.follow) await untilAborted(changed, options.signal)
      else return
    }
  }

  #mustBeThere(): void {
    if (this.#away) throw new Fault('feed_down', 'the feed is away')
  }

  #wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}

/** What went through JSON, as it does over NATS. */
const copyOf = (document: JsonObject): JsonObject => JSON.parse(JSON.stringify(document)) as JsonObject

async function untilAborted(change: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  const aborted = Promise.withResolvers<void>()
  const stop = () => aborted.resolve()
  signal.addEventListener('abort', stop, { once: true })
  await Promise.race([change, aborted.promise])
  signal.removeEventListener('abort', stop)
}
