import { afterEach, describe, expect, it } from 'vitest'
import { memoryStore } from '../../controller/memory/backend.ts'
import { put } from '../../controller/state/documents.ts'
import { registerInstanceBackup } from '../../controller/use-cases/instance-backups.ts'
import { removeInstanceBackup } from '../../controller/use-cases/instance-removal.ts'
import { createInstance } from '../../controller/use-cases/instances.ts'
import { projectId, type InstanceBackupId } from '../../core/ids.ts'
import type { InstanceBackup } from '../../core/instance.ts'
import { project } from '../support/builders.ts'
import { eventually } from '../support/eventually.ts'
import { anInstanceBackup, backupNumber } from '../support/instance-builders.ts'
import { caller, memberOf, orders, TestServer, withAgent } from '../support/instance-rig.ts'

const open: AsyncDisposable[] = []
afterEach(async () => {
  while (open.length > 0) await open.pop()![Symbol.asyncDispose]()
})

async function world() {
  const store = memoryStore()
  const server = new TestServer(memberOf(store))
  open.push(server)
  const agent = await withAgent(server)
  await server.whenInstance('active')
  return { server, agent }
}

const remove = (server: TestServer, id: InstanceBackupId): Promise<void> =>
  removeInstanceBackup(server.context, caller, id)
const entries = (server: TestServer): string[] =>
  [...server.state.of('backup', project)].map(({ value }) => value.id)
const forgotten = (server: TestServer) =>
  [...server.state.of('run', project)].flatMap(({ value }) =>
    value.purpose === 'forget' ? value.tasks.flatMap(({ sources = [] }) => sources) : [],
  )

/** 1 ← 2 ← 3, and one by itself. */
async function chain(
  server: TestServer,
): Promise<[InstanceBackup, InstanceBackup, InstanceBackup, InstanceBackup]> {
  const first = await server.complete()
  const second = await server.complete({ parent: first.id })
  const third = await server.complete({ parent: second.id, container: 'elsewhere' })
  return [first, second, third, await server.complete()]
}

