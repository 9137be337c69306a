// What a client needs around the backups: instances, strategies, restore, datastores, flavors, limits.
import { describe, expect, it } from 'vitest'
import { later } from '../../../core/clock.ts'
import { uuidOfName } from '../../../core/ids.ts'
import type { Instance, InstanceBackup } from '../../../core/instance.ts'
import { put, ref } from '../../../controller/state/documents.ts'
import { strategiesMax } from '../../../controller/use-cases/strategies.ts'
import { project, type Loose } from '../harness.ts'
import { beginning, gigabyte, newBackupId, node, otherProject, startTrove, type Trove } from './rig.ts'

describe('an instance', () => {
  it('is what an agent looks after, as Trove shows one', async () => {
    const trove = await startTrove()
    const instance = await trove.instanceIs({
      ...{ key: 'o', name: 'orders', bytes: 0.16 * gigabyte, createdAt: beginning },
      updatedAt: later(beginning, 122_000),
    })
    const { status, json } = await trove.ask('GET', `/instances/${instance.id}`)
    const self = (path: string) => [{ rel: 'self', href: `http://localhost/v1.0/p1${path}` }]
    expect([status, json]).toEqual([
      200,
      {
        instance: {
          ...{ id: instance.id, name: 'orders', status: 'ACTIVE', operating_status: 'HEALTHY' },
          datastore: { type: 'sqlite', version: '3.50', version_number: '3.50' },
          flavor: { id: '1', links: self('/flavors/1') },
          volume: { size: 1, used: 0.16 },
          links: self(`/instances/${instance.id}`),
          ...{ region: 'RegionOne', access: {}, tenant_id: 'p1' },
          ...{ created: '2026-11-21T00:00:00', updated: '2026-11-21T00:02:02' },
          service_status_updated: '2026-11-21T00:02:02',
          firn: { client_id: node, key: 'o', problem: null },
        },
      },
    ])
  })

  const cases: [string, Partial<Instance>][] = [
    ['ACTIVE', { state: { is: 'active' } }],
    ['BACKUP', { state: { is: 'active' }, busy: newBackupId() }],
    ['BUILD', { state: { is: 'building', run: 'r' as never } }],
    ['SHUTDOWN', { state: { is: 'down', why: 'it is locked' } }],
    ['ERROR', { state: { is: 'error', why: 'no space' } }],
  ]
  it.each(cases)('is %s', async (status, over) => {
    const trove = await startTrove()
    const { id } = await trove.instanceIs(over)
    const { json } = await trove.ask('GET', `/instances/${id}`)
    expect(json.instance.status).toBe(status)
    const why = over.state && 'why' in over.state ? over.state.why : null
    expect(json.instance.firn.problem).toBe(why)
  })

  it('tells the last thing that went wrong', async () => {
    const trove = await startTrove()
    const fault = { at: beginning, text: 'the disk is full', details: 'no_space' }
    const { id } = await trove.instanceIs({ fault })
    const { json } = await trove.ask('GET', `/instances/${id}`)
    expect(json.instance.fault).toEqual({
      ...{ message: 'the disk is full', created: '2026-11-21T00:00:00', details: 'no_space' },
    })
  })

  it('has room for its data in whole gigabytes, and says when its size is not known', async () => {
    const trove = await startTrove()
    const volumeOf = async (over: Partial<Instance>) => {
      const { id } = await trove.instanceIs(over)
      return (await trove.ask('GET', `/instances/${id}`)).json.instance.volume
    }
    expect(await volumeOf({ bytes: 2.3 * gigabyte })).toEqual({ size: 3, used: 2.3 })
    const { bytes: _, ...unknown } = trove.instance
    expect(await volumeOf(unknown)).toMatchObject({ size: 1 })
  })

  it("is listed in order of creation, of the caller's account, whatever include_clustered says", async () => {
    const trove = await startTrove()
    const second = await trove.instanceIs({ createdAt: later(trove.api.now(), 1000) })
    await trove.instanceIs({ project: otherProject })
    for (const query of ['', '?include_clustered=False', '?include_clustered=True']) {
      const { json } = await trove.ask('GET', `/instances${query}`)
      expect(json.instances.map(({ id }: Loose) => id)).toEqual([trove.instance.id, second.id])
      expect(json).not.toHaveProperty('links')
    }
    const { json: detailed } = await trove.ask('GET', '/instances/detail')
    expect(detailed.instances).toHaveLength(2)
  })

  it('is listed in pages', async () => {
    const trove = await startTrove()
    for (let count = 0; count < 4; count++) await trove.instanceIs()
    const seen: string[] = []
    for (let path: string | undefined = '/instances?limit=2'; path;) {
      const { json } = await trove.ask('GET', path)
      seen.push(...json.instances.map(({ id }: Loose) => id))
      const href = json.links?.[0]?.href
      path = href && `/instances?limit=2&marker=${new URL(href).searchParams.get('marker')}`
    }
    expect([seen.length, new Set(seen).size]).toEqual([5, 5])
  })

  it('is listed for administrators whosever it is', async () => {
    const trove = await startTrove()
    const others = await trove.instanceIs({ project: otherProject, createdAt: later(trove.api.now(), 1000) })
    const listed = async (path: string) =>
      (await trove.ask('GET', path, undefined, trove.admin)).json.instances.map(({ id }: Loose) => id)
    expect(await listed('/mgmt/instances?include_clustered=False')).toEqual([trove.instance.id, others.id])
    expect(await listed('/mgmt/instances?project_id=p2')).toEqual([others.id])
    expect((await trove.ask('GET', '/mgmt/instances')).status).toBe(403)
  })

  it("is 404 when it is unknown, another account's, or no UUID", async () => {
    const trove = await startTrove()
    const others = await trove.instanceIs({ project: otherProject })
    for (const id of [newBackupId(), others.id, 'orders'])
      expect((await trove.ask('GET', `/instances/${id}`)).status).toBe(404)
  })

  it('can be forgotten when its agent has, and not before: it would come back', async () => {
    const trove = await startTrove()
    const down = await trove.instanceIs({ state: { is: 'down', why: 'x', gone: true } })
    expect((await trove.ask('DELETE', `/instances/${down.id}`)).status).toBe(202)
    expect((await trove.ask('GET', `/instances/${down.id}`)).status).toBe(404)
    const still = await trove.instanceIs({ state: { is: 'down', why: 'its file is not there' } })
    for (const { id } of [trove.instance, still]) {
      const { status, json } = await trove.ask('DELETE', `/instances/${id}`)
      expect([status, json.unprocessableEntity.message]).toEqual([
        422,
        expect.stringContaining('agent of db1'),
      ])
    }
  })
})

