import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openEtcd } from '../../controller/etcd/open.ts'
import { memoryStore } from '../../controller/memory/backend.ts'
import { createInstanceBackup, registerInstanceBackup } from '../../controller/use-cases/instance-backups.ts'
import { removeInstanceBackup } from '../../controller/use-cases/instance-removal.ts'
import { createInstance } from '../../controller/use-cases/instances.ts'
import { every } from '../../controller/state/indexes.ts'
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

  /** Ends what is under way, well. */
  const settled = () =>
    eventually(async () => {
      agent.busy = false
      await agent.finish('success')
      const open = [one, two].flatMap(({ state }) => [
        ...state.where('instance', 'open', every),
        ...state.where('instance_backup', 'open', every),
      ])
      return open.length === 0
    })

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

  it.each([
    ['the backup itself', 0],
    ['one that it builds on', 1],
    ['the first of its tree', 2],
  ] as const)('never restore a backup while %s is deleted', async (_name, above) => {
    const whoWon: string[] = []
    for (let round = 0; round < 8; round++) {
      const first = await one.complete()
      const second = await one.complete({ parent: first.id })
      const third = await one.complete({ parent: second.id })
      await eventually(() => two.status(third.id) === 'COMPLETED')
      agent.busy = true
      const gone = [third, second, first][above]!
      const remove = (server: TestServer) => removeInstanceBackup(server.context, caller, gone.id)
      const restore = (server: TestServer) =>
        createInstance(server.context, caller, { name: 'again', backup: third.id })
      const asked = round % 2 === 0 ? [remove(one), restore(two)] : [restore(two), remove(one)]
      const { accepted, refused } = await outcomes(asked)
      expect([accepted, refused.length]).toEqual([1, 1])
      whoWon.push(refused[0]!)
      await settled()
      await removeAll()
    }
    expect(whoWon.every((code) => code === 'busy' || code === 'conflict')).toBe(true)
  })

  it('never restore a registered backup while its source is deleted', async () => {
    for (let round = 0; round < 8; round++) {
      const source = await one.complete()
      const wish = { name: 'copy', location: source.location!, bytes: 1 }
      const copy = (await registerInstanceBackup(two.context, caller, wish)).value
      await eventually(() => one.backup(copy.id))
      agent.busy = true
      const { accepted } = await outcomes([
        removeInstanceBackup(one.context, caller, source.id),
        createInstance(two.context, caller, { name: 'again', backup: copy.id }),
      ])
      expect(accepted).toBe(1)
      await settled()
      await removeAll()
    }
  })

  it('register no data that is being deleted', async () => {
    for (let round = 0; round < 8; round++) {
      const first = await one.complete()
      const source = await one.complete({ parent: first.id })
      await eventually(() => two.status(source.id) === 'COMPLETED')
      const wish = { name: 'copy', location: source.location!, bytes: 1 }
      agent.busy = true
      const order: string[] = []
      const removed = removeInstanceBackup(one.context, caller, first.id).then(() => order.push('removed'))
      const registered = registerInstanceBackup(two.context, caller, wish).then(
        ({ revision }) => order.push(`registered ${revision}`),
        (error: { code?: string }) => order.push(`refused: ${error.code}`),
      )
      await Promise.all([removed, registered])
      // If it was taken, then before its source was marked.
      const copy = all(two).find(({ name }) => name === 'copy')
      await one.state.catchUp()
      const marked = one.state.get('instance_backup', project, first.id)!.revision
      if (copy) expect(two.state.get('instance_backup', project, copy.id)!.revision).toBeLessThan(marked)
      else expect(order).toContain('refused: bad_request')
      await settled()
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
