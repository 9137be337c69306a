import type { NatsConnection } from 'nats'
import type { Clock } from '../../core/clock.ts'
import { Link } from '../../proto/nats/link.ts'
import type { LinkLog } from '../../proto/nats/link.ts'
import { everyProgress, serverInbox } from '../../proto/subjects.ts'
import type { Progress } from '../../core/link.ts'
import { progressFrom } from '../../proto/events.ts'
import type { EventSink, EventSource, ReportFeed, ReportHandler } from '../ports/feed.ts'
import { Announcer } from './announcer.ts'
import { Results } from './results.ts'
import { NatsEventSource } from './source.ts'
import { ensureStreams } from './streams.ts'

export interface FeedOptions {
  /** `nats://host:port` of any members of the cluster. */
  readonly servers: readonly string[]
  /** Text of a .creds file, as of NatsOperator.serverCredentials. */
  readonly credentials: string
  readonly clock: Clock
  readonly log: LinkLog
  readonly handle: ReportHandler
  /** Told of the progress that any server has heard of. Must be quick and not throw. */
  readonly progress?: (project: string, progress: Progress) => void
  /** Calls of `handle` under way at most. */
  readonly atOnce: number
}

/** Since the start of the process, for metrics. */
export interface FeedCounts {
  /** Reports that were handled, whose handling failed (and will be tried again), and that were unreadable. */
  readonly handled: number
  readonly failed: number
  readonly poison: number
  /** Events that JetStream has stored, and that were dropped since it was away or slow. */
  readonly announced: number
  readonly dropped: number
}

export interface NatsFeed {
  readonly feed: ReportFeed
  readonly events: EventSink
  readonly source: EventSource
  readonly counts: () => FeedCounts
}

const retryMaxMs = 2_000
/** How long reports under way may take when the feed is disposed. Milliseconds. */
const drainMs = 5_000

/**
 * A server's side of NATS. Resolves at once, whether NATS answers or not: it connects in the background, makes the streams
 * be there, and keeps doing so. Disposing `feed` ends all three. Throws Fault('bad_message') for unreadable credentials.
 */
export async function openFeed(options: FeedOptions): Promise<NatsFeed> {
  const { servers, credentials, clock, log, handle, atOnce } = options
  const link = new Link({
    ...{ servers, credentials, clock, log, retryMaxMs },
    name: 'firn-server',
    inboxPrefix: serverInbox,
  })
  const results = new Results({ handle, atOnce, clock, log })
  const announcer = new Announcer(clock, log)
  link.attach(async (connection: NatsConnection, signal) => {
    await ensureStreams(connection)
    await Promise.all([announcer.publishOver(connection, signal), results.consume(connection, signal)])
  })
  const { progress: hear } = options
  if (hear) link.attach((connection, signal) => hearProgress(connection, signal, hear))
  return {
    feed: {
      healthy: () => link.connection !== undefined && results.consuming,
      async [Symbol.asyncDispose]() {
        const enough = new AbortController()
        const deadline = clock.sleep(drainMs, enough.signal).catch(() => undefined)
        // Acknowledgements and events that were just published are still on their way.
        const drained = results.drain().then(() => link.connection?.flush().catch(() => undefined))
        await Promise.race([drained, deadline])
        enough.abort()
        await link[Symbol.asyncDispose]()
      },
    },
    events: announcer,
    source: new NatsEventSource(link, clock, log),
    counts: () => ({ ...results.counts, ...announcer.counts }),
  }
}

/** Core NATS, nothing stored: what is missed is told anew within a second. */
function hearProgress(
  connection: NatsConnection,
  signal: AbortSignal,
  hear: NonNullable<FeedOptions['progress']>,
): Promise<void> {
  const subscription = connection.subscribe(everyProgress, {
    callback: (error, message) => {
      const told = error === null ? progressFrom(message.string()) : undefined
      if (told) hear(told.project, told.progress)
    },
  })
  return new Promise((resolve) => {
    const stop = (): void => {
      subscription.unsubscribe()
      resolve()
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
