import { Server, ServerCredentials, status } from '@grpc/grpc-js'
import { Fault } from '../../core/fault.ts'
import type { ClientId, ProjectId } from '../../core/ids.ts'
import { protocolNow, protocolOldest } from '../../core/link.ts'
import { lineService, messageBytesMax } from '../../proto/line.ts'
import type { AgentLine } from '../ports/lines.ts'
import { greeting, judgeHello } from './greeting.ts'
import { Line, endCall, type CloseReason, type LineCall, type LineContext } from './line.ts'
import { defaultLimits, defaultTimes, hrtimeUs, type AgentLinesOptions } from './options.ts'
import { Outbox } from './outbox.ts'
import { nameOfPeer } from './handshakes.ts'
import { listen, listener, type Peer } from './sockets.ts'
import { addStandardServices, type HealthSwitch } from './standard-services.ts'

export type { AgentLinesOptions, LineEvents } from './options.ts'

/** The agents' way in. Disposing ends all lines at once. */
export interface AgentLinesServer extends AsyncDisposable {
  readonly port: number
  /** How many lines are open. */
  readonly count: number
  line(project: ProjectId, client: ClientId): AgentLine | undefined
  lines(): Iterable<AgentLine>
  /**
   * Takes no more agents, tells those that are here to go to another server, each at a random moment, and resolves
   * when all have gone, or some time later. May be called twice.
   */
  drain(): Promise<void>
}

/** Half as much again as agents are given to leave. */
const drainPatience = 1.5

const channelOptions = {
  'grpc.enable_channelz': 0,
  'grpc.max_receive_message_length': messageBytesMax,
  'grpc.max_send_message_length': messageBytesMax,
  // A dead peer is noticed by nothing else: with these in about 7 s.
  'grpc.keepalive_time_ms': 5_000,
  'grpc.keepalive_timeout_ms': 2_000,
  // An agent needs one stream; a few more serve health checks and reflection.
  'grpc.max_concurrent_streams': 16,
  // Connections without a stream are of no use to anybody.
  'grpc.max_connection_idle_ms': 30_000,
}

/**
 * Listens for agents. Throws Fault('bad_request') for a plain listener that others than this machine could reach, and
 * the system's error (EADDRINUSE …) when it cannot listen.
 */
export async function serveAgents(options: AgentLinesOptions): Promise<AgentLinesServer> {
  if (options.tls === 'plain' && !loopback.has(options.listen.host))
    throw new Fault('bad_request', 'without TLS agents are served on loopback only')
  const server = new LinesServer(options)
  await server.listen()
  return server
}

const loopback = new Set(['127.0.0.1', '::1', 'localhost'])

class LinesServer implements AgentLinesServer {
  readonly #options: AgentLinesOptions
  readonly #context: LineContext
  readonly #lines = new Map<string, Line>()
  /** Open connections by the name that calls have for them. */
  readonly #peers = new Map<string, Peer>()
  readonly #grpc = new Server(channelOptions)
  readonly #health: HealthSwitch
  readonly #listener
  readonly #injector
  #port = 0
  #draining: Promise<void> | undefined
  #emptied: (() => void) | undefined

