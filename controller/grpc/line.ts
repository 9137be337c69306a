import { status, type ServerDuplexStream } from '@grpc/grpc-js'
import { Fault } from '../../core/fault.ts'
import type { ClientId, ProjectId } from '../../core/ids.ts'
import type { Hello, ToAgent, ToServer } from '../../core/link.ts'
import { agentKnows } from '../../core/protocol.ts'
import { encodeToAgent, messageBytesMax, type Received } from '../../proto/line.ts'
import type { AgentLine, LineHandler } from '../ports/lines.ts'
import type { LineLimits, LineReporter, LineTimes } from './options.ts'
import type { Outbox } from './outbox.ts'

/** A stream as grpc-js has it. */
export type LineCall = ServerDuplexStream<Received<ToServer>, Buffer>

/** Why a stream ends, as its peer is told. */
export interface EndStatus {
  readonly code: status
  readonly details: string
}

/** Who is at the other end, and how to cut the connection. */
export interface LinePeer {
  readonly project: ProjectId
  readonly client: ClientId
  readonly fingerprint: string
  readonly name: string
  cut(): void
}

/** What all lines of a server share. */
export interface LineContext {
  readonly handler: LineHandler
  readonly outbox: Outbox
  readonly report: LineReporter
  readonly times: LineTimes
  readonly limits: LineLimits
  nowUs(): number
  /** The line is over; called once. */
  closed(line: Line, why: CloseReason): void
}

export type CloseReason = Parameters<LineHandler['closed']>[1]

/** An open line, from its welcome to its end. */
export class Line implements AgentLine {
  readonly project: ProjectId
  readonly client: ClientId
  readonly fingerprint: string
  readonly hello: Hello
  readonly protocol: number
  readonly #call: LineCall
  readonly #peer: LinePeer
  readonly #context: LineContext
  readonly #silence: NodeJS.Timeout
  /** Handed to `send` and not yet taken by the connection. */
  readonly #queued = { messages: 0, bytes: 0 }
  readonly #received = { count: 0, sinceMs: 0 }
  #ended = false

  constructor(
    call: LineCall,
    peer: LinePeer,
    { hello, protocol }: Pick<AgentLine, 'hello' | 'protocol'>,
    context: LineContext,
  ) {
    this.project = peer.project
    this.client = peer.client
    this.fingerprint = peer.fingerprint
    this.hello = hello
    this.protocol = protocol
    this.#call = call
    this.#peer = peer
    this.#context = context
    this.#silence = setTimeout(() => this.end('silent', 'no sign of life'), context.times.silenceMs)
    call.on('data', (received: Received<ToServer>) => this.#take(received))
    call.on('end', () => this.end('lost', 'the stream ended'))
    call.on('cancelled', () => this.end('lost', 'the connection ended'))
  }

  send(message: ToAgent): boolean {
    if (this.#ended) return false
    if (!agentKnows(message, this.protocol)) return this.#unknown(message)
    const { queueMessages, queueBytes } = this.#context.limits
    if (this.#queued.messages >= queueMessages || this.#queued.bytes >= queueBytes) {
      this.end('silent', 'does not read what it is sent')
      return false
    }
    this.#queued.messages++
    this.#context.outbox.push(() => this.#write(message))
    return true
  }

  close(reason: string): void {
    this.end('lost', reason, { code: status.UNAVAILABLE, details: reason })
  }

  /** Ends the line, once. With a status the peer is told why; without one that reads nothing any more is cut off. */
  end(why: CloseReason, text: string, told?: EndStatus): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#silence)
    const { project, client } = this
    this.#context.report('line.closed', { project, client, why, text })
    this.#context.closed(this, why)
    if (why === 'silent') this.#peer.cut()
    else endCall(this.#call, this.#peer, this.#context.times.partMs, told)
  }

  #unknown({ type }: ToAgent): false {
    const err = new Fault('unsupported', `${type} is no message of protocol ${this.protocol}`)
    this.#context.report('line.bug', { project: this.project, client: this.client, err })
    return false
  }

  #write(message: ToAgent): void {
    if (this.#ended) return
    const bytes = this.#encoded(message)
    if (bytes === undefined) {
      this.#queued.messages--
      return
    }
    this.#queued.bytes += bytes.length
    this.#call.write(bytes, () => {
      this.#queued.messages--
      this.#queued.bytes -= bytes.length
    })
  }

  #encoded(message: ToAgent): Buffer | undefined {
    try {
      const bytes = encodeToAgent(message)
      if (bytes.length <= messageBytesMax) return bytes
      throw new Fault('too_much', `a message of type ${message.type} has ${bytes.length} bytes`)
    } catch (err) {
      this.#context.report('line.bug', { project: this.project, client: this.client, err })
      return undefined
    }
  }

  #take(received: Received<ToServer>): void {
    if (this.#ended) return
    const receivedUs = this.#context.nowUs()
    this.#silence.refresh()
    this.#slowDown()
    if (!received.ok) {
      const details = received.fault.message
      this.end('lost', details, { code: status.INVALID_ARGUMENT, details })
    } else {
      this.#handle(received.message, receivedUs)
    }
  }

  #handle(message: ToServer, receivedUs: number): void {
    switch (message.type) {
      case 'hello': {
        const details = 'a second hello'
        return this.end('lost', details, { code: status.FAILED_PRECONDITION, details })
      }
      case 'bye':
        return this.end('bye', message.reason)
      case 'beat':
        return this.#answerBeat(message, receivedUs)
      default:
        try {
          this.#context.handler.received(this, message)
        } catch (err) {
          this.#context.report('line.bug', { project: this.project, client: this.client, err })
        }
    }
  }

  /** Past the outbox: what waits there would be taken for time on the way. */
  #answerBeat(
    { sequence, agentSentUs }: Extract<ToServer, { type: 'beat' }>,
    serverReceivedUs: number,
  ): void {
    if (this.#queued.messages >= this.#context.limits.queueMessages)
      return this.end('silent', 'does not read what it is sent')
    this.#queued.messages++
    const serverSentUs = this.#context.nowUs()
    this.#write({ type: 'clock', reading: { sequence, agentSentUs, serverReceivedUs, serverSentUs } })
  }

  /** Leaves what comes too fast on the wire, where the sender's own queue fills, for the rest of the second. */
  #slowDown(): void {
    const nowMs = performance.now()
    if (nowMs - this.#received.sinceMs >= 1_000) {
      this.#received.sinceMs = nowMs
      this.#received.count = 0
    }
    if (++this.#received.count < this.#context.limits.receivedPerSecond) return
    this.#call.pause()
    setTimeout(() => this.#call.resume(), 1_000 - (nowMs - this.#received.sinceMs)).unref()
  }
}

/** Ends a stream with a status (OK without one); a peer that does not let go of it in time is cut off. */
export function endCall(call: LineCall, peer: Pick<LinePeer, 'cut'>, partMs: number, told?: EndStatus): void {
  if (call.cancelled) return
  const cut = setTimeout(() => peer.cut(), partMs)
  call.once('cancelled', () => clearTimeout(cut))
  if (told === undefined) call.end()
  // grpc-js makes an error that it is given the status of the stream.
  else call.emit('error', Object.assign(new Error(told.details), told))
}
