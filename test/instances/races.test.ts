import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openEtcd } from '../../controller/etcd/open.ts'
import { memoryStore } from '../../controller/memory/backend.ts'
import { createInstanceBackup } from '../../controller/use-cases/instance-backups.ts'
import { removeInstanceBackup } from '../../controller/use-cases/instance-removal.ts'
import { systemClock } from '../../core/clock-system.ts'
import { instanceIdOf } from '../../core/ids.ts'
import { project } from '../support/builders.ts'
import type { DatabaseAgent } from '../support/database-agent.ts'
import { emptyEtcd } from '../support/etcd-keys.ts'
import { eventually } from '../support/eventually.ts'
import { aProbe } from '../support/instance-builders.ts'
import { caller, memberOf, orders, TestServer, withAgent, type Member } from '../support/instance-rig.ts'
import { startEtcd, type ServerProcess } from '../support/servers.ts'

let etcd: ServerProcess
beforeAll(async () => {
  etcd = await startEtcd()
})
afterAll(() => etcd[Symbol.asyncDispose]())

const quota = 6
let count = 0

const stores: [name: string, open: () => Promise<() => Member>][] = [
  [
    'memory',
    () => {
      const store = memoryStore()
      return Promise.resolve(() => memberOf(store))
    },
  ],
  [
    'etcd',
    async () => {
      await emptyEtcd(etcd.url)
      return () => openEtcd({ endpoints: [etcd.url], server: `server-${count++}`, clock: systemClock })
    },
  ],
]

/** The codes of what was refused, and how many were not. */
async function outcomes(asked: readonly Promise<unknown>[]) {
  const settled = await Promise.allSettled(asked)
  const refused = settled.flatMap((one) =>
    one.status === 'rejected' ? [(one.reason as { code?: string }).code] : [],
  )
  return { accepted: settled.length - refused.length, refused }
}

describe.each(stores)('two servers over %s', (_name, openStore) => {
  const open: AsyncDisposable[] = []
  let join: () => TestServer
  let one: TestServer
  let two: TestServer
  let agent: DatabaseAgent

  beforeEach(async () => {
    const member = await openStore()
    join = () => {
      const server = new TestServer(member(), quota)
      open.push(server)
      return server
    }
    one = join()
    agent = await withAgent(one)
    two = join()
    await eventually(() => one.instance() && two.instance())
  })
  afterEach(async () => {
    while (open.length > 0) await open.pop()![Symbol.asyncDispose]()
  })

  const all = (server: TestServer) =>
    [...server.state.of('instance_backup', project)].map(({ value }) => value)
  const removeAll = async () => {
    for (const { id } of all(one).filter(({ parent }) => !parent))
      await removeInstanceBackup(one.context, caller, id)
    await eventually(() => all(one).length + all(two).length === 0)
  }

  it('take one of two backups of an instance that are asked for at once', async () => {
    for (let round = 0; round < 20; round++) {
      agent.busy = true
      const ask = (server: TestServer) => server.start({ name: `round ${round}` })
      const asked = round % 2 === 0 ? [ask(one), ask(two)] : [ask(one), ask(one), ask(two), ask(two)]
      const { accepted, refused } = await outcomes(asked)
      expect(accepted).toBe(1)
      expect(new Set(refused)).toEqual(new Set(['busy']))
      await eventually(() => agent.orders.length === round + 1)
      agent.busy = false
      await agent.finish('success')
      await eventually(() => one.instance()?.busy === undefined)
      if (round % 5 === 4) await removeAll()
      agent.orders.splice(
        0,
        agent.orders.length,
        ...agent.orders.filter(({ tasks }) => tasks[0]?.action.do === 'backup'),
      )
    }
  })

  it('never give a project more backups than its quota', async () => {
    agent.busy = true
    const keys = Array.from({ length: 10 }, (_, n) => `db-${n}`)
    agent.instances = keys.map((key) => aProbe({ key }))
    agent.announce()
    const ids = keys.map((key) => instanceIdOf(project, agent.client, key))
    await eventually(() => ids.every((id) => one.instance(id) && two.instance(id)))
    const { accepted, refused } = await outcomes(
      ids.map((instance, n) =>
        createInstanceBackup((n % 2 === 0 ? one : two).context, caller, {
          ...{ instance, name: 'x', incremental: false },
        }),
      ),
    )
    expect(accepted).toBe(quota)
    expect(new Set(refused)).toEqual(new Set(['too_much']))
  })

  it('leave no backup behind that builds on one which is deleted meanwhile', async () => {
    for (let round = 0; round < 10; round++) {
      const first = await one.complete()
      const parent = await one.complete({ parent: first.id })
      await eventually(() => two.status(parent.id) === 'COMPLETED')
      agent.busy = true
      const { accepted } = await outcomes([
        removeInstanceBackup(one.context, caller, first.id),
        two.start({ parent: parent.id }),
      ])
      expect(accepted).toBe(1)
      agent.busy = false
      await eventually(async () => {
        await agent.finish('success')
        return all(one).every(({ state, deleting }) => state.is === 'completed' && !deleting)
      })
      await removeAll()
    }
  })

  it('end what the other one has begun', async () => {
    const first = await one.complete()
    agent.busy = true
    const running = await one.start({ parent: first.id })
    await eventually(() => two.status(running.id) === 'BUILDING')
    await one[Symbol.asyncDispose]()
    open.splice(open.indexOf(one), 1)
    agent.connect(two.reconciler)
    await agent.finish('success')
    await two.whenStatus(running.id, 'COMPLETED')
    expect(two.instance(orders)).not.toHaveProperty('busy')
    agent.busy = false
    await removeInstanceBackup(two.context, caller, first.id)
    await eventually(() => all(two).length === 0)
    expect(two.failures).toEqual([])
  })
})
