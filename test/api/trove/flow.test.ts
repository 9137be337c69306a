// From the request to the end of the work: one server that answers, another one that leads, and a node between them in memory.
import { afterEach, expect, it } from 'vitest'
import { memoryStore } from '../../../controller/memory/backend.ts'
import { eventually } from '../../support/eventually.ts'
import { memberOf, orders, TestServer, withAgent } from '../../support/instance-rig.ts'
import { startApi, type Loose } from '../harness.ts'

const open: AsyncDisposable[] = []
afterEach(async () => {
  while (open.length > 0) await open.pop()?.[Symbol.asyncDispose]()
})

async function world() {
  const store = memoryStore()
  const server = new TestServer(memberOf(store))
  open.push(server)
  const agent = await withAgent(server)
  await server.whenInstance('active')
  const api = await startApi({}, store)
  const token = await api.token('operator')
  const ask = (method: string, path: string, body?: unknown) =>
    api.ask(method, `/v1.0/p1${path}`, body, token)
  const backup = async (id: string): Promise<Loose> => (await ask('GET', `/backups/${id}`)).json.backup
  const instance = async (id: string = orders): Promise<Loose> =>
    (await ask('GET', `/instances/${id}`)).json.instance
  /** As clients do: asks until it is so. */
  const until = async (look: () => Promise<Loose>, status: string): Promise<Loose> =>
    eventually(async () => {
      const seen = await look()
      expect(seen?.status).toBe(status)
      return seen
    })
  const create = async (name: string, over: object = {}): Promise<string> => {
    const made = await ask('POST', '/backups', { backup: { instance: orders, name, ...over } })
    expect([made.status, made.json.backup?.status]).toEqual([202, 'NEW'])
    return made.json.backup.id
  }
  const complete = async (name: string, over?: object): Promise<Loose> => {
    const id = await create(name, over)
    await until(() => instance(), 'ACTIVE')
    return until(() => backup(id), 'COMPLETED')
  }
  return { server, agent, ask, backup, instance, until, create, complete }
}

it('a backup goes from NEW over BUILDING to COMPLETED, and its instance is in BACKUP meanwhile', async () => {
  const { agent, create, until, backup, instance, ask } = await world()
  agent.busy = true
  const id = await create('orders-full')
  const building = await until(() => backup(id), 'BUILDING')
  expect(building.locationRef).toBeNull()
  expect(building.size).toBeGreaterThan(0)
  expect((await instance()).status).toBe('BACKUP')
  expect((await ask('DELETE', `/backups/${id}`)).status).toBe(422)
  await agent.finish('success')
  const { locationRef, size } = await until(() => backup(id), 'COMPLETED')
  const [container, file] = locationRef.split('/').slice(-2)
  expect([container, file.startsWith(id), size]).toEqual(['database_backups', true, 0.01])
  await until(() => instance(), 'ACTIVE')
})

it('a chain of incrementals ends with the deletion of its first one, and then nothing is there', async () => {
  const { complete, ask, server } = await world()
  const full = await complete('full', { incremental: 1 })
  const first = await complete('first', { incremental: 1 })
  const second = await complete('second', { incremental: 1 })
  const ofFull = await complete('of full', { parent_id: full.id })
  expect([full, first, second, ofFull].map(({ parent_id }) => parent_id)).toEqual([
    null,
    full.id,
    first.id,
    full.id,
  ])
  const { json } = await ask('GET', '/backups')
  expect(json.backups.map(({ name }: Loose) => name)).toEqual(['of full', 'second', 'first', 'full'])

  expect((await ask('DELETE', `/backups/${first.id}`)).status).toBe(202)
  await eventually(async () => expect((await ask('GET', `/backups/${second.id}`)).status).toBe(404))
  expect((await ask('GET', `/backups/${ofFull.id}`)).status).toBe(200)
  expect((await ask('DELETE', `/backups/${full.id}`)).status).toBe(202)
  await eventually(async () => expect((await ask('GET', '/backups')).json).toEqual({ backups: [] }))
  expect((await ask('DELETE', `/backups/${full.id}`)).status).toBe(404)
  expect(server.failures).toEqual([])
})

it('a backup that fails is FAILED, and its instance says why', async () => {
  const { agent, create, until, backup, instance, complete } = await world()
  agent.result = 'failed'
  const id = await create('orders-full')
  expect(await until(() => backup(id), 'FAILED')).toMatchObject({ locationRef: null })
  const { fault } = await until(() => instance(), 'ACTIVE')
  expect(fault.message).toContain('the disk is full')
  agent.result = 'success'
  const next = await complete('again', { incremental: 1 })
  expect(next.parent_id).toBeNull()
})

it('data that cannot be removed is DELETE_FAILED, and may be deleted again', async () => {
  const { agent, complete, ask, until, backup } = await world()
  const { id } = await complete('orders-full')
  agent.result = 'failed'
  expect((await ask('DELETE', `/backups/${id}`)).status).toBe(202)
  await until(() => backup(id), 'DELETE_FAILED')
  agent.result = 'success'
  expect((await ask('DELETE', `/backups/${id}`)).status).toBe(202)
  await eventually(async () => expect((await ask('GET', `/backups/${id}`)).status).toBe(404))
})

it('a backup is restored into a new instance, which goes from BUILD to ACTIVE', async () => {
  const { agent, complete, ask, until, instance } = await world()
  const backup = await complete('orders-full')
  agent.busy = true
  const made = await ask('POST', '/instances', {
    instance: {
      name: 'orders-again',
      flavorRef: '1',
      volume: { size: 2 },
      restorePoint: { backupRef: backup.id },
    },
  })
  expect([made.status, made.json.instance.status]).toEqual([200, 'BUILD'])
  const { id } = made.json.instance
  expect((await ask('POST', '/backups', { backup: { instance: id, name: 'too early' } })).status).toBe(422)
  await eventually(() => expect(agent.orders).toHaveLength(2))
  await agent.finish('success')
  await until(() => instance(id), 'ACTIVE')
  const { json } = await ask('GET', '/instances?include_clustered=False')
  expect(json.instances.map(({ name }: Loose) => name).toSorted()).toEqual(['orders', 'orders-again'])
})

it('a restore that fails leaves an instance in ERROR that says why', async () => {
  const { agent, complete, ask, until, instance } = await world()
  const backup = await complete('orders-full')
  agent.result = 'failed'
  const made = await ask('POST', '/instances', {
    instance: { name: 'orders-again', restorePoint: { backupRef: backup.id } },
  })
  const { id } = made.json.instance
  const failed = await until(() => instance(id), 'ERROR')
  expect(failed.firn.problem).toContain('the disk is full')
  expect((await ask('DELETE', `/instances/${id}`)).status).toBe(202)
})
