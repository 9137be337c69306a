// A process with the server's side of agent lines and nothing behind it: what an order costs on its way.
import { serveAgents, type AgentLinesServer } from '../../controller/grpc/server.ts'
import { later } from '../../core/clock.ts'
import { systemClock } from '../../core/clock-system.ts'
import { actionId, jobId, repositoryId, runIdOf, serverId, sessionId, sessionSlot } from '../../core/ids.ts'
import { epoch, type Order } from '../../core/link.ts'
import type { AgentLine } from '../../controller/ports/lines.ts'
import { encodeToAgent, encodeToServer } from '../../proto/line.ts'
import { serveParent, startChild, type Child } from './child.ts'
import { project } from './rig.ts'

const job = jobId('4f8f9d9c6c2d4b0f8f3a5b7c9d1e2f30')
const session = sessionId('9a1b2c3d4e5f60718293a4b5c6d7e8f9')
const pushMs = 30_000

/** The order of a session's member that is to make a backup. */
function orderFor({ client }: Pick<AgentLine, 'client'>, tag: number): Order {
  const slot = sessionSlot(session, tag)
  const repository = repositoryId('0123456789abcdef0123456789abcdef')
  return {
    ...{
      run: runIdOf(project, job, client, slot),
      project,
      job,
      client,
      slot,
      session: { id: session, tag },
    },
    ...{ attempt: 1, epoch: epoch(1_234), hold: true, runMs: 86_400_000 },
    answerBy: later(systemClock.now(), 60_000),
    tasks: [
      {
        actionId: actionId('11112222333344445555666677778888'),
        action: {
          ...{
            do: 'backup',
            engine: 'restic',
            backupName: 'home',
            paths: ['/home', '/etc'],
            excludes: ['*.tmp'],
          },
          ...{ oneFileSystem: true, onUnreadable: 'partial', levels: { noIncremental: false } },
          ...{ repository: { is: 'default' }, limits: {} },
        },
        ...{ maxRetries: 3, retryAfterMs: 60_000, mandatory: false, repository, level: 1 },
        parent: { backup: 'aaaabbbbccccddddeeeeffff00001111' as never, engineRef: 'f'.repeat(64) },
      },
    ],
    before: [{ tries: 0 }],
    repositories: [
      {
        ...{ id: repository, engine: 'restic', location: `/var/lib/firn/repositories/${project}/${client}` },
        ...{ password: 'p'.repeat(43), expectedId: 'e'.repeat(64) },
      },
    ],
  }
}

function makeHandlers() {
  let server: AgentLinesServer | undefined
  let onAccepted = (_client: string): void => {}
  let tag = 0
  return {
    /** host:port */
    async listen(): Promise<string> {
      server = await serveAgents({
        server: serverId('bench'),
        listen: { host: '127.0.0.1', port: 0 },
        tls: 'plain',
        report: () => undefined,
        handler: {
          admits: () => true,
          opened: () => undefined,
          closed: () => undefined,
          received: (line, message) => {
            if (message.type === 'accepted') onAccepted(line.client)
          },
        },
      })
      return `127.0.0.1:${server.port}`
    },
    /** Bytes of an order and of its answer on the wire. */
    sizes() {
      const order = orderFor({ client: 'node-0000' as never }, 1)
      const { run, attempt } = order
      return {
        bytes: encodeToAgent({ type: 'order', order }).length,
        answerBytes: encodeToServer({ type: 'accepted', run, attempt, armed: true }).length,
      }
    },
    /** Sends each agent an order of its own and waits until all have answered. Milliseconds, and who answered how often. */
    async push(): Promise<{ ms: number; answers: number; agents: number }> {
      if (!server) throw new Error('not listening')
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const late = setTimeout(() => reject(new Error('not all agents have answered')), pushMs)
      const answered = new Set<string>()
      let answers = 0
      const lines = [...server.lines()]
      onAccepted = (client) => {
        answers++
        answered.add(client)
        if (answered.size === lines.length) resolve()
      }
      tag++
      const orders = lines.map((line) => orderFor(line, tag))
      const from = performance.now()
      for (const [n, line] of lines.entries()) {
        const order = orders[n]
        if (order) line.send({ type: 'order', order })
      }
      await promise
      const ms = performance.now() - from
      clearTimeout(late)
      return { ms, answers, agents: lines.length }
    },
  }
}

export type LineServer = ReturnType<typeof makeHandlers>

export const startLineServer = (): Child<LineServer> => startChild<LineServer>(import.meta.filename)

if (import.meta.main) serveParent(makeHandlers())
