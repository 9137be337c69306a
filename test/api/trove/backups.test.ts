// The resource, its words for how far a backup is, and what the lists give.
import { describe, expect, it } from 'vitest'
import { later } from '../../../core/clock.ts'
import type { InstanceBackup } from '../../../core/instance.ts'
import { uuidOfName } from '../../../core/ids.ts'
import { put } from '../../../controller/state/documents.ts'
import { aRun, states } from '../../support/builders.ts'
import type { Answer, Loose } from '../harness.ts'
import { beginning, newBackupId, otherProject, sqlite, startTrove, type Trove } from './rig.ts'

const fields = [
  ...['id', 'name', 'description', 'instance_id', 'parent_id', 'status', 'size', 'locationRef'],
  ...['created', 'updated', 'datastore', 'project_id'],
].toSorted()

const ids = ({ json }: Answer): string[] => json.backups.map((backup: Loose) => backup.id)
const names = ({ json }: Answer): string[] => json.backups.map((backup: Loose) => backup.name)

describe('a backup', () => {
  it('has every field, with the values of an incremental that has completed', async () => {
    const trove = await startTrove()
    const parent = await trove.backupIs()
    const backup = await trove.backupIs({
      ...{ name: 'orders-hourly-14', description: 'hourly chain, step 14', parent: parent.id },
      ...{ createdAt: beginning, updatedAt: later(beginning, 41_999) },
    })
    const { status, json, headers } = await trove.ask('GET', `/backups/${backup.id}`)
    expect(status).toBe(200)
    expect(headers.get('content-type')).toBe('application/json')
    expect(json).toEqual({
      backup: {
        ...{ id: backup.id, name: 'orders-hourly-14', description: 'hourly chain, step 14' },
        ...{ instance_id: trove.instance.id, parent_id: parent.id, status: 'COMPLETED', size: 0.14 },
        locationRef: `file:///srv/backups/database_backups/${backup.id}`,
        ...{ created: '2026-11-21T00:00:00', updated: '2026-11-21T00:00:41' },
        datastore: { ...sqlite, version_id: uuidOfName('datastore', 'sqlite', '3.50') },
        project_id: 'p1',
      },
    })
  })

  it('has null for what is not known, and leaves nothing out', async () => {
    const trove = await startTrove()
    const made = await trove.post({ name: 'first', instance: trove.instance.id, incremental: 0 })
    expect(made.status).toBe(202)
    const { backup } = made.json
    expect(Object.keys(backup).toSorted()).toEqual(fields)
    expect(backup).toMatchObject({
      ...{ status: 'NEW', description: null, parent_id: null, size: null, locationRef: null },
    })
  })

  it('is the same in a list, alone, and in the answer to its creation', async () => {
    const trove = await startTrove()
    const made = await trove.post({ name: 'first', instance: trove.instance.id })
    const { json: alone } = await trove.ask('GET', `/backups/${made.json.backup.id}`)
    const { json: all } = await trove.ask('GET', '/backups')
    const { json: ofInstance } = await trove.ask('GET', `/instances/${trove.instance.id}/backups`)
    expect(alone.backup).toEqual(made.json.backup)
    expect(all.backups).toEqual([made.json.backup])
    expect(ofInstance.backups).toEqual([made.json.backup])
  })

  it('is found by its id in either case', async () => {
    const trove = await startTrove()
    const { id } = await trove.backupIs()
    const { json } = await trove.ask('GET', `/backups/${id.toUpperCase()}`)
    expect(json.backup.id).toBe(id)
  })

  it('is never shown smaller than it is', async () => {
    const trove = await startTrove()
    const { id } = await trove.backupIs({ bytes: 8192 })
    const { json } = await trove.ask('GET', `/backups/${id}`)
    expect(json.backup.size).toBe(0.01)
  })
})

