import { Addresses } from '../../../agent/grpc/addresses.ts'
import { backoffMs } from '../../../agent/grpc/backoff.ts'
import { defaultTimes } from '../../../agent/grpc/options.ts'
import type { ServerLine, ServerLineHandler } from '../../../agent/ports/line.ts'
import type { AgentLine, LineHandler } from '../../../controller/ports/lines.ts'
import { protocolNow, protocolOldest, type Hello, type ToAgent, type ToServer } from '../../../core/link.ts'
import { agentKnows, agreed, serverKnows } from '../../../core/protocol.ts'
import type { ServerId } from '../../../core/ids.ts'
import type { Network } from '../kernel/network.ts'
import type { Process } from '../kernel/process.ts'
import { Streams, type End, type Hearer } from '../kernel/stream.ts'

/** How long agents are given to leave a server that drains. Milliseconds; the server waits half as much again. */
const drainMs = 5_000
/** How wrong agents are about their server's clock. Microseconds. */
const errorUs = 300

/** A server that takes lines: what agents dial. */
export interface Listener {
  readonly process: Process
  /** The agent's end, and what the server hears from it. */
  accept(end: End<ToAgent>): Hearer<ToServer>
}

/** Opening and closing words keep their place; any other may be lost or come twice, and be none the worse for it. */
const mayStray = (message: unknown): boolean => {
  const { type } = message as ToAgent | ToServer
  return type !== 'hello' && type !== 'welcome' && type !== 'bye' && type !== 'drain'
}

/** Who can be dialled, by the address that servers tell. */
export class Exchange {
  readonly network: Network
  readonly #streams: Streams
  readonly #listeners = new Map<string, Listener>()

  constructor(network: Network) {
    this.network = network
    this.#streams = new Streams(network, mayStray)
  }

  listen(address: string, listener: Listener): void {
    this.#listeners.set(address, listener)
    listener.process.onEnd(() => this.hangUp(address, listener))
  }

  hangUp(address: string, listener: Listener): void {
    if (this.#listeners.get(address) === listener) this.#listeners.delete(address)
  }

  /** Opens a stream, or gives why not: `refused` is known at once, `silence` only after a while. */
  dial(
    from: Process,
    address: string,
    hearer: Hearer<ToAgent>,
  ): { readonly end: End<ToServer>; readonly server: Process } | 'refused' | 'silence' {
    const host = from.host.name
    if (this.network.isCut(host, address) || this.network.isCut(address, host)) return 'silence'
    const listener = this.#listeners.get(address)
    if (!listener) return 'refused'
    if (!listener.process.isRunning) return 'silence'
    const there: { hearer?: Hearer<ToServer> } = {}
    const [end, back] = this.#streams.connect<ToAgent, ToServer>(
      { process: from, hearer },
      {
        process: listener.process,
        hearer: {
          received: (message) => there.hearer?.received(message),
          ended: (why) => there.hearer?.ended(why),
        },
      },
    )
    there.hearer = listener.accept(back)
    return { end, server: listener.process }
  }
}

/** The lines that end at one server, as its gRPC side keeps them. */
export class ServerLines implements Listener {
  readonly process: Process
  readonly #id: ServerId
  readonly #handler: LineHandler
  readonly #lines = new Map<string, Line>()
  #isDraining = false

  constructor(process: Process, id: ServerId, handler: LineHandler) {
    this.process = process
    this.#id = id
    this.#handler = handler
  }

  get size(): number {
    return this.#lines.size
  }

  accept(end: End<ToAgent>): Hearer<ToServer> {
    let line: Line | undefined
    return {
      received: (message) => {
        if (message.type === 'hello') line = this.#greet(end, message.hello)
        else line?.take(message)
      },
      ended: (why) => line?.end(why),
    }
  }

