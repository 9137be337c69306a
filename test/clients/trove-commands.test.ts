import { describe, expect, inject, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import type { Loose } from '../support/stack.ts'
import { CommandLine } from './programs.ts'

const { environments, token, project, url } = inject('world')
const openstack = new CommandLine('openstack', environments.operator, ['database'])
const trove = new CommandLine('trove', environments.operator, ['--json'])

const named = (rows: Loose, name: string) => rows.find((row: Loose) => row.Name === name)
const waiting = { withinMs: 55_000, everyMs: 500 }

describe('openstack database', () => {
  it('backs up, lists, shows, restores and deletes by names', async () => {
    const [instances, datastores, versions, flavors, limits] = await Promise.all([
      openstack.json('instance', 'list'),
      new CommandLine('openstack', environments.operator).json('datastore', 'list'),
      new CommandLine('openstack', environments.operator).json('datastore', 'version', 'list', 'sqlite'),
      openstack.json('flavor', 'list'),
      openstack.json('limit', 'list'),
    ])
    const billing = named(instances, 'billing')
    expect(billing).toMatchObject({ Status: 'ACTIVE', Datastore: 'sqlite' })
    expect(named(datastores, 'sqlite')).toBeTruthy()
    expect(versions).not.toEqual([])
    expect(flavors).not.toEqual([])
    expect(limits).not.toEqual([])
    expect(await openstack.json('instance', 'show', 'billing')).toMatchObject({
      id: billing.ID,
      name: 'billing',
    })

    const made = await openstack.json(
      'backup',
      'create',
      'monday',
      '-i',
      'billing',
      '--description',
      'all of it',
    )
    expect(made).toMatchObject({
      status: 'NEW',
      parent_id: null,
      description: 'all of it',
      instance_id: billing.ID,
    })
    const showMonday = () => openstack.json('backup', 'show', 'monday')
    await eventually(async () => (await showMonday()).status === 'COMPLETED', waiting)
    const tuesday = await openstack.json('backup', 'create', 'tuesday', '-i', billing.ID, '--incremental')
    expect(tuesday.parent_id).toBe(made.id)
    await eventually(
      async () => (await openstack.json('backup', 'show', tuesday.id)).status === 'COMPLETED',
      waiting,
    )
    const wednesday = await openstack.json(
      'backup',
      'create',
      'wednesday',
      '-i',
      billing.ID,
      '--parent',
      made.id,
    )
    expect(wednesday.parent_id).toBe(made.id)

    const restored = await openstack.json(
      ...['instance', 'create', 'billing-again', '--flavor', '1', '--size', '1'],
      ...['--datastore', 'sqlite', '--backup', 'tuesday'],
    )
    expect(restored).toMatchObject({ name: 'billing-again', status: 'BUILD' })
    await eventually(
      async () => (await openstack.json('instance', 'show', restored.id)).status === 'ACTIVE',
      waiting,
    )
    await eventually(
      async () => (await openstack.json('backup', 'show', wednesday.id)).status === 'COMPLETED',
      waiting,
    )

    const lists = await Promise.all([
      openstack.json('backup', 'list', '-i', 'billing'),
      openstack.json('backup', 'list', 'instance', 'billing'),
      openstack.json('backup', 'list', '--datastore', 'sqlite', '--instance-id', billing.ID),
    ])
    for (const rows of lists)
      expect(rows.map((row: Loose) => row.Name)).toEqual(['wednesday', 'tuesday', 'monday'])
    const [page] = await openstack.json('backup', 'list', '-i', billing.ID, '--limit', '1')
    expect(page).toMatchObject({ ID: wednesday.id, 'Project ID': project })

    await openstack.say('backup', 'delete', 'monday')
    await eventually(
      async () => (await openstack.json('backup', 'list', '-i', billing.ID)).length === 0,
      waiting,
    )
    const gone = await openstack.try('backup', 'show', made.id)
    expect(gone.code).toBe(1)
  })

  it('makes, lists and deletes strategies', async () => {
    const first = ['backup', 'strategy']
    const made = await openstack.json(...first, 'create', '--swift-container', 'all_backups')
    expect(made).toMatchObject({ project_id: project, swift_container: 'all_backups' })
    expect(await openstack.json(...first, 'list')).toContainEqual(
      expect.objectContaining({ 'Swift Container': 'all_backups' }),
    )
    await openstack.say(...first, 'delete')
    expect(await openstack.json(...first, 'list')).toEqual([])
  })

  it('needs no Keystone with a token of Firn', async () => {
    const { PATH = '', HOME = '' } = environments.operator
    const alone = new CommandLine('openstack', { PATH, HOME, LC_ALL: 'C.UTF-8' }, [
      ...['--os-auth-type', 'admin_token', '--os-endpoint', `${url}/v1.0/${project}`, '--os-token', token],
    ])
    expect(await alone.json('database', 'backup', 'list')).toEqual(expect.any(Array))
  })
})

describe('trove', () => {
  it('backs up, lists, shows and deletes', async () => {
    const [instances, ...others] = await Promise.all(
      ['list', 'limit-list', 'datastore-list', 'flavor-list'].map(async (it) =>
        JSON.parse(await trove.say(it)),
      ),
    )
    const { id } = instances.find((it: Loose) => it.name === 'ledger')
    for (const list of others) expect(list).not.toEqual([])
    expect(await trove.parsed('show', 'ledger')).toMatchObject({ id, status: 'ACTIVE' })

    const made = await trove.parsed('backup-create', 'ledger', 'once', '--description', 'by the old command')
    expect(made).toMatchObject({ name: 'once', instance_id: id, status: 'NEW' })
    await eventually(async () => (await trove.parsed('backup-show', 'once')).status === 'COMPLETED', waiting)
    const [all, own] = await Promise.all([
      trove.parsed('backup-list'),
      trove.parsed('backup-list-instance', 'ledger'),
    ])
    expect(all.map((it: Loose) => it.id)).toContain(made.id)
    expect(own.map((it: Loose) => it.id)).toEqual([made.id])
    await trove.say('backup-delete', 'once')
    await eventually(async () => (await trove.try('backup-show', made.id)).code !== 0, waiting)
  })
})
