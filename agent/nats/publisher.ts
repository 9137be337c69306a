import { createHmac } from 'node:crypto'
import type { JetStreamClient, NatsConnection } from 'nats'
import { NatsError } from 'nats'
import type { Clock } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import type { ClientId, JobId, ProjectId, RunId } from '../../core/ids.ts'
import type { Report } from '../../core/run.ts'
import { parseCredentials } from '../../proto/nats/credentials.ts'
import { Link } from '../../proto/nats/link.ts'
import type { LinkLog } from '../../proto/nats/link.ts'
import { agentInbox, streams, subjectOf } from '../../proto/subjects.ts'
import { reportToJson } from '../../proto/wire.ts'
import type { LogLine } from '../ports/engine.ts'
import type { Publisher } from '../ports/publisher.ts'
import { LogLines } from './log-lines.ts'

export interface PublisherOptions {
  /** `nats://host:port` of any members of the cluster. */
  readonly servers: readonly string[]
  readonly project: ProjectId
  readonly client: ClientId
  /** Text of a .creds file, as the server made it for this client. */
  readonly credentials: string
  readonly clock: Clock
  readonly log: LinkLog
}

export interface NatsPublisher extends Publisher {
  /** Goes on with renewed credentials. Throws Fault('bad_message') and keeps the old ones when they are unreadable. */
  useCredentials(text: string): void
  /** Called with each new connection. */
  onConnected(listener: () => void): void
}

/** How long JetStream may take to store a message. Milliseconds. */
const publishTimeoutMs = 5_000
const retryMaxMs = 5_000
/** Of a report's text; below nats-server's limit of 1 MB for a message with its headers. Bytes. */
const reportMax = 900_000

/** Returns at once and connects in the background. Throws Fault('bad_message') for unreadable credentials. */
export function openPublisher(options: PublisherOptions): NatsPublisher {
  return new LinkPublisher(options)
}

class LinkPublisher implements NatsPublisher {
  readonly #options: PublisherOptions
  readonly #link: Link
  readonly #lines: LogLines
  /** Of this agent alone. */
  readonly #secret: string

  constructor(options: PublisherOptions) {
    const { servers, project, client, credentials, clock, log } = options
    this.#options = options
    this.#secret = parseCredentials(credentials).key.seed
    this.#link = new Link({
      ...{ servers, credentials, clock, log, retryMaxMs },
      name: `firn-agent ${client}`,
      inboxPrefix: agentInbox(project, client),
    })
    this.#lines = new LogLines(clock, async (job, run, text) => {
      await this.#jetStream().publish(subjectOf({ about: 'log', project, client, job, run }), text)
    })
  }

  async publish(job: JobId, report: Report): Promise<void> {
    const { project, client } = this.#options
    const subject = subjectOf({ about: 'run', project, client, job, event: 'result' })
    const jetStream = this.#jetStream()
    try {
      await jetStream.publish(subject, reportText(report), {
        msgID: this.#messageId(report),
        expect: { streamName: streams.results.name },
      })
    } catch (cause) {
      throw faultOf(cause, this.#link.connection === undefined)
    }
  }

  /**
   * The same at each repeat, and known to nobody else beforehand: ids are the whole stream's, and what comes under one that
   * another client has taken is dropped.
   */
  #messageId({ run, attempt }: Report): string {
    const name = `${run}.${attempt}`
    return `${name}.${createHmac('sha256', this.#secret).update(name).digest('hex').slice(0, 16)}`
  }

  log(job: JobId, run: RunId, attempt: number, line: LogLine): void {
    this.#lines.add(job, run, attempt, line)
  }

  connected(): boolean {
    return this.#link.connection !== undefined
  }

  useCredentials(text: string): void {
    this.#link.useCredentials(text)
  }

  onConnected(listener: () => void): void {
    this.#link.attach(() => Promise.resolve(listener()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lines.close()
    await this.#link[Symbol.asyncDispose]()
  }

  #jetStream(): JetStreamClient {
    const connection: NatsConnection | undefined = this.#link.connection
    if (connection === undefined) throw new Fault('feed_down', 'NATS is away')
    return connection.jetstream({ timeout: publishTimeoutMs })
  }
}

/**
 * The text of a report, without its item errors when it would not fit into a message: how many there are stays in it, and
 * the run's log has them.
 */
function reportText(report: Report): string {
  const text = reportToJson(report)
  if (Buffer.byteLength(text) <= reportMax) return text
  const steps = report.steps.map((step) => ({ ...step, itemErrors: [] }))
  return reportToJson({ ...report, steps })
}

/** nats.js says "timeout" also when the connection went away under the request. */
function faultOf(cause: unknown, lost: boolean): Fault {
  const timedOut = cause instanceof NatsError && cause.code === 'TIMEOUT' && !lost
  return timedOut
    ? new Fault('timeout', `NATS has not stored the report within ${publishTimeoutMs} ms`, { cause })
    : new Fault('feed_down', 'NATS has not stored the report', { cause })
}
