import { describe, expect, inject, it } from 'vitest'
import type { Loose } from '../support/stack.ts'
import { CommandLine } from './programs.ts'
import { until, untilGone } from './waiting.ts'
import { withToken } from './world.ts'

const { environments, token, project, url } = inject('world')
const openstack = new CommandLine('openstack', environments.operator)
const trove = new CommandLine('trove', environments.operator, '--json')

/** For waiting only. */
const looking = () => withToken('trove', `/v1.0/${project}`)
const completed = { status: 'COMPLETED' }

const named = (rows: Loose, name: string) => rows.find((row: Loose) => row.Name === name)

describe('openstack database', () => {
  it('lists what there is', async () => {
    const billing = named(await openstack.json('database instance list'), 'billing')
    expect(billing).toMatchObject({ Status: 'ACTIVE', Datastore: 'sqlite' })
    const shown = await openstack.json('database instance show billing')
    expect(shown).toMatchObject({ id: billing.ID, name: 'billing', datastore: 'sqlite' })
    expect(named(await openstack.json('datastore list'), 'sqlite')).toBeTruthy()
    expect(await openstack.json('datastore version list sqlite')).toMatchObject([
      { Name: shown.datastore_version },
    ])
    expect(await openstack.json('database flavor list')).toHaveLength(1)
    // Prints the absolute limits as a table, whatever the format.
    expect(await openstack.say('database limit list')).toContain('max_backups')
  })

  it('backs up, lists, shows, restores and deletes by names and ids', async () => {
    await using looks = looking()
    const { id: billing } = await openstack.json('database instance show billing')
    const monday = await openstack.json("database backup create monday -i billing --description 'all of it'")
    expect(monday).toMatchObject({ parent_id: null, description: 'all of it', instance_id: billing })
    await until(looks, 'backups.get', monday.id, completed)
    const tuesday = await openstack.json(`database backup create tuesday -i ${billing} --incremental`)
    expect(tuesday).toMatchObject({ parent_id: monday.id, status: 'NEW' })
    await until(looks, 'backups.get', tuesday.id, completed)
    const wednesday = await openstack.json(
      `database backup create wednesday -i ${billing} --parent ${monday.id}`,
    )
    expect(wednesday).toMatchObject({ parent_id: monday.id })
    await until(looks, 'backups.get', wednesday.id, completed)
    expect(await openstack.json('database backup show tuesday')).toMatchObject({
      ...{ id: tuesday.id, ...completed, datastore: 'sqlite' },
    })

    for (const words of [
      'database backup list -i billing',
      'database backup list instance billing',
      `database backup list --datastore sqlite --instance-id ${billing}`,
    ])
      expect((await openstack.json(words)).map((row: Loose) => row.Name)).toEqual([
        ...['wednesday', 'tuesday', 'monday'],
      ])
    expect(await openstack.json(`database backup list -i ${billing} --limit 1`)).toMatchObject([
      { ID: wednesday.id, 'Project ID': project },
    ])

    const restored = await openstack.json(
      'database instance create billing-again --flavor 1 --size 1 --datastore sqlite --backup tuesday',
    )
    expect(restored).toMatchObject({ name: 'billing-again' })
    await until(looks, 'instances.get', restored.id, { status: 'ACTIVE' })

    await openstack.say('database backup delete monday')
    for (const { id } of [monday, tuesday, wednesday]) await untilGone(looks, 'backups.get', id)
    expect(await openstack.json(`database backup list -i ${billing}`)).toEqual([])
    const gone = await openstack.try(`database backup show ${monday.id}`)
    expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining(monday.id)])
  })

  it('makes, lists and deletes strategies', async () => {
    expect(
      await openstack.json('database backup strategy create --swift-container all_backups'),
    ).toMatchObject({ project_id: project, swift_container: 'all_backups' })
    expect(await openstack.json('database backup strategy list')).toContainEqual(
      expect.objectContaining({ 'Swift Container': 'all_backups' }),
    )
    await openstack.say('database backup strategy delete')
    expect(named(await openstack.json('database backup strategy list'), 'all_backups')).toBeUndefined()
  })

  it('needs no Keystone with a token of Firn', async () => {
    const { PATH = '', HOME = '' } = environments.operator
    const alone = new CommandLine(
      'openstack',
      { PATH, HOME, LC_ALL: 'C.UTF-8' },
      `--os-auth-type admin_token --os-endpoint ${url}/v1.0/${project} --os-token ${token}`,
    )
    expect(await alone.json('database backup list')).toEqual(expect.any(Array))
  })
})

describe('trove', () => {
  it('lists what there is', async () => {
    for (const words of ['list', 'datastore-list', 'flavor-list'])
      expect(await trove.parsed(words)).not.toEqual([])
    expect(await trove.say('limit-list')).toContain('max_backups')
  })

  it('backs up, lists, shows and deletes by names and ids', async () => {
    await using looks = looking()
    const { id: ledger } = await trove.parsed('show ledger')
    const full = await trove.parsed("backup-create ledger once --description 'by the old command'")
    expect(full).toMatchObject({ name: 'once', instance_id: ledger, parent_id: null })
    await until(looks, 'backups.get', full.id, completed)
    const next = await trove.parsed(`backup-create ${ledger} again --parent ${full.id}`)
    await until(looks, 'backups.get', next.id, completed)
    expect(await trove.parsed('backup-show once')).toMatchObject({ id: full.id, ...completed })
    expect((await trove.parsed('backup-list')).map((it: Loose) => it.id)).toContain(full.id)
    const own = await trove.parsed('backup-list-instance ledger')
    expect(own.map((it: Loose) => it.id)).toEqual([next.id, full.id])
    await trove.say(`backup-delete ${full.id}`)
    for (const { id } of [full, next]) await untilGone(looks, 'backups.get', id)
    const gone = await trove.try('backup-show again')
    expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining('again')])
  })
})
