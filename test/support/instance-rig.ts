// Servers without network over one store, and agents with databases.
import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { systemClock } from '../../core/clock-system.ts'
import { clientId, userId, type InstanceBackupId, type InstanceId, type ServerId } from '../../core/ids.ts'
import type { Instance, InstanceBackup } from '../../core/instance.ts'
import type { MemoryStore } from '../../controller/memory/backend.ts'
import type { Backend, Leadership } from '../../controller/ports/backend.ts'
import { LineBook } from '../../controller/reconcile/line-book.ts'
import { Reconciler } from '../../controller/reconcile/reconciler.ts'
import { put } from '../../controller/state/documents.ts'
import { State } from '../../controller/state/state.ts'
import type { Caller, Context } from '../../controller/use-cases/context.ts'
import { createInstanceBackup, progressOf } from '../../controller/use-cases/instance-backups.ts'
import { aClient, project } from './builders.ts'
import { DatabaseAgent } from './database-agent.ts'
import { eventually } from './eventually.ts'
import { anInstance, aProbe } from './instance-builders.ts'

export const caller: Caller = { project, user: userId('u1'), userName: 'u1', role: 'operator' }

/** What the tests' agent announces. */
export const orders: InstanceId = anInstance().id

/** One server's part in a store that several share; disposing it resigns. */
export interface Member extends AsyncDisposable {
  readonly backend: Backend
  readonly leadership: Leadership
}

/** A part in a store in memory. */
export function memberOf(store: MemoryStore): Member {
  const backend = store.backend()
  const leadership = store.leadership()
  return {
    ...{ backend, leadership },
    [Symbol.asyncDispose]: async () => {
      await leadership[Symbol.asyncDispose]()
      await backend[Symbol.asyncDispose]()
    },
  }
}

/** One server over a shared store. */
export class TestServer implements AsyncDisposable {
  readonly lines = new LineBook(systemClock)
  readonly state: State
  readonly context: Context
  readonly reconciler: Reconciler
  readonly failures: string[] = []

  readonly #member: Member

  constructor(member: Member, quota = 50) {
    this.#member = member
    const { backend, leadership } = member
    this.state = new State(backend, systemClock)
    this.context = {
      state: this.state,
      clock: systemClock,
      sealer: { seal: (secret) => secret, open: (sealed) => sealed },
      secrets: { uuid: () => randomUUID().replaceAll('-', ''), random: () => 'secret' },
      settings: {
        defaultRepository: '/repo/{client}/{engine}',
        ...{ startMs: 60_000, runMs: 60_000, prepareMs: 60_000, backupsPerProject: quota },
      },
      holdsLine: (ofProject, client) => this.lines.line(ofProject, client) !== undefined,
    }
    this.reconciler = new Reconciler({
      ...{ context: this.context, leadership, server: `s-${randomUUID()}` as ServerId, clock: systemClock },
      ...{ lines: this.lines, monotonicUs: () => Math.round(performance.now() * 1_000) },
      failed: (key, error) => this.failures.push(`${key}: ${String(error)}`),
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reconciler[Symbol.asyncDispose]()
    await this.state[Symbol.asyncDispose]()
    await this.#member[Symbol.asyncDispose]()
  }

  instance = (id = orders): Instance | undefined => this.state.get('instance', project, id)?.value
  backup = (id: InstanceBackupId): InstanceBackup | undefined =>
    this.state.get('instance_backup', project, id)?.value
  status = (id: InstanceBackupId): string => {
    const record = this.backup(id)
    return record ? progressOf(this.context, record).status : 'gone'
  }

  whenStatus = (id: InstanceBackupId, status: string): Promise<true> =>
    eventually(() => {
      expect(this.status(id)).toBe(status)
      return true
    })

  whenInstance = (is: Instance['state']['is'], id = orders): Promise<Instance> =>
    eventually(() => {
      const instance = this.instance(id)
      expect(instance?.state.is).toBe(is)
      return instance
    })

  /** Asks for a backup of the tests' database; full, if nothing else is said. */
  start = async (over: Partial<Parameters<typeof createInstanceBackup>[2]> = {}): Promise<InstanceBackup> =>
    (
      await createInstanceBackup(this.context, caller, {
        ...{ instance: orders, name: 'nightly', incremental: false },
        ...over,
      })
    ).value

  /** The same, and waits until it is completed. */
  complete = async (over: Parameters<TestServer['start']>[0] = {}): Promise<InstanceBackup> => {
    const { id } = await this.start(over)
    await this.whenStatus(id, 'COMPLETED')
    return this.backup(id)!
  }
}

/** An enrolled node called node1 whose agent announces one database, and is connected. */
export async function withAgent(server: TestServer, name = 'node1'): Promise<DatabaseAgent> {
  await eventually(() => server.state.loaded)
  const client = aClient({ id: clientId(name), hostname: name })
  await server.state.commit({ requires: [], puts: [put('client', project, name, client)] })
  const agent = new DatabaseAgent(project, client.id)
  agent.instances.push(aProbe())
  agent.templates.push({ name: 'small', datastore: { type: 'sqlite', version: '3.50' } })
  agent.connect(server.reconciler)
  return agent
}
