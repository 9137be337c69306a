// What lies between agents and servers, and says everything twice.
import { Client, credentials, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import { connect, credsAuthenticator, headers } from 'nats'
import path from 'node:path'
import { identityDir } from '../../agent/enrol.ts'
import { readIdentity } from '../../agent/security/identity.ts'
import { openOperator } from '../../controller/nats/operator.ts'
import { issueServer, openAuthority } from '../../controller/security/ca.ts'
import { systemClock } from '../../core/clock-system.ts'
import { serverTlsName, type ToServer } from '../../core/link.ts'
import { decodeToAgent, decodeToServer, lineService } from '../../proto/line.ts'
import { streams } from '../../proto/subjects.ts'
import type { TestStack } from './stack.ts'

export interface Doubling extends AsyncDisposable {
  /** How many messages were said twice, by their kind. */
  readonly doubled: ReadonlyMap<string, number>
}

/** A peer of agents that passes on to a server what they say, each message but the first of a stream twice. */
export interface DoublingLine extends Doubling {
  readonly port: number
}

type Call = ServerDuplexStream<Buffer, Buffer>

/** The second copy of every other message, and of every report, comes so much later, when others have come in between. Milliseconds. */
const lateMs = 300

const raw = {
  ...({ path: lineService.connect.path, requestStream: true, responseStream: true } as const),
  requestSerialize: (bytes: Buffer) => bytes,
  requestDeserialize: (bytes: Buffer) => bytes,
  responseSerialize: (bytes: Buffer) => bytes,
  responseDeserialize: (bytes: Buffer) => bytes,
}

/** For one agent: it holds that agent's own key, as only the agent itself otherwise does. */
export async function startDoublingLine(world: TestStack, client: string): Promise<DoublingLine> {
  const { layout } = world.stack
  const authority = await openAuthority(path.join(layout.keys, 'agents-ca'), 'agents', systemClock.now())
  const own = await issueServer(authority, 'firn-server', ['127.0.0.1'], systemClock.now())
  const identity = await readIdentity(identityDir(path.join(layout.agents, client)))
  if (!identity) throw new Error(`${client} is not enrolled`)
  const [ca, key, certificate] = [identity.ca, identity.key, identity.certificate].map((text) =>
    Buffer.from(text),
  )
  const upstream = new Client(
    `127.0.0.1:${world.agentAddress().port}`,
    credentials.createSsl(ca, key, certificate),
    { 'grpc.use_local_subchannel_pool': 1, 'grpc.ssl_target_name_override': serverTlsName },
  )
  const doubled = new Map<string, number>()
  const server = new Server()
  server.addService({ connect: raw }, { connect: (call: Call) => pass(call, upstream, doubled) })
  const pair = { private_key: Buffer.from(own.key), cert_chain: Buffer.from(own.certificate) }
  const listening = ServerCredentials.createSsl(Buffer.from(authority.certificate), [pair], true)
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', listening, (error, bound) => (error ? reject(error) : resolve(bound))),
  )
  return {
    port,
    doubled,
    [Symbol.asyncDispose]: () => {
      server.forceShutdown()
      upstream.close()
      return Promise.resolve()
    },
  }
}

function pass(from: Call, upstream: Client, doubled: Map<string, number>): void {
  const to = upstream.makeBidiStreamRequest(raw.path, raw.requestSerialize, raw.responseDeserialize)
  let open = true
  let count = 0
  const send = (bytes: Buffer): void => {
    if (open) to.write(bytes)
  }
  const end = (): void => {
    open = false
    to.cancel()
    from.end()
  }
  from.on('data', (bytes: Buffer) => {
    send(bytes)
    const kind = kindOf(bytes)
    if (kind === 'hello') return // a second one ends the line, by the protocol
    doubled.set(kind, (doubled.get(kind) ?? 0) + 1)
    if (++count % 2 === 0) setTimeout(send, lateMs, bytes)
    else send(bytes)
  })
  to.on('data', (bytes: Buffer) => {
    const received = decodeToAgent(bytes)
    // Told where the servers are, the agent would go past this one.
    if (!received.ok || received.message.type !== 'servers') from.write(bytes)
  })
  for (const stream of [from, to]) stream.on('error', end).on('end', end)
  from.on('cancelled', end)
}

function kindOf(bytes: Buffer): ToServer['type'] | 'unreadable' {
  const received = decodeToServer(bytes)
  return received.ok ? received.message.type : 'unreadable'
}

/**
 * Publishes every report once more and a little later, under another message id, so that no broker takes them for the
 * same.
 */
export async function startDoublingReports(world: TestStack): Promise<Doubling> {
  const operator = await openOperator(path.join(world.stack.layout.keys, 'nats'), systemClock)
  const authenticator = credsAuthenticator(new TextEncoder().encode(operator.serverCredentials()))
  const connection = await connect({
    servers: world.stack.nats,
    authenticator,
    inboxPrefix: '_INBOX_doubling',
  })
  const doubled = new Map<string, number>()
  const prefix = 'again-'
  const subscriptions = streams.results.subjects.map((subject) =>
    connection.subscribe(subject, {
      callback: (error, message) => {
        const id = message.headers?.get('Nats-Msg-Id') ?? ''
        if (error || id.startsWith(prefix)) return
        const again = headers()
        again.set('Nats-Msg-Id', `${prefix}${id}`)
        setTimeout(() => {
          if (connection.isClosed()) return
          connection.publish(message.subject, message.data, { headers: again })
          // `<run>.<attempt>`, without the mark of the agent.
          const of = id.split('.').slice(0, 2).join('.')
          doubled.set(of, (doubled.get(of) ?? 0) + 1)
        }, lateMs)
      },
    }),
  )
  await connection.flush()
  return {
    doubled,
    [Symbol.asyncDispose]: async () => {
      for (const subscription of subscriptions) subscription.unsubscribe()
      await connection.close()
    },
  }
}