describe('a backup strategy', () => {
  const set = (trove: Trove, backup_strategy: unknown, as?: string) =>
    trove.ask('POST', '/backup_strategies', { backup_strategy }, as)
  const list = async (trove: Trove, query = '', as?: string) =>
    (await trove.ask('GET', `/backup_strategies${query}`, undefined, as)).json.backup_strategies

  it('of the account and of an instance are kept side by side, and replaced', async () => {
    const trove = await startTrove()
    const { id } = trove.instance
    const ofAccount = { project_id: 'p1', instance_id: '', backend: 'swift', swift_container: 'all' }
    const ofInstance = { ...ofAccount, instance_id: id, swift_container: 'orders_backups' }
    expect(await list(trove)).toEqual([])
    const first = await set(trove, { swift_container: 'all' })
    expect([first.status, first.json]).toEqual([202, { backup_strategy: ofAccount }])
    await set(trove, { swift_container: 'x', instance_id: id })
    const replaced = await set(trove, { swift_container: 'orders_backups', instance_id: id })
    expect(replaced.json).toEqual({ backup_strategy: ofInstance })
    expect(await list(trove)).toEqual([ofAccount, ofInstance])
    expect(await list(trove, `?instance_id=${id}`)).toEqual([ofInstance])
  })

  it('is an instance’s in either case of its id', async () => {
    const trove = await startTrove()
    const { id } = trove.instance
    const made = await set(trove, { swift_container: 'b', instance_id: id.toUpperCase() })
    expect(made.json.backup_strategy.instance_id).toBe(id)
    expect(await list(trove, `?instance_id=${id.toUpperCase()}`)).toHaveLength(1)
    await trove.post({ name: 'a', instance: id })
    expect(trove.stored()).toMatchObject([{ container: 'b' }])
    await trove.ask('DELETE', `/backup_strategies?instance_id=${id.toUpperCase()}`)
    expect(await list(trove)).toEqual([])
  })

  it('is dropped with 202 and no body, also when there was none', async () => {
    const trove = await startTrove()
    await set(trove, { swift_container: 'all' })
    await set(trove, { swift_container: 'b', instance_id: 'any' })
    for (const query of ['?instance_id=any', '', '', '?instance_id=none']) {
      const { status, text } = await trove.ask('DELETE', `/backup_strategies${query}`)
      expect([status, text]).toEqual([202, ''])
    }
    expect(await list(trove)).toEqual([])
  })

  it('needs a container, and takes no other key', async () => {
    const trove = await startTrove()
    for (const wrong of [{}, { swift_container: '' }, { swift_container: 'a b' }, { swift_container: 1 }])
      expect((await set(trove, wrong)).json.badRequest.message).toContain(
        "backup_strategy['swift_container']",
      )
    const other = await set(trove, { swift_container: 'a', colour: 'red' })
    expect(other.json.badRequest.message).toContain("backup_strategy['colour']")
    for (const none of [null, 1, [], undefined]) expect((await set(trove, none)).status).toBe(400)
    expect(await list(trove)).toEqual([])
  })

  it('is one of a bounded number', async () => {
    const trove = await startTrove()
    const { state } = trove.api.context
    for (let from = 0; from < strategiesMax; from += 100) {
      const names = Array.from({ length: 100 }, (_, at) => `i${from + at}`)
      const puts = names.map((instance) =>
        put('strategy', 'p1', instance, { project, instance, container: 'a' }),
      )
      await state.commit({ requires: [], puts })
    }
    const { status, json } = await set(trove, { swift_container: 'a' })
    expect([status, Object.keys(json)]).toEqual([413, ['overLimit']])
  })

  it("of another account is for administrators; one's own may be named", async () => {
    const trove = await startTrove()
    await trove.api.ask(
      'POST',
      '/v1.0/p2/backup_strategies',
      { backup_strategy: { swift_container: 'b' } },
      trove.stranger,
    )
    const query = '?project_id=p2'
    for (const method of ['GET', 'DELETE'])
      expect((await trove.ask(method, `/backup_strategies${query}`)).status).toBe(403)
    expect(await list(trove, query, trove.admin)).toMatchObject([{ project_id: 'p2', swift_container: 'b' }])
    expect(await list(trove, '?project_id=p1')).toEqual([])
    expect((await trove.ask('DELETE', `/backup_strategies${query}`, undefined, trove.admin)).status).toBe(202)
    expect(await list(trove, query, trove.admin)).toEqual([])
  })
})

