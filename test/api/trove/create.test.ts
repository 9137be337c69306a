// Making backups, which one they build on, and records of data made elsewhere.
import { describe, expect, it } from 'vitest'
import type { InstanceBackup } from '../../../core/instance.ts'
import { uuidOfName } from '../../../core/ids.ts'
import type { Answer, Loose } from '../harness.ts'
import { newBackupId, otherProject, startTrove, type Trove } from './rig.ts'

const message = ({ json }: Answer): string => (Object.values(json)[0] as Loose).message

async function refused(trove: Trove, backup: unknown, status: number, field: string): Promise<void> {
  const before = trove.stored()
  const answer = await trove.ask('POST', '/backups', { backup })
  expect([answer.status, answer.text]).toEqual([status, expect.stringContaining(field)])
  expect(trove.stored()).toEqual(before)
}

describe('a new backup', () => {
  it('is 202 and NEW at once, with what was asked for', async () => {
    const trove = await startTrove()
    const { status, json } = await trove.post({
      ...{ instance: trove.instance.id, name: 'orders-full', description: 'before the migration' },
      incremental: 0,
    })
    expect(status).toBe(202)
    expect(json.backup).toMatchObject({
      ...{ name: 'orders-full', description: 'before the migration', status: 'NEW', parent_id: null },
      ...{ instance_id: trove.instance.id, size: null, locationRef: null, project_id: 'p1' },
      datastore: { type: 'sqlite', version: '3.50' },
    })
    expect(json.backup.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(json.backup.created).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/)
  })

  it('shows on its instance as BACKUP, until which nothing else is done with that', async () => {
    const trove = await startTrove()
    await trove.post({ instance: trove.instance.id, name: 'one' })
    const { json } = await trove.ask('GET', `/instances/${trove.instance.id}`)
    expect(json.instance.status).toBe('BACKUP')
    const second = await trove.post({ instance: trove.instance.id, name: 'two' })
    expect([second.status, second.json.unprocessableEntity.code]).toEqual([422, 422])
    expect(message(second)).toContain(trove.stored()[0]!.id)
  })

  it('is one of two that are asked for at once: the other is 422', async () => {
    for (let round = 0; round < 20; round++) {
      const trove = await startTrove()
      const asked = Array.from({ length: 4 }, (_, at) =>
        trove.post({ instance: trove.instance.id, name: `b${at}` }),
      )
      const statuses = (await Promise.all(asked)).map(({ status }) => status)
      expect(statuses.toSorted((a, b) => a - b)).toEqual([202, 422, 422, 422])
      expect(trove.stored()).toHaveLength(1)
    }
  })

  it('ignores fields that it does not know, and the storage driver', async () => {
    const trove = await startTrove()
    const { status } = await trove.post({
      ...{ instance: trove.instance.id, name: 'one', colour: 'red', storage_driver: 'cinder' },
    })
    expect(status).toBe(202)
  })

  it('takes ids in either case, and shows them in lower case', async () => {
    const trove = await startTrove()
    const parent = await trove.backupIs()
    const { status, json } = await trove.post({
      ...{ instance: trove.instance.id.toUpperCase(), name: 'one', parent_id: parent.id.toUpperCase() },
    })
    expect([status, json.backup.instance_id, json.backup.parent_id]).toEqual([
      202,
      trove.instance.id,
      parent.id,
    ])
  })

  it('goes into the container that is asked for, else that of the instance, else of the account, else a default', async () => {
    const containerOf = async (prepare: (trove: Trove) => Promise<unknown>, over: object = {}) => {
      const trove = await startTrove()
      await prepare(trove)
      await trove.post({ instance: trove.instance.id, name: 'one', ...over })
      return trove.stored()[0]!.container
    }
    const strategy = (trove: Trove, backup_strategy: object) =>
      trove.ask('POST', '/backup_strategies', { backup_strategy })
    const ofAccount = (trove: Trove) => strategy(trove, { swift_container: 'account' })
    const ofBoth = async (trove: Trove) => {
      await ofAccount(trove)
      await strategy(trove, { swift_container: 'instance', instance_id: trove.instance.id })
    }
    expect(await containerOf(async () => {})).toBe('database_backups')
    expect(await containerOf(ofAccount)).toBe('account')
    expect(await containerOf(ofBoth)).toBe('instance')
    expect(await containerOf(ofBoth, { swift_container: 'asked' })).toBe('asked')
  })
})