  constructor(options: AgentLinesOptions) {
    this.#options = options
    this.#context = {
      handler: options.handler,
      report: options.report,
      outbox: new Outbox(),
      times: { ...defaultTimes, ...options.times },
      limits: { ...defaultLimits, ...options.limits },
      nowUs: options.nowUs ?? hrtimeUs,
      closed: (line, why) => this.#closed(line, why),
    }
    this.#grpc.addService(lineService, { connect: (call: LineCall) => void this.#connected(call) })
    this.#health = addStandardServices(this.#grpc)
    // TLS is done before: grpc-js would neither bound a handshake nor say which connection a call belongs to.
    this.#injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure())
    this.#listener = listener(
      options.tls,
      (peer) => this.#accepted(peer),
      (peer, text) => options.report('line.refused', { peer, text }),
    )
    this.#listener.maxConnections = this.#context.limits.connections
  }

  async listen(): Promise<void> {
    this.#port = await listen(this.#listener, this.#options.listen)
  }

  get port(): number {
    return this.#port
  }

  get count(): number {
    return this.#lines.size
  }

  line(project: ProjectId, client: ClientId): AgentLine | undefined {
    return this.#lines.get(keyOf(project, client))
  }

  lines(): Iterable<AgentLine> {
    return this.#lines.values()
  }

  drain(): Promise<void> {
    return (this.#draining ??= this.#drain())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#draining ??= Promise.resolve()
    this.#health.serving(false)
    const closed = new Promise((resolve) => this.#listener.close(resolve))
    for (const line of [...this.#lines.values()]) line.close('the server stops')
    this.#injector.destroy()
    this.#grpc.forceShutdown()
    for (const { socket } of this.#peers.values()) socket.destroySoon()
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, this.#context.times.partMs))])
    for (const { socket } of this.#peers.values()) socket.destroy()
    await closed
  }

  async #drain(): Promise<void> {
    const { drainMs } = this.#context.times
    this.#health.serving(false)
    this.#listener.close()
    for (const line of this.#lines.values()) line.send({ type: 'drain', withinMs: drainMs })
    if (this.#lines.size === 0) return
    await new Promise<void>((resolve) => {
      const patience = setTimeout(resolve, drainMs * drainPatience)
      this.#emptied = () => {
        clearTimeout(patience)
        resolve()
      }
    })
  }

  #accepted(peer: Peer): void {
    const name = nameOfPeer(peer.socket)
    if (name === undefined) return
    this.#peers.set(name, peer)
    peer.socket.once('close', () => this.#peers.delete(name))
    peer.socket.on('error', () => undefined)
    this.#injector.injectConnection(peer.socket)
  }

  async #connected(call: LineCall): Promise<void> {
    const name = call.getPeer()
    const peer = this.#peers.get(name)
    const certified = this.#options.tls === 'plain' ? 'anybody' : peer?.certified
    const cut = () => peer?.socket.destroy()
    const refuse = (code: status, details: string) => {
      this.#options.report('line.refused', { peer: name, text: details })
      endCall(call, { cut }, this.#context.times.partMs, { code, details })
    }
    if (certified === undefined) return refuse(status.UNAUTHENTICATED, 'the certificate names no agent')
    const answer = await greeting(call, this.#context.times.helloMs, (hello) =>
      judgeHello(
        hello,
        certified,
        (fingerprint) => this.#admits(hello.project, hello.client, fingerprint),
        this.#options.protocols ?? { from: protocolOldest, to: protocolNow },
      ),
    )
    if (answer === undefined || call.cancelled) return
    if (!answer.ok) return refuse(answer.told.code, answer.told.details)
    if (this.#draining !== undefined) return refuse(status.UNAVAILABLE, 'this server takes no more agents')
    const { project, client } = answer.hello
    const fingerprint = certified === 'anybody' ? '' : certified.fingerprint
    this.#open(new Line(call, { project, client, fingerprint, name, cut }, answer, this.#context), name)
    call.resume()
  }

  #admits(project: ProjectId, client: ClientId, fingerprint: string): boolean {
    try {
      return this.#options.handler.admits(project, client, fingerprint)
    } catch (err) {
      this.#options.report('line.bug', { project, client, err })
      return false
    }
  }

  #open(line: Line, peer: string): void {
    const { project, client, protocol } = line
    const details = 'a newer line of this client has taken its place'
    this.#lines.get(keyOf(project, client))?.end('replaced', details, { code: status.ABORTED, details })
    this.#lines.set(keyOf(project, client), line)
    this.#options.report('line.opened', { project, client, peer, version: line.hello.version })
    const { beatMs, silenceMs } = this.#context.times
    line.send({ type: 'welcome', server: this.#options.server, protocol, beatMs, silenceMs })
    this.#tell(line, () => this.#options.handler.opened(line))
  }

  #closed(line: Line, why: CloseReason): void {
    this.#lines.delete(keyOf(line.project, line.client))
    this.#tell(line, () => this.#options.handler.closed(line, why))
    if (this.#lines.size === 0) this.#emptied?.()
  }

  #tell({ project, client }: Line, what: () => void): void {
    try {
      what()
    } catch (err) {
      this.#options.report('line.bug', { project, client, err })
    }
  }
}

const keyOf = (project: ProjectId, client: ClientId): string => `${project}/${client}`
