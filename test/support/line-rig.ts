import { Client, credentials, type StatusObject } from '@grpc/grpc-js'
import { makeCsr } from '../../agent/security/csr.ts'
import { ownKey } from '../../agent/security/identity.ts'
import type { ClientTls } from '../../agent/grpc/server-line.ts'
import type { AgentLinesOptions, LineEvents } from '../../controller/grpc/server.ts'
import { serveAgents, type AgentLinesServer } from '../../controller/grpc/server.ts'
import type { AgentLine, LineHandler } from '../../controller/ports/lines.ts'
import { issueFromCsr, issueServer, openAuthority, type Authority } from '../../controller/security/ca.ts'
import { instant } from '../../core/clock.ts'
import { clientId, projectId, runId, serverId } from '../../core/ids.ts'
import { serverTlsName, type Hello, type ToAgent, type ToServer } from '../../core/link.ts'
import { encodeToServer, lineService, type Received } from '../../proto/line.ts'
import { tempDir } from './temp.ts'

/* Agent lines over loopback with mTLS, for tests: certificates, a server with a handler that remembers, raw clients. */

export const project = projectId('p')
export const run = runId('run-1')

export interface Pki extends AsyncDisposable {
  readonly ca: Authority
  readonly server: { readonly ca: string; readonly key: string; readonly certificate: string }
  /** What an agent of this name connects with. */
  agent(client: string): Promise<ClientTls & { fingerprint: string }>
}

/** A CA of agents, with a server's certificate for loopback. */
export async function makePki(): Promise<Pki> {
  const dir = await tempDir('pki')
  const now = instant(Date.now())
  const ca = await openAuthority(dir.join('ca'), 'agents', now)
  const pair = await issueServer(ca, 'firn-server', ['127.0.0.1'], now)
  return {
    ca,
    server: { ca: ca.certificate, ...pair },
    async agent(client) {
      const key = await ownKey(dir.join(`agent-${client}`))
      const issued = await issueFromCsr(ca, await makeCsr(key), { project, client: clientId(client) }, now)
      return { ca: ca.certificate, key, certificate: issued.certificate, fingerprint: issued.fingerprint }
    },
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  }
}

/** A handler that remembers. `log` has what happened in order: `opened node-1`, `closed node-1 bye` … */
export function rememberingHandler() {
  const log: string[] = []
  const received: ToServer[] = []
  const asked: string[] = []
  const handler = {
    log,
    messages: received,
    asked,
    admitted: true,
    opened: (line: AgentLine) => void log.push(`opened ${line.client}`),
    received: (_: AgentLine, message: ToServer) => void received.push(message),
    closed: (line: AgentLine, why: string) => void log.push(`closed ${line.client} ${why}`),
    admits(this: { admitted: boolean }, ofProject: string, client: string, fingerprint: string) {
      asked.push(`${ofProject}/${client} ${fingerprint}`)
      return handler.admitted
    },
  }
  return handler satisfies LineHandler
}

export type Remembering = ReturnType<typeof rememberingHandler>

export interface Rig extends AsyncDisposable {
  readonly server: AgentLinesServer
  readonly handler: Remembering
  readonly address: string
  readonly events: { readonly event: keyof LineEvents; readonly fields: unknown }[]
}

/** A server on a free port. */
export async function startServer(
  tls: AgentLinesOptions['tls'],
  options: Partial<AgentLinesOptions> = {},
): Promise<Rig> {
  const handler = rememberingHandler()
  const events: { event: keyof LineEvents; fields: unknown }[] = []
  const server = await serveAgents({
    server: serverId('server-1'),
    handler,
    tls,
    listen: { host: '127.0.0.1', port: 0 },
    report: (event, fields) => void events.push({ event, fields }),
    ...options,
  })
  return {
    server,
    handler,
    events,
    address: `127.0.0.1:${server.port}`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

export const helloOf = (client: string, more: Partial<Hello> = {}): Hello => ({
  project,
  client: clientId(client),
  protocol: { from: 1, to: 1 },
  version: '0.0.0',
  hostname: client,
  os: 'linux',
  incarnation: 'i',
  engines: [],
  labels: {},
  held: [],
  slots: 1,
  ...more,
})

export interface RawLine extends Disposable {
  readonly received: ToAgent[]
  /** How the stream ended. */
  readonly status: Promise<StatusObject>
  readonly call: { pause(): void; resume(): void; end(): void }
  send(message: ToServer): void
  sendBytes(bytes: Buffer): void
}

/** What a client of another make needs to know besides the .proto: the name in every server's certificate. */
export const rawChannelOptions = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.ssl_target_name_override': serverTlsName,
}

/** A stream with nothing of the agent's own client: it sends and receives exactly what a test says. */
export function rawLine(address: string, tls: ClientTls | 'plain'): RawLine {
  const creds =
    tls === 'plain'
      ? credentials.createInsecure()
      : credentials.createSsl(Buffer.from(tls.ca), Buffer.from(tls.key), Buffer.from(tls.certificate))
  const client = new Client(address, creds, rawChannelOptions)
  const { path, requestSerialize, responseDeserialize } = lineService.connect
  const call = client.makeBidiStreamRequest<Buffer, Received<ToAgent>>(
    path,
    requestSerialize,
    responseDeserialize,
  )
  const received: ToAgent[] = []
  const { promise: status, resolve } = Promise.withResolvers<StatusObject>()
  call.on('data', (message: Received<ToAgent>) => {
    if (message.ok) received.push(message.message)
  })
  call.on('error', () => undefined)
  call.on('status', resolve)
  return {
    received,
    status,
    call,
    send: (message) => void call.write(encodeToServer(message)),
    sendBytes: (bytes) => void call.write(bytes),
    [Symbol.dispose]: () => {
      call.cancel()
      client.close()
    },
  }
}
