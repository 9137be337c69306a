import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, inject, it } from 'vitest'
import type { Loose } from '../support/stack.ts'
import { until } from './waiting.ts'
import { withSession, withToken } from './world.ts'

const { clients, data } = inject('world')
const [first = '', second = ''] = clients
const id32 = expect.stringMatching(/^[0-9a-f]{32}$/)

const execOf = (...command: string[]) => ({ freezer_action: { action: 'exec', command: command.join(' ') } })
const notFound = { type: 'ApiClientException', status: 404 }

/** What a job shows that has ended so. */
const ended = (result: string) => ({ job_schedule: { status: 'completed', result } })

describe.each(['1', '2'])('freezerclient, API version %s', (version) => {
  const open = () =>
    version === '1' ? withToken('freezer', '', { version }) : withSession('freezer', { version })
  const named = (name: string) => `${name}-v${version}`

  it('registers, lists, shows and deletes clients', async () => {
    await using freezer = open()
    const client_id = named('old-node')
    const document = { client_id, hostname: 'old-node.example.com', description: 'polls', tags: ['x'] }
    expect(await freezer.call('clients.create', [document])).toBe(client_id)
    await expect(freezer.call('clients.create', [document])).rejects.toMatchObject({ status: 409 })
    const shown = await freezer.call('clients.get', [client_id])
    expect(shown.client).toMatchObject({ ...document, uuid: id32 })
    expect(await freezer.call('clients.list', [], { limit: 100 })).toContainEqual(shown)
    const search = { match: [{ hostname: 'old-node.example.com' }, { client_id }] }
    expect(await freezer.call('clients.list', [], { search })).toEqual([shown])
    await freezer.call('clients.delete', [client_id])
    expect(await freezer.call('clients.get', [client_id])).toBeNull()
    await expect(freezer.call('clients.delete', [client_id])).rejects.toMatchObject(notFound)
  })

  it('creates, lists, shows, updates and deletes actions', async () => {
    await using freezer = open()
    const freezer_action = { action: 'backup', path_to_backup: '/etc', backup_name: named('etc') }
    const id = await freezer.call('actions.create', [{ freezer_action, mandatory: true }])
    expect(id).toEqual(id32)
    expect(await freezer.call('actions.create', [{ freezer_action }, named('own-id')])).toBeTruthy()
    const shown = await freezer.call('actions.get', [id])
    expect(shown).toMatchObject({ action_id: id, freezer_action, mandatory: true, max_retries: 5 })
    const search = { match: [{ backup_name: named('etc') }, { action_id: id }] }
    expect(await freezer.call('actions.list', [], { search })).toEqual([shown])
    const version = await freezer.call('actions.update', [
      id,
      { freezer_action: { mode: 'fs' }, max_retries: 2 },
    ])
    expect(version).toEqual(expect.any(Number))
    expect(await freezer.call('actions.get', [id])).toMatchObject({
      max_retries: 2,
      freezer_action: { ...freezer_action, mode: 'fs' },
    })
    await freezer.call('actions.delete', [id])
    expect(await freezer.call('actions.get', [id])).toBeNull()
    await expect(freezer.call('actions.update', [id, {}])).rejects.toMatchObject(notFound)
  })

  it('creates, replaces, pages, searches, updates and deletes jobs', async () => {
    await using freezer = open()
    const client_id = named('nobody')
    const make = (description: string, id = '') =>
      freezer.call('jobs.create', [{ client_id, description, job_actions: [] }, id])
    const ids = [await make('one'), await make('two'), await make('three', named('third'))]
    expect(ids).toEqual([id32, id32, named('third')])

    const all = await freezer.call('jobs.list', [], { client_id, limit: 100 })
    expect(all.map((job: Loose) => job.job_id)).toEqual(ids)
    const pages = [0, 1, 2, 3].map((offset) => freezer.call('jobs.list', [], { client_id, limit: 1, offset }))
    expect((await Promise.all(pages)).flat()).toEqual(all)
    const search = { match: [{ _all: 'three' }, { client_id }], match_not: [{ status: 'completed' }] }
    expect(await freezer.call('jobs.list_all', [], { search })).toEqual([all[2]])

    const update = { description: 'first', job_schedule: { schedule_interval: '5 days' } }
    const before = all[0]._version
    expect(await freezer.call('jobs.update', [ids[0], update])).toBe(before + 1)
    expect(await freezer.call('jobs.get', [ids[0]])).toMatchObject({ ...update, client_id })
    expect(await make('replaced', named('third'))).toBe(named('third'))
    expect(await freezer.call('jobs.get', [ids[2]])).toMatchObject({ description: 'replaced' })

    await expect(freezer.call('jobs.create', [{ client_id, job_actions: 'x' }])).rejects.toThrow(
      /Error 400: .*job_actions/,
    )
    for (const id of ids) await freezer.call('jobs.delete', [id])
    expect(await freezer.call('jobs.list', [], { client_id })).toEqual([])
    expect(await freezer.call('jobs.get', [ids[0]])).toBeNull()
    for (const call of ['jobs.delete', 'jobs.start_job', 'jobs.stop_job', 'jobs.abort_job'])
      await expect(freezer.call(call, [ids[0]])).rejects.toMatchObject(notFound)
  })

  it('starts a job that saves a folder, finds its backup and restores it', async () => {
    await using freezer = open()
    const folder = path.join(data, named('tree'))
    await mkdir(folder, { recursive: true })
    await writeFile(path.join(folder, 'file'), `saved through v${version}`)
    const backup_name = named('tree')
    const job = await freezer.call('jobs.create', [
      {
        client_id: first,
        job_actions: [{ freezer_action: { action: 'backup', path_to_backup: folder, backup_name } }],
      },
    ])
    expect(await freezer.call('jobs.start_job', [job])).toMatchObject({ result: 'success' })
    await until(freezer, 'jobs.get', job, ended('success'))

    const search = { match: [{ backup_name }] }
    const [backup, ...others] = await freezer.call('backups.list', [], { search })
    expect(others).toEqual([])
    expect(backup.backup_metadata).toMatchObject({
      path_to_backup: folder,
      job_id: job,
      curr_backup_level: 0,
    })
    expect(await freezer.call('backups.get', [backup.backup_id])).toEqual(backup)

    const restore_abs_path = path.join(data, named('restored'))
    const restore = await freezer.call('jobs.create', [
      {
        client_id: first,
        job_actions: [{ freezer_action: { action: 'restore', backup_name, restore_abs_path } }],
      },
    ])
    await freezer.call('jobs.start_job', [restore])
    await until(freezer, 'jobs.get', restore, ended('success'))
    const restored = await readFile(path.join(restore_abs_path, folder, 'file'), 'utf8').catch(() =>
      readFile(path.join(restore_abs_path, 'file'), 'utf8'),
    )
    expect(restored).toBe(`saved through v${version}`)
  })

  it('stops and aborts a job', async () => {
    await using freezer = open()
    const job_schedule = { schedule_interval: '7 days', event: 'stop' }
    const job = await freezer.call('jobs.create', [
      { client_id: first, job_schedule, job_actions: [execOf('sleep', '600')] },
    ])
    await freezer.call('jobs.start_job', [job])
    await freezer.call('jobs.stop_job', [job])
    await until(freezer, 'jobs.get', job, { job_schedule: { status: 'stop' } })

    const long = await freezer.call('jobs.create', [
      { client_id: first, job_actions: [execOf('sleep', '600')] },
    ])
    await freezer.call('jobs.start_job', [long])
    await until(freezer, 'jobs.get', long, { job_schedule: { status: 'running' } })
    expect(await freezer.call('jobs.abort_job', [long])).toMatchObject({ result: 'success' })
    const status = expect.stringMatching(/^(stop|completed)$/)
    await until(freezer, 'jobs.get', long, { job_schedule: { result: 'aborted', status } })
  })

  it('runs a session over two nodes', async () => {
    await using freezer = open()
    const schedule = { event: 'stop' }
    const session = await freezer.call('sessions.create', [
      { schedule, description: named('both'), hold_off: 5 },
    ])
    expect(session).toEqual(id32)
    const jobs: string[] = []
    for (const client_id of [first, second]) {
      const document = { client_id, job_schedule: { event: 'stop' }, job_actions: [execOf('true')] }
      jobs.push(await freezer.call('jobs.create', [document]))
    }
    for (const job of jobs) await freezer.call('sessions.add_job', [session, job])
    const shown = await freezer.call('sessions.get', [session])
    expect(Object.keys(shown.jobs).toSorted()).toEqual(jobs.toSorted())
    expect(await freezer.call('sessions.list', [], { limit: 100 })).toContainEqual(shown)
    const search = { match: [{ description: named('both') }] }
    expect(await freezer.call('sessions.list_all', [], { search })).toEqual([shown])
    expect(await freezer.call('sessions.update', [session, { description: 'x' }])).toEqual(expect.any(Number))

    const tag = shown.session_tag
    await expect(freezer.call('sessions.start_session', [session, jobs[0], tag + 9])).rejects.toMatchObject({
      status: 400,
    })
    expect(await freezer.call('sessions.start_session', [session, jobs[0], tag])).toEqual({
      result: 'success',
      session_tag: tag + 1,
    })
    const round = { status: 'completed', result: 'success', session_tag: tag + 1 }
    const done = await until(freezer, 'sessions.get', session, round)
    for (const job of jobs) expect(done.jobs[job]).toMatchObject({ status: 'completed', result: 'success' })
    expect(await freezer.call('sessions.end_session', [session, jobs[0], tag + 1, 'success'])).toEqual({
      result: 'success',
      session_tag: tag + 1,
    })

    await freezer.call('sessions.remove_job', [session, jobs[0]])
    expect(Object.keys((await freezer.call('sessions.get', [session])).jobs)).toEqual([jobs[1]])
    expect(await freezer.call('jobs.get', [jobs[0]])).toMatchObject({ session_id: '', session_tag: 0 })
    await freezer.call('sessions.delete', [session])
    expect(await freezer.call('sessions.get', [session])).toBeNull()
    await expect(freezer.call('sessions.add_job', [session, jobs[0]])).rejects.toMatchObject(notFound)
  })

  it('registers, finds, shows and deletes backup records', async () => {
    await using freezer = open()
    const metadata = {
      ...{ container: '/var/backups', hostname: named('db1'), backup_name: 'etc', time_stamp: 1_795_297_300 },
      ...{ path_to_backup: '/etc', curr_backup_level: 0, storage: 'local' },
    }
    const id = await freezer.call('backups.create', [metadata])
    expect(id).toEqual(id32)
    const shown = await freezer.call('backups.get', [id])
    expect(shown).toMatchObject({ backup_id: id, backup_metadata: metadata })
    const match = [{ hostname: named('db1') }]
    for (const [bounds, found] of [
      [{ time_after: 1_795_297_300 }, [shown]],
      [{ time_before: 1_795_297_299 }, []],
    ] as const)
      expect(await freezer.call('backups.list', [], { search: { match, ...bounds } })).toEqual(found)
    await freezer.call('backups.delete', [id])
    expect(await freezer.call('backups.get', [id])).toBeNull()
    await expect(freezer.call('backups.delete', [id])).rejects.toMatchObject(notFound)
    await expect(freezer.call('backups.create', [{ hostname: 'x' }])).rejects.toMatchObject({ status: 400 })
  })
})