describe('what a new backup is asked for with', () => {
  const long = 'x'.repeat(256)
  const names: [unknown, string][] = [
    ...[undefined, null, 1, true, [], {}].map((value): [unknown, string] => [
      value,
      'of another type, or missing',
    ]),
    ['', 'empty'],
    [long, 'too long'],
    ['---', 'without a letter or digit'],
    ['бэкап', 'without an ASCII letter or digit'],
    ['two\nlines', 'of two lines'],
  ]
  it.each(names)('has no name %j (%s)', async (name) => {
    const trove = await startTrove()
    await refused(trove, { instance: trove.instance.id, name }, 400, "backup['name']")
  })

  it.each(['a', '1', 'x'.repeat(255), `b${'😀'.repeat(254)}`, 'бэкап 1', '  a  '])(
    'may have the name %j',
    async (name) => {
      const trove = await startTrove()
      const { status, json } = await trove.post({ instance: trove.instance.id, name })
      expect([status, json.backup?.name]).toEqual([202, name])
    },
  )

  it.each([null, '', 1, long, '---', 'a\nb'])('has no description %j', async (description) => {
    const trove = await startTrove()
    await refused(
      trove,
      { instance: trove.instance.id, name: 'a', description },
      400,
      "backup['description']",
    )
  })

  it.each([
    null,
    '',
    1,
    {},
    'orders',
    'http://h/v1.0/p1/instances/',
    `${newBackupId()}x`,
    newBackupId().replaceAll('-', ''),
  ])('has no instance %j', async (instance) => {
    const trove = await startTrove()
    await refused(trove, { name: 'a', instance }, 400, "backup['instance']")
    await refused(
      trove,
      { name: 'a', instance: `http://h/v1.0/p1/instances/${trove.instance.id}` },
      400,
      "backup['instance']",
    )
  })

  it.each([null, '', 1, 'orders-full', {}])('has no parent_id %j', async (parent_id) => {
    const trove = await startTrove()
    await refused(trove, { name: 'a', instance: trove.instance.id, parent_id }, 400, "backup['parent_id']")
  })

  it.each([true, false, '1', '0', 2, -1, 0.5, null, []])(
    'has incremental 0 or 1, not %j',
    async (incremental) => {
      const trove = await startTrove()
      await refused(
        trove,
        { name: 'a', instance: trove.instance.id, incremental },
        400,
        "backup['incremental']",
      )
    },
  )

  it.each([null, '', 1, long, 'a b', 'a;b', '$(a)', 'a/b', '../a', '..', '.', 'ä', 'a\n'])(
    'has no container %j',
    async (container) => {
      const trove = await startTrove()
      const wish = { name: 'a', instance: trove.instance.id, swift_container: container }
      await refused(trove, wish, 400, "backup['swift_container']")
    },
  )

  it.each([null, 1, 'text', []])('is an object, not %j', async (backup) => {
    const trove = await startTrove()
    await refused(trove, backup, 400, 'backup')
  })

  it('names an instance, or where data is', async () => {
    const trove = await startTrove()
    await refused(trove, { name: 'a' }, 400, "backup['instance']")
  })
})

