import { afterEach, describe, expect, it } from 'vitest'
import { memoryStore } from '../../controller/memory/backend.ts'
import { put, ref } from '../../controller/state/documents.ts'
import { cancelRun } from '../../controller/use-cases/cancel-run.ts'
import { registerInstanceBackup } from '../../controller/use-cases/instance-backups.ts'
import { existingInstanceBackup } from '../../controller/use-cases/instance-records.ts'
import { removeStrategy, setStrategy, strategiesOf } from '../../controller/use-cases/strategies.ts'
import { projectId } from '../../core/ids.ts'
import { project } from '../support/builders.ts'
import { eventually } from '../support/eventually.ts'
import { anInstanceBackup, backupNumber } from '../support/instance-builders.ts'
import { caller, memberOf, orders, TestServer, withAgent } from '../support/instance-rig.ts'

const open: AsyncDisposable[] = []
afterEach(async () => {
  while (open.length > 0) await open.pop()![Symbol.asyncDispose]()
})

async function world(quota?: number) {
  const store = memoryStore()
  const join = () => {
    const server = new TestServer(memberOf(store), quota)
    open.push(server)
    return server
  }
  const server = join()
  const agent = await withAgent(server)
  await server.whenInstance('active')
  return { store, server, agent, join }
}

const entryOf = (server: TestServer, id: string) => server.state.get('backup', project, id)?.value

describe('a backup of an instance', () => {
  it('is made by a run of its own, and completed when the catalogue has what was saved', async () => {
    const { server, agent } = await world()
    agent.busy = true
    const made = await server.start({ description: 'before the migration' })
    expect(made).toMatchObject({ instance: orders, state: { is: 'open' }, container: 'database_backups' })
    expect(made).not.toHaveProperty('parent')
    expect(server.instance()?.busy).toBe(made.id)
    await server.whenStatus(made.id, 'BUILDING')
    expect(agent.orders[0]?.tasks[0]?.action).toMatchObject({
      ...{ do: 'backup', engine: 'sqlite', instance: 'orders', backupName: 'nightly' },
    })
    expect(agent.orders[0]?.repositories).toMatchObject([
      { engine: 'restic', location: '/repo/node1/databases/database_backups' },
    ])

    await agent.finish('success')
    await server.whenStatus(made.id, 'COMPLETED')
    const done = server.backup(made.id)!
    expect(done).toMatchObject({ bytes: 3_000_000, description: 'before the migration' })
    const [container, file] = done.location!.split('/').slice(-2)
    expect(container).toBe('database_backups')
    expect(file?.startsWith(made.id)).toBe(true)
    expect(entryOf(server, done.backup!)).toMatchObject({ engine: 'sqlite', result: 'success', level: 0 })
    expect(server.instance()).not.toHaveProperty('busy')
    expect(server.failures).toEqual([])
  })

  it('is NEW until its node works on it', async () => {
    const { server, agent } = await world()
    agent.disconnect()
    const made = await server.start()
    expect(server.status(made.id)).toBe('NEW')
  })

  it('fails with its run, and the instance says why and is free', async () => {
    const { server, agent } = await world()
    agent.result = 'failed'
    const made = await server.start()
    await server.whenStatus(made.id, 'FAILED')
    expect(server.backup(made.id)).not.toHaveProperty('location')
    expect(server.instance()).toMatchObject({ fault: { details: 'trouble' } })
    expect(server.instance()).not.toHaveProperty('busy')
    agent.result = 'success'
    await server.complete()
    expect(server.instance()).not.toHaveProperty('fault')
  })

  it('fails when it is partial, and what was saved stays in the catalogue', async () => {
    const { server, agent } = await world()
    agent.result = 'partial'
    const made = await server.start()
    await server.whenStatus(made.id, 'FAILED')
    expect(entryOf(server, server.backup(made.id)!.backup!)?.result).toBe('partial')
  })

  it('fails when its run is cancelled', async () => {
    const { server, agent } = await world()
    agent.disconnect()
    await eventually(() => server.lines.size === 0)
    const made = await server.start()
    await cancelRun(server.context, caller, made.run!, 'by hand')
    await server.whenStatus(made.id, 'FAILED')
  })

  it('that nobody runs is found by whoever leads next, and failed', async () => {
    const { server, join } = await world()
    const orphan = anInstanceBackup({ id: backupNumber(9) })
    const instance = server.state.get('instance', project, orders)!.value
    await server[Symbol.asyncDispose]()
    open.splice(0)
    const next = join()
    await eventually(() => next.state.loaded)
    await next.state.commit({
      requires: [],
      puts: [
        put('instance_backup', project, orphan.id, orphan),
        put('instance', project, orders, { ...instance, busy: orphan.id }),
      ],
    })
    await next.whenStatus(orphan.id, 'FAILED')
    expect(next.instance()).not.toHaveProperty('busy')
  })

  it('that is gone does not keep its instance busy', async () => {
    const { server } = await world()
    const instance = server.instance()!
    await server.state.commit({
      requires: [],
      puts: [put('instance', project, orders, { ...instance, busy: backupNumber(9) })],
    })
    await eventually(() => server.instance()?.busy === undefined)
  })

  it('is refused while another one runs, and of an instance that is not ready or not there', async () => {
    const { server, agent } = await world()
    agent.busy = true
    await server.start()
    await expect(server.start()).rejects.toMatchObject({ code: 'busy' })
    await agent.finish('success')
    await eventually(() => server.instance()?.busy === undefined)
    agent.instances = []
    agent.announce()
    await server.whenInstance('down')
    await expect(server.start()).rejects.toMatchObject({ code: 'busy' })
    await expect(server.start({ instance: 'x' as never })).rejects.toMatchObject({ code: 'not_found' })
  })

  it('is refused of a kind that its node has no engine for', async () => {
    const { server, agent } = await world()
    agent.instances = [{ ...agent.instances[0]!, datastore: { type: 'oracle', version: '9' } }]
    agent.announce()
    await eventually(() => server.instance()?.datastore.type === 'oracle')
    await expect(server.start()).rejects.toMatchObject({ code: 'unsupported' })
  })

  it('is its project’s alone; an administrator sees it from every one', async () => {
    const { server } = await world()
    const { id } = await server.start()
    const other = { ...caller, project: projectId('p2') }
    expect(() => existingInstanceBackup(server.context, other, id)).toThrow(
      expect.objectContaining({ code: 'not_found' }),
    )
    const admin = { ...other, role: 'admin' as const }
    expect(existingInstanceBackup(server.context, admin, id).value.id).toBe(id)
  })
})

