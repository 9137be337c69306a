import { afterEach, describe, expect, it } from 'vitest'
import { memoryStore } from '../../controller/memory/backend.ts'
import { put, ref } from '../../controller/state/documents.ts'
import { revokeClient } from '../../controller/use-cases/clients.ts'
import { registerInstanceBackup } from '../../controller/use-cases/instance-backups.ts'
import {
  createInstance,
  existingInstance,
  madeInstancesMax,
  removeInstance,
} from '../../controller/use-cases/instances.ts'
import { clientId, projectId } from '../../core/ids.ts'
import { isInstanceKey } from '../../core/instance.ts'
import { project } from '../support/builders.ts'
import { eventually } from '../support/eventually.ts'
import { aProbe } from '../support/instance-builders.ts'
import { caller, memberOf, orders, TestServer, withAgent } from '../support/instance-rig.ts'

const open: AsyncDisposable[] = []
afterEach(async () => {
  while (open.length > 0) await open.pop()![Symbol.asyncDispose]()
})

async function world() {
  const store = memoryStore()
  const join = () => {
    const server = new TestServer(memberOf(store))
    open.push(server)
    return server
  }
  const server = join()
  const agent = await withAgent(server)
  await server.whenInstance('active')
  return { server, agent, join }
}

const revisionOf = (server: TestServer) => server.state.get('instance', project, orders)?.revision

describe('an agent’s databases', () => {
  it('are instances from its hello on, and what it may create them from is known of its client', async () => {
    const { server } = await world()
    expect(server.instance()).toMatchObject({
      name: 'orders',
      datastore: { type: 'sqlite' },
      client: 'node1',
    })
    await eventually(() => server.state.get('client', project, 'node1')?.value.agent?.templates?.length === 1)
  })

  it('are written when something has changed, and never at rest', async () => {
    const { server, agent } = await world()
    const before = revisionOf(server)
    agent.announce()
    agent.instances = [aProbe({ bytes: 1_010_000 })]
    agent.announce()
    agent.instances.push(aProbe({ key: 'sales', name: 'sales' }))
    agent.announce()
    await eventually(() => server.state.count('instance', project) === 2)
    expect(revisionOf(server)).toBe(before)
    agent.instances = [aProbe({ name: 'Orders' })]
    agent.announce()
    await eventually(() => server.instance()?.name === 'Orders')
    await eventually(() => [...server.state.of('instance', project)].at(-1)?.value.state.is === 'down')
  })

  it('change their client’s templates without a new line', async () => {
    const { server, agent } = await world()
    agent.templates = []
    agent.announce()
    await eventually(() => server.state.get('client', project, 'node1')?.value.agent?.templates === undefined)
  })

  it('are down once their node is shut out, also for a leader that comes later', async () => {
    const { server, agent, join } = await world()
    const next = join()
    await revokeClient(server.context, { ...caller, role: 'admin' }, clientId('node1'))
    await server.whenInstance('down')
    agent.disconnect()
    await eventually(() => next.instance()?.state.is === 'down')
  })

  it('are more than one write can hold', async () => {
    const { server, agent } = await world()
    agent.instances = Array.from({ length: 130 }, (_, n) => aProbe({ key: `db-${n}` }))
    agent.announce()
    await eventually(() => server.state.count('instance', project) === 131)
  })
})