describe('the status of a backup', () => {
  const reason = { code: 'no_space', text: 'the disk is full' }
  const cases: [status: string, over: Partial<InstanceBackup>][] = [
    ['COMPLETED', { state: { is: 'completed' } }],
    ['FAILED', { state: { is: 'failed', reason } }],
    ['DELETE_FAILED', { state: { is: 'completed' }, deleteFailed: reason }],
    ['DELETE_FAILED', { state: { is: 'failed', reason }, deleteFailed: reason }],
    ['RESTORED', { state: { is: 'restored' } }],
  ]
  it.each(cases)('is %s', async (status, over) => {
    const trove = await startTrove()
    const { id } = await trove.backupIs(over)
    const { json } = await trove.ask('GET', `/backups/${id}`)
    expect(json.backup.status).toBe(status)
  })

  it('is NEW until a node begins, then BUILDING, with a size', async () => {
    const trove = await startTrove()
    const { json } = await trove.post({ name: 'first', instance: trove.instance.id })
    const { id } = json.backup
    const look = async () => (await trove.ask('GET', `/backups/${id}`)).json.backup
    expect(await look()).toMatchObject({ status: 'NEW', size: null })
    const run = trove.stored()[0]!.run!
    const { state } = trove.api.context
    const begun = aRun({ ...state.get('run', 'p1', run)!.value, state: states.running() })
    await state.commit({ requires: [], puts: [put('run', 'p1', run, begun)] })
    expect(await look()).toMatchObject({ status: 'BUILDING', size: 0.14, locationRef: null })
  })

  it('stays what it was while the data is being removed', async () => {
    const trove = await startTrove()
    const { id } = await trove.backupIs()
    expect((await trove.ask('DELETE', `/backups/${id}`)).status).toBe(202)
    const { json } = await trove.ask('GET', `/backups/${id}`)
    expect(json.backup.status).toBe('COMPLETED')
  })
})

describe('a list', () => {
  it('is empty, with 200 and without links, where there is nothing', async () => {
    const trove = await startTrove()
    const { status, json } = await trove.ask('GET', '/backups')
    expect([status, json]).toEqual([200, { backups: [] }])
  })

  it('begins with the one that changed last; of two at once with the younger; then goes by id', async () => {
    const trove = await startTrove()
    const at = (minute: number) => later(beginning, minute * 60_000)
    const [low, high] = [newBackupId(), newBackupId()].toSorted()
    await trove.backupIs({ name: 'old, changed last', createdAt: at(1), updatedAt: at(9) })
    await trove.backupIs({ name: 'second id', id: high!, createdAt: at(3), updatedAt: at(5) })
    await trove.backupIs({ name: 'first id', id: low!, createdAt: at(3), updatedAt: at(5) })
    await trove.backupIs({ name: 'younger', createdAt: at(4), updatedAt: at(5) })
    await trove.backupIs({ name: 'changed first', createdAt: at(2), updatedAt: at(2) })
    expect(names(await trove.ask('GET', '/backups'))).toEqual([
      ...['old, changed last', 'younger', 'first id', 'second id', 'changed first'],
    ])
  })

  it("shows the caller's account only", async () => {
    const trove = await startTrove()
    const own = await trove.backupIs()
    await trove.backupIs({ project: otherProject })
    expect(ids(await trove.ask('GET', '/backups'))).toEqual([own.id])
    expect(ids(await trove.ask('GET', '/backups', undefined, trove.admin))).toEqual([own.id])
  })

  it('keeps the backups of an instance that is gone', async () => {
    const trove = await startTrove()
    const gone = await trove.instanceIs({ key: 'gone', state: { is: 'down', why: 'removed', gone: true } })
    const backup = await trove.backupIs({ instance: gone.id })
    expect((await trove.ask('DELETE', `/instances/${gone.id}`)).status).toBe(202)
    expect((await trove.ask('GET', `/instances/${gone.id}/backups`)).status).toBe(404)
    expect(ids(await trove.ask('GET', '/backups'))).toEqual([backup.id])
    expect(ids(await trove.ask('GET', `/backups?instance_id=${gone.id}`))).toEqual([backup.id])
  })

  it('ignores parameters that it does not know', async () => {
    const trove = await startTrove()
    expect((await trove.ask('GET', '/backups?colour=red&limit=5')).status).toBe(200)
  })
})