describe('an incremental backup', () => {
  it('builds on the newest complete one, and is a full one when there is none', async () => {
    const { server, agent } = await world()
    const first = await server.complete({ incremental: true })
    expect(first).not.toHaveProperty('parent')
    agent.result = 'failed'
    const failed = await server.start()
    await server.whenStatus(failed.id, 'FAILED')
    agent.result = 'success'
    const second = await server.complete({ incremental: true })
    expect(second.parent).toBe(first.id)
    expect(agent.orders.at(-1)?.tasks[0]).toMatchObject({ level: 1, parent: { backup: first.backup } })
    expect(await server.complete({ incremental: true })).toMatchObject({ parent: second.id })
  })

  it('builds on the one that it names, also from another container', async () => {
    const { server, agent } = await world()
    const first = await server.complete()
    await server.complete()
    const third = await server.complete({ parent: first.id, container: 'elsewhere' })
    expect(third.parent).toBe(first.id)
    // It is another repository: there is nothing there to build on.
    expect(agent.orders.at(-1)?.tasks[0]).not.toHaveProperty('parent')
  })

  it('is refused on one that is not complete, of another instance, or unknown', async () => {
    const { server, agent } = await world()
    agent.result = 'failed'
    const failed = await server.start()
    await server.whenStatus(failed.id, 'FAILED')
    const field = { code: 'bad_request', detail: { field: 'parent_id' } }
    await expect(server.start({ parent: failed.id })).rejects.toMatchObject(field)
    const foreign = anInstanceBackup({ id: backupNumber(9), instance: 'x' as never })
    await server.state.commit({ requires: [], puts: [put('instance_backup', project, foreign.id, foreign)] })
    await expect(server.start({ parent: foreign.id })).rejects.toMatchObject(field)
    await expect(server.start({ parent: backupNumber(8) })).rejects.toMatchObject({ code: 'not_found' })
    expect(server.instance()).not.toHaveProperty('busy')
  })
})