describe('a restore into a new instance', () => {
  it('is created by the node that has the backup, from its template, and then announced', async () => {
    const { server, agent } = await world()
    const backup = await server.complete()
    agent.busy = true
    const { value } = await createInstance(server.context, caller, {
      ...{ name: 'Orders, again!', backup: backup.id, volumeBytes: 3_000_000 },
      datastore: { type: 'sqlite', version: 'another' },
    })
    expect(value).toMatchObject({ name: 'Orders, again!', client: 'node1', state: { is: 'building' } })
    expect(isInstanceKey(value.key)).toBe(true)
    expect(value.key).toMatch(/^orders-again-/)
    await eventually(() => agent.orders.length === 2)
    expect(agent.orders[1]?.tasks[0]).toMatchObject({
      action: {
        ...{ do: 'restore', engine: 'sqlite', target: '' },
        create: { template: 'small', instance: value.key, name: value.name },
      },
      sources: [{ backup: backup.backup }],
    })
    await agent.finish('success')
    await server.whenInstance('active', value.id)
    expect(server.state.count('instance', project)).toBe(2)
    // The next backup can be of it.
    agent.busy = false
    await server.complete({ instance: value.id })
    expect(server.failures).toEqual([])
  })

  it('is in error when it failed, and can then be dropped', async () => {
    const { server, agent } = await world()
    const backup = await server.complete()
    agent.result = 'failed'
    const { value } = await createInstance(server.context, caller, { name: '…', backup: backup.id })
    expect(value.key).toMatch(/^db-/)
    const failed = await server.whenInstance('error', value.id)
    expect(failed.fault?.text).toContain('the disk is full')
    await removeInstance(server.context, caller, value.id)
    expect(server.instance(value.id)).toBeUndefined()
  })

  it('that nobody does is found, and in error', async () => {
    const { server } = await world()
    const backup = await server.complete()
    const { value } = await createInstance(server.context, caller, { name: 'x', backup: backup.id })
    await server.whenInstance('active', value.id)
    await server.state.commit({
      requires: [],
      puts: [put('instance', project, value.id, { ...value, state: { is: 'building', run: 'x' as never } })],
    })
    await server.whenInstance('error', value.id)
  })

  it('takes a registered backup, too', async () => {
    const { server } = await world()
    const source = await server.complete()
    const wish = { name: 'copy', location: source.location!, bytes: 1 }
    const copy = await registerInstanceBackup(server.context, caller, wish)
    const { value } = await createInstance(server.context, caller, { name: 'x', backup: copy.value.id })
    await server.whenInstance('active', value.id)
  })

  it('is refused beyond as many as a project may have, until one is dropped', async () => {
    const { server, agent } = await world()
    const backup = await server.complete()
    const create = () => createInstance(server.context, caller, { name: 'x', backup: backup.id })
    const made = []
    for (let n = 0; n < madeInstancesMax - 1; n++) made.push(await create())
    // The last place is for one of two.
    const last = await Promise.allSettled([create(), create()])
    expect(last.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    await expect(create()).rejects.toMatchObject({ code: 'too_much' })
    const { id, key } = made[0]!.value
    await server.whenInstance('active', id)
    await expect(removeInstance(server.context, caller, id)).rejects.toMatchObject({ code: 'busy' })
    agent.instances = agent.instances.filter((probe) => probe.key !== key)
    agent.announce()
    await eventually(() => removeInstance(server.context, caller, id).then(() => true))
    await create()
  })

  it('is refused for what cannot be restored so, each in its own way', async () => {
    const { server, agent } = await world()
    const backup = await server.complete()
    const wish = { name: 'x', backup: backup.id }
    const create = (over: Partial<Parameters<typeof createInstance>[2]>) =>
      createInstance(server.context, caller, { ...wish, ...over })
    await expect(create({ backup: 'x' as never })).rejects.toMatchObject({ code: 'not_found' })
    await expect(create({ volumeBytes: 2_999_999 })).rejects.toMatchObject({ code: 'forbidden' })
    await expect(create({ datastore: { type: 'mysql' } })).rejects.toMatchObject({
      ...{ code: 'bad_request', detail: { field: 'datastore' } },
    })
    await expect(create({ client: clientId('node9') })).rejects.toMatchObject({ code: 'unsupported' })
    agent.result = 'failed'
    const failed = await server.start()
    await server.whenStatus(failed.id, 'FAILED')
    await expect(create({ backup: failed.id })).rejects.toMatchObject({ code: 'conflict' })
    await server.state.commit({ requires: [], puts: [], deletes: [ref('backup', project, backup.backup!)] })
    await expect(create({})).rejects.toMatchObject({ code: 'not_found' })
  })

  it('goes to another node only when that is named, or reaches the repository', async () => {
    const { server, agent } = await world()
    const other = await withAgent(server, 'node2')
    other.instances = []
    other.announce()
    await eventually(() => server.state.get('client', project, 'node2')?.value.agent?.templates?.length === 1)
    const backup = await server.complete()
    agent.templates = []
    agent.announce()
    await eventually(() => server.state.get('client', project, 'node1')?.value.agent?.templates === undefined)
    const wish = { name: 'x', backup: backup.id }
    await expect(createInstance(server.context, caller, wish)).rejects.toMatchObject({ code: 'unsupported' })
    const named = { ...wish, client: clientId('node2') }
    expect((await createInstance(server.context, caller, named)).value.client).toBe('node2')

    const repository = server.state.get('repository', project, backup.repository!)!.value
    const { client: _, ...shared } = repository
    await server.state.commit({ requires: [], puts: [put('repository', project, shared.id, shared)] })
    expect((await createInstance(server.context, caller, wish)).value.client).toBe('node2')
  })
})

describe('the record of an instance', () => {
  it('is its project’s alone; an administrator sees it from every one', async () => {
    const { server } = await world()
    const other = { ...caller, project: projectId('p2') }
    expect(() => existingInstance(server.context, other, orders)).toThrow(
      expect.objectContaining({ code: 'not_found' }),
    )
    expect(existingInstance(server.context, { ...other, role: 'admin' }, orders).value.id).toBe(orders)
  })

  it('goes only when nothing works with it, and its agent does not announce it', async () => {
    const { server, agent } = await world()
    const drop = () => removeInstance(server.context, caller, orders)
    await expect(drop()).rejects.toMatchObject({ code: 'busy' })
    agent.busy = true
    await server.start()
    agent.instances = [aProbe({ up: false })]
    agent.announce()
    await server.whenInstance('down')
    await expect(drop()).rejects.toMatchObject({ code: 'busy' })
    await eventually(() => agent.orders.length === 1)
    await agent.finish('success')
    await eventually(() => server.instance()?.busy === undefined)
    await expect(drop()).rejects.toMatchObject({
      ...{ code: 'busy', message: expect.stringContaining('agent of node1, as "orders"') as string },
    })
    agent.instances = []
    agent.announce()
    await eventually(() => drop().then(() => true))
    expect(server.instance()).toBeUndefined()
    agent.announce()
    agent.connect(server.reconciler)
    agent.instances = [aProbe({ key: 'sales' })]
    agent.announce()
    await eventually(() => server.state.count('instance', project) === 1)
    expect(server.instance()).toBeUndefined()
    agent.instances.push(aProbe())
    agent.announce()
    await server.whenInstance('active')
  })
})
