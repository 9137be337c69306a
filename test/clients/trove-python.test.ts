import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, inject, it } from 'vitest'
import type { Loose } from '../support/stack.ts'
import { tempDir } from '../support/temp.ts'
import { startStack } from '../../scripts/up/stack.ts'
import { environmentOf, PythonClient } from './programs.ts'
import { until, untilGone } from './waiting.ts'
import { nodeOf, rowsOf, withSession, withToken, writeRows } from './world.ts'

const { data, project } = inject('world')
const uuid = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/)
const database = path.join(data, 'node-1', 'orders.db')
const notFound = { status: 404 }

const ordersOf = async (trove: PythonClient) =>
  (await trove.call('instances.find', [], { name: 'orders' })).id

async function backUp(trove: PythonClient, name: string, more: object = {}): Promise<Loose> {
  const made = await trove.call('backups.create', [name, await ordersOf(trove)], more)
  return until(trove, 'backups.get', made.id, { status: 'COMPLETED' })
}

describe('troveclient, of a project that may have one backup', () => {
  it('is told that there are too many, and how many there may be', async () => {
    await using dir = await tempDir('quota')
    await using stack = await startStack({
      dataDir: dir.join('firn'),
      serverConfig: { limits: { backups_per_project: 1 } },
      agents: [await nodeOf('node-1', dir.join('node-1'))],
    })
    const where = `${stack.url}/v1.0/${stack.project}`
    await using trove = new PythonClient(
      { client: 'trove', token: stack.token, endpoint: where },
      environmentOf(dir.path, {}),
    )
    expect(await trove.call('limits.list')).toMatchObject([{ verb: 'ABSOLUTE', max_backups: 1 }])
    const one = await backUp(trove, 'one')
    const orders = await ordersOf(trove)
    await expect(trove.call('backups.create', ['two', orders])).rejects.toMatchObject({ status: 413 })
    await trove.call('backups.delete', [one.id])
    await trove.call('backups.create', ['two', orders])
  })
})