describe('a filter', () => {
  it('by instance finds its backups, in either case of the id, and nothing for an unknown one or no UUID', async () => {
    const trove = await startTrove()
    const other = await trove.instanceIs({ key: 'other' })
    await trove.backupIs()
    const backup = await trove.backupIs({ instance: other.id })
    expect(ids(await trove.ask('GET', `/backups?instance_id=${other.id}`))).toEqual([backup.id])
    expect(ids(await trove.ask('GET', `/backups?instance_id=${other.id.toUpperCase()}`))).toEqual([backup.id])
    expect(ids(await trove.ask('GET', `/instances/${other.id}/backups`))).toEqual([backup.id])
    for (const unknown of [newBackupId(), 'orders']) {
      const { status, json } = await trove.ask('GET', `/backups?instance_id=${unknown}`)
      expect([status, json]).toEqual([200, { backups: [] }])
    }
  })

  it('by datastore takes a name or an id, and refuses an unknown one', async () => {
    const trove = await startTrove()
    const backup = await trove.backupIs()
    await trove.backupIs({ datastore: { type: 'mariadb', version: '11.4' } })
    const id = uuidOfName('datastore', 'sqlite')
    for (const named of ['sqlite', id, id.toUpperCase()])
      expect(ids(await trove.ask('GET', `/backups?datastore=${named}`))).toEqual([backup.id])
    const unknown = await trove.ask('GET', '/backups?datastore=oracle')
    expect([unknown.status, Object.keys(unknown.json)]).toEqual([404, ['itemNotFound']])
  })

  it('by datastore is empty where there are databases of it, and no backups', async () => {
    const trove = await startTrove()
    const { status, json } = await trove.ask('GET', '/backups?datastore=sqlite')
    expect([status, json]).toEqual([200, { backups: [] }])
    expect(
      (await trove.ask('GET', '/backups?datastore=sqlite&all_projects=1', undefined, trove.admin)).status,
    ).toBe(200)
    const unknown = await trove.ask('GET', '/backups?datastore=oracle&all_projects=1', undefined, trove.admin)
    expect(unknown.status).toBe(404)
  })

  it.each(['1', 't', 'true', 'True', 'TRUE', 'on', 'y', 'Yes'])(
    "all_projects=%s shows administrators every account's, and is refused to others",
    async (word) => {
      const trove = await startTrove()
      const own = await trove.backupIs()
      const others = await trove.backupIs({ project: otherProject })
      const path = `/backups?all_projects=${word}`
      expect(ids(await trove.ask('GET', path, undefined, trove.admin))).toEqual([others.id, own.id])
      expect((await trove.ask('GET', path)).status).toBe(403)
    },
  )

  it('all_projects that is no word for yes is no', async () => {
    const trove = await startTrove()
    const own = await trove.backupIs()
    await trove.backupIs({ project: otherProject })
    for (const word of ['False', '0', 'maybe', ''])
      expect(ids(await trove.ask('GET', `/backups?all_projects=${word}`))).toEqual([own.id])
  })

  it("project_id shows administrators one account's, and is refused to others, for their own too", async () => {
    const trove = await startTrove()
    await trove.backupIs()
    const others = await trove.backupIs({ project: otherProject })
    const path = '/backups?project_id=p2'
    expect(ids(await trove.ask('GET', path, undefined, trove.admin))).toEqual([others.id])
    expect(ids(await trove.ask('GET', '/backups?project_id=nobody', undefined, trove.admin))).toEqual([])
    expect((await trove.ask('GET', path)).status).toBe(403)
    expect((await trove.ask('GET', '/backups?project_id=p1')).status).toBe(403)
  })
})