describe('the container of a backup', () => {
  it('is the asked one, else the instance’s, else the project’s, else the default', async () => {
    const { server } = await world()
    const { context } = server
    await setStrategy(context, caller, { container: 'ours' })
    expect(await server.complete()).toMatchObject({ container: 'ours' })
    await setStrategy(context, caller, { instance: orders, container: 'its' })
    await setStrategy(context, caller, { instance: orders, container: 'its own' })
    expect(await server.complete()).toMatchObject({ container: 'its own' })
    expect(await server.complete({ container: 'asked' })).toMatchObject({ container: 'asked' })
    expect(strategiesOf(context, project)).toHaveLength(2)
    expect(strategiesOf(context, project, orders)).toMatchObject([{ container: 'its own' }])
    await removeStrategy(context, caller, { instance: orders })
    await removeStrategy(context, caller)
    await removeStrategy(context, caller)
    expect(await server.complete()).toMatchObject({ container: 'database_backups' })
  })

  it('is a repository of its own, whatever its name', async () => {
    const { server, agent } = await world()
    const names = ['a', 'A', 'a/b', 'a%2Fb', '..', '.', 'x'.repeat(255), `${'x'.repeat(254)}y`, 'ж', '\ud800']
    for (const container of names) await server.complete({ container })
    const places = agent.orders.map(({ repositories }) => repositories[0]!.location)
    expect(new Set(places).size).toBe(names.length)
    for (const place of places) expect(place).toMatch(/^\/repo\/node1\/databases\/[^/]{1,255}$/)
    expect(places.some((place) => /\/\.\.?$/.test(place))).toBe(false)
  })
})

describe('the quota of a project', () => {
  it('counts every backup, in whatever state, but not what is being deleted', async () => {
    const { server, agent } = await world(2)
    agent.result = 'failed'
    const failed = await server.start()
    await server.whenStatus(failed.id, 'FAILED')
    agent.result = 'success'
    const { location } = await server.complete()
    await expect(server.start()).rejects.toMatchObject({ code: 'too_much' })
    const wish = { name: 'again', location: location!, bytes: 3_000_000 }
    await expect(registerInstanceBackup(server.context, caller, wish)).rejects.toMatchObject({
      code: 'too_much',
    })
    await server.state.commit({
      requires: [],
      puts: [put('instance_backup', project, failed.id, { ...failed, deleting: 'x' as never })],
    })
    await server.start()
  })
})

describe('a registered backup', () => {
  it('points at the data of a complete one, and has no instance', async () => {
    const { server } = await world()
    const source = await server.complete()
    const wish = { name: 'copy', description: 'ours', location: source.location!, bytes: 4_000_000 }
    const { value } = await registerInstanceBackup(server.context, caller, wish)
    expect(value).toMatchObject({ bytes: 4_000_000, location: source.location, backup: source.backup })
    expect(value).not.toHaveProperty('instance')
    expect(server.status(value.id)).toBe('RESTORED')
  })

  it('is refused for a place that holds no complete backup of the project', async () => {
    const { server } = await world()
    const source = await server.complete()
    const wish = { name: 'copy', location: source.location!, bytes: 1 }
    const field = { code: 'bad_request', detail: { field: 'remote_location' } }
    const nowhere = { ...wish, location: 'http://10.0.0.9/x' }
    await expect(registerInstanceBackup(server.context, caller, nowhere)).rejects.toMatchObject(field)
    const other = { ...caller, project: projectId('p2') }
    await expect(registerInstanceBackup(server.context, other, wish)).rejects.toMatchObject(field)
    await server.state.commit({
      requires: [],
      puts: [],
      deletes: [ref('instance_backup', project, source.id)],
    })
    await expect(registerInstanceBackup(server.context, caller, wish)).rejects.toMatchObject(field)
  })
})