describe('troveclient', () => {
  it('finds the databases that agents look after', async () => {
    await using trove = withSession('trove')
    const { items } = await trove.call('instances.list')
    const orders = items.find((it: Loose) => it.name === 'orders')
    expect(orders).toMatchObject({
      id: expect.any(String),
      datastore: { type: 'sqlite' },
      flavor: { id: '1' },
    })
    expect(await trove.call('instances.get', [orders.id])).toMatchObject({
      name: 'orders',
      volume: { size: 1 },
    })
    const version = await trove.call('datastores.get', ['sqlite'])
    expect((await trove.call('datastores.list')).items).toContainEqual(version)
    expect((await trove.call('datastore_versions.list', ['sqlite'])).items).toMatchObject([
      { name: orders.datastore.version, datastore: version.id },
    ])
    expect(await trove.call('flavors.list')).toMatchObject([{ str_id: '1' }])
    expect(await trove.call('flavors.get', ['1'])).toMatchObject({ str_id: '1' })
    expect(await trove.call('limits.list')).toContainEqual(
      expect.objectContaining({ verb: 'ABSOLUTE', max_backups: expect.any(Number) }),
    )
    await expect(trove.call('instances.get', ['8d2bb37b-0c4b-4a3d-9dd5-3ba8c9c2b2b1'])).rejects.toMatchObject(
      notFound,
    )
  })

  it('makes a full backup and two that build on it, and restores the last', async () => {
    await using trove = withSession('trove')
    const orders = await ordersOf(trove)
    const more = { description: 'before the migration' }
    const made = await trove.call('backups.create', ['full', orders], more)
    expect(made).toEqual({
      ...{ id: uuid, name: 'full', ...more, instance_id: orders, parent_id: null, status: 'NEW' },
      ...{ size: null, locationRef: null, created: time, updated: time, project_id: project },
      datastore: { type: 'sqlite', version: expect.any(String), version_id: expect.any(String) },
    })
    await expect(trove.call('backups.create', ['too-soon', orders])).rejects.toMatchObject({ status: 422 })
    const full = await until(trove, 'backups.get', made.id, { status: 'COMPLETED' })
    expect(full).toMatchObject({ size: expect.any(Number), locationRef: expect.stringContaining(made.id) })

    writeRows(database, ['third'])
    const second = await backUp(trove, 'second', { incremental: true })
    expect(second.parent_id).toBe(full.id)
    writeRows(database, ['fourth'])
    const third = await backUp(trove, 'third', { parent_id: second.id })
    expect(third.parent_id).toBe(second.id)
    const asSaved = rowsOf(database)
    writeRows(database, ['too late'])

    const restored = await trove.call('instances.create', ['orders-again'], {
      ...{ flavor_id: '1', volume: { size: 1 }, restorePoint: { backupRef: third.id } },
      ...{ datastore: 'sqlite', datastore_version: third.datastore.version },
    })
    expect(restored).toMatchObject({ name: 'orders-again', status: 'BUILD' })
    await until(trove, 'instances.get', restored.id, { status: 'ACTIVE' })
    const root = path.join(data, 'node-1', 'restored')
    const files = (await readdir(root, { recursive: true })).filter((name) => name.includes('orders-again'))
    const copies = files.filter((name) => !/-(wal|shm)$/.test(name)).map((name) => path.join(root, name))
    expect(copies.map(rowsIfDatabase).filter(Boolean)).toEqual([asSaved])

    const before = (await trove.call('backups.list', [], { instance_id: orders })).items
    expect(before.map((it: Loose) => it.name)).toEqual(['third', 'second', 'full'])
    expect((await trove.call('instances.backups', [orders])).items).toEqual(before)
    const first = await trove.call('backups.list', [], { instance_id: orders, limit: 2 })
    const rest = await trove.call('backups.list', [], { instance_id: orders, limit: 2, marker: first.next })
    expect([...first.items, ...rest.items]).toEqual(before)
    expect(rest.next).toBeNull()
    expect((await trove.call('backups.list', [], { datastore: 'sqlite' })).items).toContainEqual(before[0])
    expect(await trove.call('backups.find', [], { name: 'second' })).toEqual(second)

    const registered = await trove.call('backups.create', ['known by where it lies', null], {
      ...{ restore_from: third.locationRef, restore_size: third.size },
      restore_ds_version: third.datastore.version_id,
    })
    expect(registered).toMatchObject({
      status: 'RESTORED',
      instance_id: null,
      locationRef: third.locationRef,
    })
    await trove.call('backups.delete', [registered.id])
    await untilGone(trove, 'backups.get', registered.id)
    expect(await trove.call('backups.get', [third.id])).toEqual(third)

    // With a parent go those that build on it.
    await trove.call('backups.delete', [second.id])
    for (const { id } of [second, third]) await untilGone(trove, 'backups.get', id)
    expect((await trove.call('backups.list', [], { instance_id: orders })).items).toEqual([full])
    await trove.call('backups.delete', [full.id])
    await untilGone(trove, 'backups.get', full.id)
  })

  it('is told what is wrong', async () => {
    await using trove = withSession('trove')
    const orders = await ordersOf(trove)
    const nobody = '8d2bb37b-0c4b-4a3d-9dd5-3ba8c9c2b2b1'
    const refused = (how: object, name: string, args: unknown[], named: object = {}) =>
      expect(trove.call(name, args, named)).rejects.toMatchObject(how)
    const badName = { status: 400, message: expect.stringContaining('name') }
    await refused(badName, 'backups.create', ['', orders])
    await refused(notFound, 'backups.create', ['x', nobody])
    await refused(notFound, 'backups.create', ['x', orders], { parent_id: nobody })
    await refused(notFound, 'backups.delete', [nobody])
    await refused(notFound, 'backups.list', [], { datastore: 'nothing' })
    await refused({ status: 400 }, 'backups.list', [], { limit: -1 })
    await refused({ status: 403 }, 'backups.list', [], { all_projects: true })
    await refused(notFound, 'instances.create', ['again'], { restorePoint: { backupRef: nobody } })
    await using viewer = withSession('trove', {}, 'viewer')
    await expect(viewer.call('backups.create', ['x', orders])).rejects.toMatchObject({ status: 403 })
    await using admin = withSession('trove', {}, 'admin')
    expect((await admin.call('backups.list', [], { all_projects: true })).items).toEqual(expect.any(Array))
  })

  it('says where backups go', async () => {
    await using trove = withToken('trove', `/v1.0/${project}`)
    const orders = await ordersOf(trove)
    const ours = { project_id: project, swift_container: 'orders_backups' }
    expect(
      await trove.call('backup_strategies.create', [], {
        instance_id: orders,
        swift_container: 'orders_backups',
      }),
    ).toMatchObject({ ...ours, instance_id: orders })
    expect(await trove.call('backup_strategies.list', [], { instance_id: orders })).toMatchObject([ours])
    await trove.call('backup_strategies.delete', [], { instance_id: orders })
    expect(await trove.call('backup_strategies.list', [], { instance_id: orders })).toEqual([])
  })
})

function rowsIfDatabase(file: string): string[] | undefined {
  try {
    return rowsOf(file)
  } catch {
    return undefined
  }
}