describe('what a new backup builds on', () => {
  const parentOf = async (trove: Trove, over: object) => {
    const { status, json } = await trove.post({ instance: trove.instance.id, name: 'next', ...over })
    expect(status).toBe(202)
    return json.backup.parent_id
  }

  it('is the given parent, whatever "incremental" says', async () => {
    for (const incremental of [undefined, 0, 1]) {
      const trove = await startTrove()
      const parent = await trove.backupIs()
      await trove.backupIs({ name: 'newer' })
      expect(await parentOf(trove, { parent_id: parent.id, incremental })).toBe(parent.id)
    }
  })

  it('is the newest completed one of the instance with incremental 1, full or not', async () => {
    const trove = await startTrove()
    const reason = { code: 'x', text: 'x' }
    const other = await trove.instanceIs({ key: 'other' })
    const full = await trove.backupIs()
    const newest = await trove.backupIs({ parent: full.id })
    await trove.backupIs({ state: { is: 'failed', reason } })
    await trove.backupIs({ deleteFailed: reason })
    await trove.backupIs({ state: { is: 'restored' } })
    await trove.backupIs({ instance: other.id })
    expect(await parentOf(trove, { incremental: 1 })).toBe(newest.id)
  })

  it('is none of another kind with incremental 1, after a node has used its name for another database', async () => {
    const trove = await startTrove()
    const { id } = await trove.backupIs()
    await trove.backupIs({ datastore: { type: 'mariadb', version: '11.4' } })
    expect(await parentOf(trove, { incremental: 1 })).toBe(id)
  })

  it('is nothing with incremental 1 where there is none yet', async () => {
    expect(await parentOf(await startTrove(), { incremental: 1 })).toBeNull()
  })

  it.each([undefined, 0])('is nothing with incremental %j', async (incremental) => {
    const trove = await startTrove()
    await trove.backupIs()
    expect(await parentOf(trove, { incremental })).toBeNull()
  })

  it('is not there: 404', async () => {
    const trove = await startTrove()
    const ofOthers = await trove.backupIs({ project: otherProject })
    for (const parent_id of [newBackupId(), ofOthers.id])
      await refused(trove, { name: 'a', instance: trove.instance.id, parent_id }, 404, parent_id)
  })

  const reason = { code: 'x', text: 'x' }
  const unusable: [string, Partial<InstanceBackup>][] = [
    ['that failed', { state: { is: 'failed', reason } }],
    ['whose removal failed', { deleteFailed: reason }],
    ['that is registered only', { state: { is: 'restored' } }],
  ]
  it.each(unusable)('is none %s: 400 that says so', async (_, over) => {
    const trove = await startTrove()
    const { id } = await trove.backupIs(over)
    await refused(
      trove,
      { name: 'a', instance: trove.instance.id, parent_id: id },
      400,
      "backup['parent_id']: backup ",
    )
  })

  it('is none of another instance: 400 that says so', async () => {
    const trove = await startTrove()
    const other = await trove.instanceIs({ key: 'other' })
    const { id } = await trove.backupIs({ instance: other.id })
    await refused(
      trove,
      { name: 'a', instance: trove.instance.id, parent_id: id },
      400,
      "backup['parent_id']: backup ",
    )
  })

  it('is none of another kind of database: 400 that says so', async () => {
    const trove = await startTrove()
    const { id } = await trove.backupIs({ datastore: { type: 'mariadb', version: '11.4' } })
    await refused(
      trove,
      { name: 'a', instance: trove.instance.id, parent_id: id },
      400,
      "backup['parent_id']: backup ",
    )
  })
})