describe('restoring a backup into a new instance', () => {
  const create = (trove: Trove, instance: object, as?: string) =>
    trove.ask('POST', '/instances', { instance }, as)
  const wish = ({ id }: Pick<InstanceBackup, 'id'>, over: object = {}) => ({
    ...{ name: 'orders-again', flavorRef: '1', volume: { size: 2 } },
    datastore: { type: 'sqlite', version: '3.50' },
    restorePoint: { backupRef: id },
    ...over,
  })

  it('is 200, and a BUILD that is another instance', async () => {
    const trove = await startTrove()
    const backup = await trove.backupIs()
    const { status, json } = await create(trove, wish(backup))
    expect(status).toBe(200)
    expect(json.instance).toMatchObject({ name: 'orders-again', status: 'BUILD', firn: { client_id: node } })
    expect(json.instance.id).not.toBe(trove.instance.id)
    const { json: shown } = await trove.ask('GET', `/instances/${json.instance.id}`)
    expect(shown).toEqual(json)
  })

  it('takes what the command line sends: names and ids, and null for a type of volume', async () => {
    const trove = await startTrove()
    const backup = await trove.backupIs()
    const datastore = {
      type: uuidOfName('datastore', 'sqlite'),
      version: uuidOfName('datastore', 'sqlite', '3.50'),
    }
    const over = { flavorRef: 1, volume: { size: 1, type: null }, access: { is_public: false }, datastore }
    expect((await create(trove, wish(backup, over))).status).toBe(200)
    expect((await create(trove, wish(backup, { flavorRef: 'http://h/v1.0/p1/flavors/1' }))).status).toBe(200)
    expect(
      (await create(trove, wish(backup, { availability_zone: node, datastore: { version: '3.50' } }))).status,
    ).toBe(200)
    expect(
      (await create(trove, wish(backup, { datastore: { type: 'sqlite', version: '3.40' } }))).status,
    ).toBe(200)
  })

  const refusals: [string, object, number][] = [
    ['no backupRef', { restorePoint: {} }, 400],
    ['a backupRef that is no UUID', { restorePoint: { backupRef: 'orders-full' } }, 400],
    ['an unknown backup', { restorePoint: { backupRef: newBackupId() } }, 404],
    ['a volume that is no whole number', { volume: { size: 1.5 } }, 400],
    ['a volume of nothing', { volume: { size: 0 } }, 400],
    ['no name', { name: undefined }, 400],
    ['another kind of database', { datastore: { type: 'mysql', version: '8.0' } }, 400],
    ['an unknown kind of database', { datastore: { type: newBackupId() } }, 404],
    ['another flavor', { flavorRef: '2' }, 404],
    ['a node that has no template for it', { availability_zone: 'elsewhere' }, 422],
    ['a node with an impossible name', { availability_zone: 'a b' }, 400],
    ['a replica', { replica_of: newBackupId() }, 501],
    ['an empty database', { restorePoint: undefined }, 501],
  ]
  it.each(refusals)('is refused with %s', async (_, over, status) => {
    const trove = await startTrove()
    const backup = await trove.backupIs()
    expect((await create(trove, wish(backup, over))).status).toBe(status)
    expect((await trove.ask('GET', '/instances')).json.instances).toHaveLength(1)
  })

  it('is told by the fields of its body what is wrong', async () => {
    const trove = await startTrove()
    const backup = await trove.backupIs({ bytes: 2 * gigabyte })
    const refused = async (over: object) => Object.values((await create(trove, wish(backup, over))).json)[0]
    expect(await refused({ datastore: { type: 'mysql' }, volume: { size: 2 } })).toMatchObject({
      message: expect.stringMatching(/^instance\['datastore'\]: backup /) as string,
    })
    expect(await refused({ volume: { size: 1 } })).toMatchObject({
      ...{
        code: 403,
        message: expect.stringMatching(/^instance\['volume'\]: the volume is smaller/) as string,
      },
    })
  })

  it('is 413 beyond what an account may have, as the limits say', async () => {
    const trove = await startTrove()
    const backup = await trove.backupIs()
    const { max_instances: max } = (await trove.ask('GET', '/limits')).json.limits[0]
    for (let n = 0; n < max; n++) await trove.instanceIs({ key: `made-${n}`, madeFrom: backup.id })
    const { status, json } = await create(trove, wish(backup, {}))
    expect([status, Object.keys(json)]).toEqual([413, ['overLimit']])
  })

  const reason = { code: 'x', text: 'x' }
  it.each<Partial<InstanceBackup>>([
    { state: { is: 'open' } },
    { state: { is: 'failed', reason } },
    { deleteFailed: reason },
  ])('is 409 for a backup that is not complete: %j', async (over) => {
    const trove = await startTrove()
    const { status, json } = await create(trove, wish(await trove.backupIs(over)))
    expect([status, Object.keys(json)]).toEqual([409, ['conflict']])
  })

  it('is 403 when the backup is larger than the volume', async () => {
    const trove = await startTrove()
    const backup = await trove.backupIs({ bytes: 2.5 * gigabyte })
    expect((await create(trove, wish(backup))).status).toBe(403)
    expect((await create(trove, wish(backup, { volume: { size: 3 } }))).status).toBe(200)
  })

  it("is 404 for another account's backup, and where the data is gone", async () => {
    const trove = await startTrove()
    expect((await create(trove, wish(await trove.backupIs({ project: otherProject })))).status).toBe(404)
    const backup = await trove.backupIs()
    const gone = [ref('backup', 'p1', backup.backup!)]
    await trove.api.context.state.commit({ requires: [], puts: [], deletes: gone })
    expect((await create(trove, wish(backup))).status).toBe(404)
  })

  it('takes a registered record as well', async () => {
    const trove = await startTrove()
    const source = await trove.backupIs()
    const registered = await trove.backupIs({ state: { is: 'restored' }, backup: source.backup! })
    expect((await create(trove, wish(registered))).status).toBe(200)
  })

  it('takes an operator', async () => {
    const trove = await startTrove()
    expect((await create(trove, wish(await trove.backupIs()), trove.viewer)).status).toBe(403)
  })
})