  async drain(): Promise<void> {
    this.#isDraining = true
    for (const line of this.#lines.values()) line.send({ type: 'drain', withinMs: drainMs })
    if (this.#lines.size > 0) await this.process.clock.sleep(drainMs * 1.5)
    for (const line of [...this.#lines.values()]) line.close()
  }

  #greet(end: End<ToAgent>, hello: Hello): Line | undefined {
    const { project, client } = hello
    const protocol = agreed(hello.protocol, { from: protocolOldest, to: protocolNow })
    if (protocol === undefined || this.#isDraining || !this.#handler.admits(project, client, client)) {
      end.close()
      return undefined
    }
    const name = `${project}/${client}`
    this.#lines.get(name)?.end('replaced')
    const line: Line = new Line(end, { hello, protocol }, this.#handler, () => this.#lines.delete(name))
    this.#lines.set(name, line)
    line.send({ type: 'welcome', server: this.#id, protocol, beatMs: 5_000, silenceMs: 15_000 })
    this.#handler.opened(line)
    return line
  }
}

class Line implements AgentLine {
  readonly project
  readonly client
  readonly hello: Hello
  readonly protocol: number
  readonly fingerprint: string
  readonly #end: End<ToAgent>
  readonly #handler: LineHandler
  readonly #forget: () => void
  #isOver = false

  constructor(
    end: End<ToAgent>,
    { hello, protocol }: Pick<AgentLine, 'hello' | 'protocol'>,
    handler: LineHandler,
    forget: () => void,
  ) {
    this.project = hello.project
    this.client = hello.client
    this.fingerprint = hello.client
    this.hello = hello
    this.protocol = protocol
    this.#end = end
    this.#handler = handler
    this.#forget = forget
  }

  send(message: ToAgent): boolean {
    if (!agentKnows(message, this.protocol)) throw new Error(`${message.type} to protocol ${this.protocol}`)
    return !this.#isOver && this.#end.send(message)
  }

  close(): void {
    this.end('lost')
  }

  end(why: 'bye' | 'lost' | 'silent' | 'replaced'): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#forget()
    this.#handler.closed(this, why)
    this.#end.close()
  }

  take(message: ToServer): void {
    if (this.#isOver || message.type === 'hello' || message.type === 'beat') return
    if (message.type === 'bye') this.end('bye')
    else this.#handler.received(this, message)
  }
}

/** An agent's side: one line to one of the servers, again and again, by the rules and the pauses of the product's. */
export class AgentLines implements ServerLine {
  readonly #exchange: Exchange
  readonly #process: Process
  readonly #handler: ServerLineHandler
  readonly #addresses: Addresses
  #open: { readonly end: End<ToServer>; readonly aheadMs: number; readonly protocol: number } | undefined
  #dialled: End<ToServer> | undefined
  #failures = 0
  #isOver = false

  constructor(exchange: Exchange, process: Process, servers: readonly string[], handler: ServerLineHandler) {
    this.#exchange = exchange
    this.#process = process
    this.#handler = handler
    this.#addresses = new Addresses(servers, () => process.clock.random())
    this.#dial()
  }

  get protocol(): number | undefined {
    return this.#open?.protocol
  }

  send(message: Exclude<ToServer, { type: 'hello' | 'beat' }>): boolean {
    if (this.#open === undefined) return false
    const { end, protocol } = this.#open
    if (!serverKnows(message, protocol)) throw new Error(`${message.type} to protocol ${protocol}`)
    return end.send(message)
  }

  open(): Promise<void> {
    throw new Error('nobody waits for a line here')
  }

  toServerUs(localUs: number) {
    return this.#open && { us: localUs + this.#open.aheadMs * 1_000, errorUs }
  }

  toLocalUs(serverUs: number) {
    return this.#open && { us: serverUs - this.#open.aheadMs * 1_000, errorUs }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    this.send({ type: 'bye', reason: 'the agent stops' })
    this.#dialled?.close()
    this.#open = undefined
  }

  #dial(): void {
    if (this.#isOver) return
    const address = this.#addresses.next() ?? ''
    const { timeline } = this.#exchange.network
    const since = timeline.now
    const dialled = this.#exchange.dial(this.#process, address, {
      received: (message) => this.#received(message, address),
      ended: (why) => this.#lost(why, since),
    })
    if (dialled === 'refused') return this.#again()
    if (dialled === 'silence')
      return void this.#process.clock.sleep(defaultTimes.welcomeMs).then(() => this.#again())
    this.#dialled = dialled.end
    this.#aheadMs = this.#process.startedAt - dialled.server.startedAt
    dialled.end.send({ type: 'hello', hello: this.#handler.hello() })
    void this.#process.clock.sleep(defaultTimes.welcomeMs).then(() => {
      if (this.#dialled !== dialled.end || this.#open) return
      dialled.end.close()
      this.#again()
    })
  }

  /** By how much the server's monotonic clock is ahead of this one. Milliseconds. */
  #aheadMs = 0

  #received(message: ToAgent, address: string): void {
    const end = this.#dialled
    switch (message.type) {
      case 'welcome':
        if (end) this.#open = { end, aheadMs: this.#aheadMs, protocol: message.protocol }
        return this.#handler.welcomed(message.server, message.protocol)
      case 'servers':
        return this.#addresses.replace(message.addresses, address)
      case 'drain':
        return void this.#move(message.withinMs)
      case 'clock':
        return
      default:
        if (this.#open) this.#handler.received(message)
    }
  }

  async #move(withinMs: number): Promise<void> {
    const { clock } = this.#process
    const leaving = this.#dialled
    await clock.sleep(withinMs * clock.random())
    if (this.#dialled !== leaving) return
    this.send({ type: 'bye', reason: 'moves to another server' })
    leaving?.close()
    this.#open = undefined
    this.#handler.lost('moves to another server')
    this.#dial()
  }

  #lost(why: string, since: number): void {
    const wasOpen = this.#open !== undefined
    this.#open = undefined
    this.#dialled = undefined
    if (wasOpen) this.#handler.lost(why)
    if (wasOpen && this.#exchange.network.timeline.now - since >= defaultTimes.steadyMs) this.#failures = 0
    this.#again()
  }

  #again(): void {
    this.#dialled = undefined
    this.#open = undefined
    const { clock } = this.#process
    const pause = backoffMs(
      ++this.#failures,
      defaultTimes.backoffMs,
      defaultTimes.backoffMaxMs,
      clock.random(),
    )
    void clock.sleep(pause).then(() => this.#dial())
  }
}