describe('a record of data made elsewhere', () => {
  const version = uuidOfName('datastore', 'sqlite', '3.50')
  const from = (source: InstanceBackup, over: object = {}) => ({
    remote_location: source.location,
    local_datastore_version_id: version,
    size: 0.3,
    ...over,
  })

  it('is RESTORED at once, without an instance', async () => {
    const trove = await startTrove()
    const source = await trove.backupIs()
    const { status, json } = await trove.post({ name: 'from-region-b', restore_from: from(source) })
    expect(status).toBe(202)
    expect(json.backup).toMatchObject({
      ...{ status: 'RESTORED', instance_id: null, parent_id: null, size: 0.3, locationRef: source.location },
      datastore: { type: 'sqlite', version_id: version },
    })
  })

  it('counts no instance, even when one is named', async () => {
    const trove = await startTrove()
    const source = await trove.backupIs()
    const { json } = await trove.post({ name: 'b', instance: newBackupId(), restore_from: from(source) })
    expect(json.backup).toMatchObject({ status: 'RESTORED', instance_id: null })
  })

  it.each(['remote_location', 'local_datastore_version_id', 'size'])('needs %s', async (field) => {
    const trove = await startTrove()
    const source = await trove.backupIs()
    await refused(
      trove,
      { name: 'b', restore_from: from(source, { [field]: undefined }) },
      400,
      `['${field}']`,
    )
    await refused(trove, { name: 'b', restore_from: from(source, { [field]: null }) }, 400, `['${field}']`)
  })

  it('has a size that is a number, not below zero', async () => {
    const trove = await startTrove()
    const source = await trove.backupIs()
    for (const size of ['0.3', -1, 1e300])
      await refused(trove, { name: 'b', restore_from: from(source, { size }) }, 400, 'size')
  })

  it('is refused where nothing is known of the place: 400, or of the version: 404', async () => {
    const trove = await startTrove()
    const source = await trove.backupIs()
    const nowhere = from(source, { remote_location: 'http://10.0.0.9/x' })
    await refused(
      trove,
      { name: 'b', restore_from: nowhere },
      400,
      "backup['restore_from']['remote_location']: no completed",
    )
    const unknown = newBackupId()
    await refused(
      trove,
      { name: 'b', restore_from: from(source, { local_datastore_version_id: unknown }) },
      404,
      unknown,
    )
  })

  it("is refused for another account's data", async () => {
    const trove = await startTrove()
    const source = await trove.backupIs({ project: otherProject })
    await refused(
      trove,
      { name: 'b', restore_from: from(source) },
      400,
      "backup['restore_from']['remote_location']",
    )
  })
})

describe('the quota', () => {
  it('counts every status, and is 413 overLimit without a hint to try again', async () => {
    const trove = await startTrove({ quota: 3 })
    const reason = { code: 'x', text: 'x' }
    await trove.backupIs()
    await trove.backupIs({ state: { is: 'failed', reason } })
    await trove.backupIs({ state: { is: 'restored' } })
    await refused(trove, { name: 'a', instance: trove.instance.id }, 413, '3 backups')
    const answer = await trove.post({ name: 'a', instance: trove.instance.id })
    expect([Object.keys(answer.json), answer.headers.get('retry-after')]).toEqual([['overLimit'], null])
  })

  it('is free again when a delete is accepted', async () => {
    const trove = await startTrove({ quota: 1 })
    const { id } = await trove.backupIs()
    expect((await trove.post({ name: 'a', instance: trove.instance.id })).status).toBe(413)
    expect((await trove.ask('DELETE', `/backups/${id}`)).status).toBe(202)
    expect((await trove.post({ name: 'a', instance: trove.instance.id })).status).toBe(202)
  })

  it('is of the account, and no two take its last place', async () => {
    const trove = await startTrove({ quota: 2 })
    await trove.backupIs({ project: otherProject })
    await trove.backupIs()
    const instances = [
      trove.instance,
      await trove.instanceIs({ key: 'b' }),
      await trove.instanceIs({ key: 'c' }),
    ]
    const asked = instances.map(({ id }) => trove.post({ name: 'a', instance: id }))
    const statuses = (await Promise.all(asked)).map(({ status }) => status)
    expect(statuses.toSorted((a, b) => a - b)).toEqual([202, 413, 413])
  })

  it('is shown with the limits', async () => {
    const trove = await startTrove({ quota: 7 })
    const { json } = await trove.ask('GET', '/limits')
    expect(json.limits[0]).toMatchObject({ verb: 'ABSOLUTE', max_backups: 7 })
  })
})