describe('datastores', () => {
  const id = uuidOfName('datastore', 'sqlite')
  const newest = uuidOfName('datastore', 'sqlite', '3.50')

  async function two() {
    const trove = await startTrove()
    await trove.instanceIs({ datastore: { type: 'sqlite', version: '3.9' } })
    await trove.backupIs({ datastore: { type: 'mariadb', version: '11.4' } })
    await trove.instanceIs({ project: otherProject, datastore: { type: 'hidden', version: '1' } })
    return trove
  }

  it('are those of instances, of templates and of backups of the account', async () => {
    const { json } = await (await two()).ask('GET', '/datastores')
    expect(json.datastores.map(({ name }: Loose) => name)).toEqual(['mariadb', 'postgresql', 'sqlite'])
    expect(json.datastores[2]).toMatchObject({
      ...{ id, name: 'sqlite', default_version: newest },
      versions: [
        { name: '3.9', version: '3.9' },
        { id: newest, name: '3.50', version: '3.50' },
      ],
    })
  })

  it.each(['sqlite', id, id.toUpperCase()])('are found as %s', async (named) => {
    const trove = await two()
    expect((await trove.ask('GET', `/datastores/${named}`)).json.datastore.id).toBe(id)
    const { json } = await trove.ask('GET', `/datastores/${named}/versions`)
    expect(json.versions).toMatchObject([
      { name: '3.9', datastore: id },
      { name: '3.50', datastore: id },
    ])
    for (const version of ['3.50', newest])
      expect((await trove.ask('GET', `/datastores/${named}/versions/${version}`)).json.version).toMatchObject(
        {
          ...{ id: newest, name: '3.50', version: '3.50', datastore: id },
        },
      )
    const { json: flavors } = await trove.ask('GET', `/datastores/${named}/versions/${newest}/flavors`)
    expect(flavors.flavors).toHaveLength(1)
  })

  it('have versions that are found by their id alone', async () => {
    const trove = await two()
    expect((await trove.ask('GET', `/datastores/versions/${newest}`)).json.version.name).toBe('3.50')
  })

  it('that are unknown are 404', async () => {
    const trove = await two()
    const unknown = newBackupId()
    for (const path of [
      'oracle',
      unknown,
      'hidden',
      'oracle/versions',
      'sqlite/versions/1',
      `versions/${unknown}`,
    ])
      expect((await trove.ask('GET', `/datastores/${path}`)).status).toBe(404)
  })

  it('have the ids that backups show', async () => {
    const trove = await two()
    const { backup } = (await trove.post({ name: 'a', instance: trove.instance.id })).json
    expect(backup.datastore.version_id).toBe(newest)
  })
})

describe('the rest', () => {
  it('has one flavor, the node itself', async () => {
    const trove = await startTrove()
    const { json } = await trove.ask('GET', '/flavors')
    expect(json.flavors).toMatchObject([{ id: 1, str_id: '1', name: 'node', ram: 0 }])
    expect((await trove.ask('GET', '/flavors/1')).json.flavor).toEqual(json.flavors[0])
    // A name is tried as an id first.
    expect((await trove.ask('GET', '/flavors/node')).status).toBe(404)
  })

  it('tells the limits', async () => {
    const trove = await startTrove()
    const { json } = await trove.ask('GET', '/limits')
    expect(json.limits[0]).toEqual({
      ...{ verb: 'ABSOLUTE', max_backups: 50, max_instances: 20, max_ram: -1, max_volumes: -1 },
    })
  })

  it('tells its version without a token', async () => {
    const trove = await startTrove()
    const { status, json } = await trove.api.ask('GET', '/v1.0/', undefined, '')
    expect([status, json.version.id]).toEqual([200, 'v1.0'])
  })
})