describe('pages', () => {
  /** As the client does: only the marker of the link counts, and the limit is left out when it pages by itself. */
  async function paged(trove: Trove, first: string, next: (marker: string) => string, as?: string) {
    const pages: string[][] = []
    let path = first
    for (;;) {
      const answer = await trove.ask('GET', path, undefined, as)
      expect(answer.status).toBe(200)
      pages.push(ids(answer))
      const link = answer.json.links?.find(({ rel }: Loose) => rel === 'next')
      if (!link) return pages
      path = next(new URL(link.href).searchParams.get('marker')!)
      expect(pages.length).toBeLessThan(100)
    }
  }

  it('of one size give every backup once, in order, and end without a link', async () => {
    const trove = await startTrove()
    const made: string[] = []
    for (let count = 0; count < 10; count++) made.unshift((await trove.backupIs()).id)
    for (const limit of [1, 3, 5, 10]) {
      const pages = await paged(
        trove,
        `/backups?limit=${limit}`,
        (marker) => `/backups?limit=${limit}&marker=${marker}`,
      )
      expect(pages.flat()).toEqual(made)
      expect(pages.map(({ length }) => length)).toEqual(
        Array.from({ length: Math.ceil(10 / limit) }, (_, at) => Math.min(limit, 10 - at * limit)),
      )
    }
  })

  it('go on without the limit of the first, as the command line does', async () => {
    const trove = await startTrove()
    for (let count = 0; count < 5; count++) await trove.backupIs()
    const pages = await paged(trove, '/backups?limit=2', (marker) => `/backups?marker=${marker}`)
    expect(pages.map(({ length }) => length)).toEqual([2, 3])
    expect(new Set(pages.flat()).size).toBe(5)
  })

  it('neither repeat nor lose a backup when another one comes or goes meanwhile', async () => {
    const trove = await startTrove()
    for (let count = 0; count < 6; count++) await trove.backupIs()
    const first = await trove.ask('GET', '/backups?limit=3')
    await trove.ask('DELETE', `/backups/${ids(first)[2]}`)
    await trove.backupIs({ updatedAt: later(beginning, 9e8) })
    const marker = new URL(first.json.links[0].href).searchParams.get('marker')
    const rest = await trove.ask('GET', `/backups?marker=${marker}`)
    expect(new Set([...ids(first), ...ids(rest)]).size).toBe(6)
  })

  it('keep the other parameters in their links', async () => {
    const trove = await startTrove()
    await trove.backupIs()
    await trove.backupIs()
    const path = `/backups?limit=1&datastore=sqlite&instance_id=${trove.instance.id}`
    const { json } = await trove.ask('GET', path)
    expect(json.links).toHaveLength(1)
    const { searchParams, pathname } = new URL(json.links[0].href)
    expect(pathname).toBe('/v1.0/p1/backups')
    expect(Object.fromEntries(searchParams)).toMatchObject({
      limit: '1',
      datastore: 'sqlite',
      instance_id: trove.instance.id,
    })
    // Sent back as it is: the client does not encode it.
    expect(searchParams.get('marker')).toMatch(/^[\w-]+$/)
  })

  it('go on by their own markers only', async () => {
    const trove = await startTrove()
    for (let count = 0; count < 3; count++) await trove.backupIs()
    const { json } = await trove.ask('GET', '/backups?limit=1')
    const marker = new URL(json.links[0].href).searchParams.get('marker') ?? ''
    const unsigned = Buffer.from('0 0 x').toString('base64url')
    const ofInstance = `/instances/${trove.instance.id}/backups`
    for (const path of [
      `${ofInstance}?marker=${marker}`,
      `/backups?marker=${marker.slice(0, -1)}`,
      `/backups?marker=${marker}A`,
      `/backups?marker=${unsigned}`,
    ]) {
      const refused = await trove.ask('GET', path)
      expect([refused.status, refused.json.badRequest?.message]).toEqual([
        400,
        expect.stringContaining('marker'),
      ])
    }
  })

  it('of an instance are paged in the same way', async () => {
    const trove = await startTrove()
    for (let count = 0; count < 3; count++) await trove.backupIs()
    const path = `/instances/${trove.instance.id}/backups`
    const pages = await paged(trove, `${path}?limit=2`, (marker) => `${path}?marker=${marker}`)
    expect(pages.map(({ length }) => length)).toEqual([2, 1])
  })

  it("of every account's backups give each once", async () => {
    const trove = await startTrove()
    for (let count = 0; count < 5; count++) await trove.backupIs()
    for (let count = 0; count < 5; count++) await trove.backupIs({ project: otherProject })
    const path = '/backups?all_projects=True'
    const pages = await paged(
      trove,
      `${path}&limit=4`,
      (marker) => `${path}&limit=4&marker=${marker}`,
      trove.admin,
    )
    expect(pages.map(({ length }) => length)).toEqual([4, 4, 2])
    expect(new Set(pages.flat()).size).toBe(10)
  })

  it('have more than 20 rows when nothing is said, so that the command line finds names', async () => {
    const trove = await startTrove()
    for (let count = 0; count < 30; count++) await trove.backupIs()
    expect(ids(await trove.ask('GET', '/backups'))).toHaveLength(30)
  })

  it.each(['0', '-1', '1.5', 'ten', '', '1e3', ' 1', '+1'])('refuse limit=%j', async (limit) => {
    const trove = await startTrove()
    for (const path of ['/backups', `/instances/${trove.instance.id}/backups`, '/instances']) {
      const { status, json } = await trove.ask('GET', `${path}?limit=${encodeURIComponent(limit)}`)
      expect([status, json.badRequest.code]).toEqual([400, 400])
      expect(json.badRequest.message).toContain('limit')
    }
  })

  it('take any larger limit for the largest', async () => {
    const trove = await startTrove()
    await trove.backupIs()
    const { status, json } = await trove.ask('GET', `/backups?limit=${'9'.repeat(40)}`)
    expect([status, json.backups.length]).toEqual([200, 1])
  })

  it.each(['x', '', '20', '-1', newBackupId(), '%00', 'MQ'])(
    'refuse a marker that no list gave: %j',
    async (marker) => {
      const trove = await startTrove()
      for (const path of ['/backups', `/instances/${trove.instance.id}/backups`, '/instances']) {
        const { status, json } = await trove.ask('GET', `${path}?marker=${marker}`)
        expect([status, json.badRequest?.code]).toEqual([400, 400])
        expect(json.badRequest.message).toContain('marker')
      }
    },
  )
})