describe('deleting a backup', () => {
  it('takes all that build on it, their data first, and leaves the rest', async () => {
    const { server, agent } = await world()
    const [first, second, third, alone] = await chain(server)
    agent.busy = true
    await remove(server, first.id)
    await eventually(() => agent.orders.at(-1)?.tasks[0]?.action.do === 'forget')
    for (const { id } of [first, second, third]) expect(server.status(id)).toBe('COMPLETED')
    expect(entries(server)).toHaveLength(4)

    await agent.finish('success')
    for (const { id } of [first, second, third]) await server.whenStatus(id, 'gone')
    expect(server.status(alone.id)).toBe('COMPLETED')
    expect(entries(server)).toEqual([alone.backup])
    const tasks = agent.orders.at(-1)!.tasks
    // A step for each repository, which ask for the space to be given back.
    expect(tasks.map(({ sources }) => sources?.length)).toEqual([2, 1])
    for (const { action, mandatory } of tasks)
      expect({ action, mandatory }).toMatchObject({
        action: { engine: 'sqlite', free: true },
        mandatory: true,
      })
    expect(server.failures).toEqual([])
  })

  it('leaves what it builds on', async () => {
    const { server } = await world()
    const [first, second, third] = await chain(server)
    await remove(server, second.id)
    await server.whenStatus(third.id, 'gone')
    await server.whenStatus(second.id, 'gone')
    expect(server.status(first.id)).toBe('COMPLETED')
  })

  it('changes nothing when it is asked for again meanwhile, of any in the tree', async () => {
    const { server, agent } = await world()
    const [first, second] = await chain(server)
    agent.busy = true
    await remove(server, first.id)
    await remove(server, first.id)
    await remove(server, second.id)
    expect(forgotten(server)).toHaveLength(3)
  })

  it('is refused while one of the tree is running, and nothing is deleted', async () => {
    const { server, agent } = await world()
    const first = await server.complete()
    const second = await server.complete({ parent: first.id })
    agent.busy = true
    const running = await server.start({ parent: second.id })
    await expect(remove(server, first.id)).rejects.toMatchObject({
      code: 'busy',
      message: expect.stringContaining(running.id) as string,
    })
    expect(forgotten(server)).toEqual([])
    await agent.finish('failed')
    await server.whenStatus(running.id, 'FAILED')
    await remove(server, first.id)
  })

  it('keeps new backups from building on what goes', async () => {
    const { server, agent } = await world()
    const first = await server.complete()
    const second = await server.complete({ parent: first.id })
    agent.busy = true
    await remove(server, first.id)
    await expect(server.start({ parent: second.id })).rejects.toMatchObject({ code: 'bad_request' })
    await expect(
      createInstance(server.context, caller, { name: 'x', backup: second.id }),
    ).rejects.toMatchObject({ code: 'conflict' })
    expect(await server.start({ incremental: true })).not.toHaveProperty('parent')
  })

  it('that fails can be tried again', async () => {
    const { server, agent } = await world()
    const first = await server.complete()
    const second = await server.complete({ parent: first.id })
    agent.result = 'failed'
    await remove(server, first.id)
    await server.whenStatus(first.id, 'DELETE_FAILED')
    await server.whenStatus(second.id, 'DELETE_FAILED')
    await expect(server.start({ parent: second.id })).rejects.toMatchObject({ code: 'bad_request' })
    expect(await server.start({ incremental: true })).not.toHaveProperty('parent')
    agent.result = 'success'
    await remove(server, first.id)
    await server.whenStatus(first.id, 'gone')
  })

  it('waits for its node', async () => {
    const { server, agent } = await world()
    const first = await server.complete()
    agent.disconnect()
    await eventually(() => server.lines.size === 0)
    await remove(server, first.id)
    expect(server.status(first.id)).toBe('COMPLETED')
    agent.connect(server.reconciler)
    await server.whenStatus(first.id, 'gone')
  })

  it('that nobody does is found, and may be tried again', async () => {
    const { server } = await world()
    const first = await server.complete()
    await server.state.commit({
      requires: [],
      puts: [put('instance_backup', project, first.id, { ...first, deleting: 'nobody' as never })],
    })
    await server.whenStatus(first.id, 'DELETE_FAILED')
  })

  it('needs no node when there is no data', async () => {
    const { server, agent } = await world()
    agent.result = 'failed'
    const failed = await server.start()
    await server.whenStatus(failed.id, 'FAILED')
    agent.disconnect()
    await remove(server, failed.id)
    await server.whenStatus(failed.id, 'gone')
  })

  it('removes what a backup that failed has saved', async () => {
    const { server, agent } = await world()
    agent.result = 'partial'
    const failed = await server.start()
    await server.whenStatus(failed.id, 'FAILED')
    agent.result = 'success'
    await remove(server, failed.id)
    await server.whenStatus(failed.id, 'gone')
    expect(entries(server)).toEqual([])
    expect(forgotten(server)).toHaveLength(1)
  })

  it('drops a registered one without touching the data', async () => {
    const { server } = await world()
    const source = await server.complete()
    const wish = { name: 'copy', location: source.location!, bytes: 1 }
    const { value } = await registerInstanceBackup(server.context, caller, wish)
    await remove(server, value.id)
    expect(server.status(value.id)).toBe('gone')
    expect(server.status(source.id)).toBe('COMPLETED')
    expect(forgotten(server)).toEqual([])
  })

  it('is refused while an instance is made from it', async () => {
    const { server, agent } = await world()
    const first = await server.complete()
    agent.busy = true
    await createInstance(server.context, caller, { name: 'again', backup: first.id })
    await expect(remove(server, first.id)).rejects.toMatchObject({
      ...{ code: 'busy', message: `backup ${first.id} is being restored` },
    })
    await eventually(() => agent.orders.length === 2)
    await agent.finish('success')
    await eventually(() => [...server.state.where('instance', 'open', '*')].length === 0)
    await remove(server, first.id)
  })

  it('outlives its instance', async () => {
    const { server } = await world()
    const first = await server.complete()
    await server.state.commit({
      requires: [],
      puts: [],
      deletes: [{ kind: 'instance', project, id: orders }],
    })
    await remove(server, first.id)
    await server.whenStatus(first.id, 'gone')
  })

  it('is one write for a tree of any depth', async () => {
    const { server } = await world()
    const first = await server.complete()
    const count = 150
    const below = Array.from({ length: count }, (_, n) =>
      anInstanceBackup({
        ...{ id: backupNumber(n + 1), parent: n === 0 ? first.id : backupNumber(n) },
        state: { is: 'completed' },
      }),
    )
    for (let from = 0; from < count; from += 50)
      await server.state.commit({
        requires: [],
        puts: below
          .slice(from, from + 50)
          .map((record) => put('instance_backup', project, record.id, record)),
      })
    await remove(server, first.id)
    await eventually(() => server.state.count('instance_backup', project) === 0)
  })

  it('is of the caller’s project; an administrator’s of every one', async () => {
    const { server } = await world()
    const { id } = await server.complete()
    const other = { ...caller, project: projectId('p2') }
    await expect(removeInstanceBackup(server.context, other, id)).rejects.toMatchObject({ code: 'not_found' })
    await removeInstanceBackup(server.context, { ...other, role: 'admin' }, id)
    await server.whenStatus(id, 'gone')
  })
})
