import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import type { Loose } from '../support/stack.ts'
import { functionOf } from './functions.ts'
import { until } from './waiting.ts'
import { withSession, withToken } from './world.ts'

const { clients, data, project } = inject('world')
const [node = ''] = clients
const uuid = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/)
const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
const nobody = '8d2bb37b-0c4b-4a3d-9dd5-3ba8c9c2b2b1'
const function_input = JSON.stringify({ client_id: node })

/** So many seconds from now, as Qinling's callers write it. */
const inSeconds = (seconds: number) =>
  new Date(Date.now() + seconds * 1_000).toISOString().replace(/\.\d+Z$/, 'Z')

/** What a job's firing leaves behind. */
const witness = (name: string) => path.join(data, `fired-${name}`)

let once = ''
let minutely = ''

describe('qinlingclient', () => {
  // Both come due while the other tests run: a minute is the shortest that there is.
  beforeAll(async () => {
    await using qinling = withSession('qinling')
    const made = await qinling.call('jobs.create', [], {
      ...{ function_id: await functionOf(['touch', witness('minutely')]), function_input },
      ...{ name: 'minutely', pattern: '* * * * *', count: 2 },
    })
    minutely = made.id
    const single = await qinling.call('jobs.create', [], {
      ...{ function_id: await functionOf(['touch', witness('once')]), function_input },
      ...{ first_execution_time: inSeconds(66) },
    })
    expect(single).toMatchObject({ pattern: null, count: 1, status: 'running', name: null })
    once = single.id
  })

  it('creates, lists, shows, updates, pauses, resumes, cancels and deletes jobs', async () => {
    await using qinling = withSession('qinling')
    // It says itself where it runs, so that a job may do without an input.
    const function_id = await functionOf(['true'], {}, { firn: { client_id: node } })
    const first_execution_time = '2099-12-01T00:00:00Z'
    const job = await qinling.call('jobs.create', [], {
      ...{ function_id, name: 'nightly', pattern: '30 2 * * *', count: 5, function_input },
      first_execution_time,
    })
    expect(job).toEqual({
      ...{
        id: uuid,
        name: 'nightly',
        function_id,
        function_alias: null,
        function_version: 0,
        function_input,
      },
      ...{ status: 'running', pattern: '30 2 * * *', count: 5, project_id: project },
      ...{ first_execution_time: '2099-12-01T02:30:00Z', next_execution_time: '2099-12-01T02:30:00Z' },
      ...{ created_at: time, updated_at: null },
    })
    expect(await qinling.call('jobs.list')).toContainEqual(job)
    expect(await qinling.call('jobs.get', [job.id])).toEqual(job)

    const update = (change: object) => qinling.call('jobs.update', [job.id], change)
    expect(await update({ name: 'nightly backup', status: 'paused' })).toMatchObject({
      ...{ name: 'nightly backup', status: 'paused', next_execution_time: job.next_execution_time },
      updated_at: time,
    })
    expect(await update({ status: 'running', next_execution_time: '2099-01-01T00:00:00Z' })).toMatchObject({
      ...{ status: 'running', next_execution_time: '2099-01-01T00:00:00Z' },
    })
    expect(await update({ pattern: '0 4 * * *', function_input: '' })).toMatchObject({
      ...{ pattern: '0 4 * * *', function_input: '' },
      next_execution_time: expect.stringMatching(/T04:00:00Z$/),
    })
    for (const bad of [{ pattern: '61 * * * *' }, { status: 'done' }, { next_execution_time: inSeconds(5) }])
      await expect(update(bad)).rejects.toMatchObject({ status: 400 })
    expect(await update({ status: 'cancelled' })).toMatchObject({ status: 'cancelled' })
    await expect(update({ status: 'running' })).rejects.toThrow(new RegExp(`${job.id} is cancelled`))

    await qinling.call('jobs.delete', [job.id])
    for (const call of ['jobs.get', 'jobs.delete'])
      await expect(qinling.call(call, [job.id])).rejects.toMatchObject({ status: 404 })
  })

  it('is told what is wrong, in both of its ways to speak HTTP', async () => {
    await using session = withSession('qinling')
    await using token = withToken('qinling', '/qinling')
    const function_id = await functionOf(['true'])
    for (const qinling of [session, token]) {
      const refused = (named: object, how: object) =>
        expect(qinling.call('jobs.create', [], named)).rejects.toMatchObject(how)
      await refused({ pattern: '* * * * *' }, { status: 400, message: expect.stringContaining('function') })
      await refused({ function_id }, { status: 400 })
      await refused({ function_id, pattern: '0 0 31 2 *' }, { status: 400 })
      await refused({ function_id, first_execution_time: inSeconds(10) }, { status: 400 })
      await refused({ function_id: nobody, pattern: '* * * * *' }, { status: 404 })
      await expect(qinling.call('jobs.get', ['no-uuid'])).rejects.toMatchObject({ status: 400 })
      await expect(qinling.call('jobs.get', [nobody])).rejects.toMatchObject({ status: 404 })
      const ids = (await qinling.call('jobs.list')).map((job: Loose) => job.id)
      expect(ids).toContain(minutely)
    }
    await using viewer = withSession('qinling', {}, 'viewer')
    await expect(
      viewer.call('jobs.create', [], { function_id, pattern: '* * * * *', function_input }),
    ).rejects.toMatchObject({ status: 403 })
  })

  it('calls functions by hand and looks at their executions', async () => {
    await using qinling = withSession('qinling')
    const function_id = await functionOf(['echo', 'by hand'])
    const made = await qinling.call('function_executions.create', [], { function_id, input: function_input })
    expect(made).toMatchObject({ id: uuid, function_id, input: function_input, sync: true })
    const { id } = made
    const ended = await until(qinling, 'function_executions.get', id, { status: 'success' })
    expect(JSON.parse(ended.result)).toMatchObject({ duration: expect.any(Number) })
    expect(await qinling.call('function_executions.list', [], { function_id, status: 'eq:success' })).toEqual(
      [ended],
    )
    expect(
      await qinling.call('function_executions.list', [], { function_id, status: 'neq:success' }),
    ).toEqual([])
    // What a command has said travels apart from its result.
    await eventually(async () =>
      (await qinling.call('function_executions.get_log', [id])).includes('by hand'),
    )
    await qinling.call('function_executions.delete', [id])
    await expect(qinling.call('function_executions.get', [id])).rejects.toMatchObject({ status: 404 })
    await expect(
      qinling.call('function_executions.create', [], { function_id: nobody }),
    ).rejects.toMatchObject({ status: 404 })
  })

  it('knows functions, and keeps those that a job still calls', async () => {
    await using qinling = withSession('qinling')
    const id = await functionOf(['true', 'kept'])
    const shown = await qinling.call('functions.get', [id])
    expect(shown).toMatchObject({ id, project_id: project, count: 0 })
    expect(await qinling.call('functions.list')).toContainEqual(shown)
    const job = await qinling.call('jobs.create', [], {
      function_id: id,
      pattern: '0 0 1 1 *',
      function_input,
    })
    await expect(qinling.call('functions.delete', [id])).rejects.toMatchObject({ status: 403 })
    await qinling.call('jobs.delete', [job.id])
    await qinling.call('functions.delete', [id])
    await expect(qinling.call('functions.get', [id])).rejects.toMatchObject({ status: 404 })
  })

  it('knows aliases, which jobs follow', async () => {
    await using qinling = withSession('qinling')
    const [function_id, other] = [await functionOf(['true', 'a']), await functionOf(['true', 'b'])]
    const alias = await qinling.call('function_aliases.create', ['live', function_id], { description: 'now' })
    expect(alias).toMatchObject({ name: 'live', function_id, function_version: 0, description: 'now' })
    expect(await qinling.call('function_aliases.list')).toContainEqual(alias)
    const job = await qinling.call('jobs.create', [], {
      ...{ function_alias: 'live', pattern: '0 0 1 1 *', function_input },
    })
    expect(job).toMatchObject({ function_alias: 'live', function_id: null })
    await qinling.call('function_aliases.update', ['live'], { function_id: other, function_version: 0 })
    expect(await qinling.call('function_aliases.get', ['live'])).toMatchObject({ function_id: other })
    await qinling.call('jobs.delete', [job.id])
    await qinling.call('function_aliases.delete', ['live'])
    await expect(qinling.call('function_aliases.get', ['live'])).rejects.toMatchObject({ status: 404 })
  })

  it('fires jobs when they are due, each as one execution', async () => {
    await using qinling = withSession('qinling')
    const executionsOf = (job: string) =>
      qinling.call('function_executions.list', [], { description: `has:${job}` })
    for (const [job, name] of [
      [once, 'once'],
      [minutely, 'minutely'],
    ] as const) {
      const [execution] = await eventually(
        async () => {
          const found = await executionsOf(job)
          expect(found[0]).toMatchObject({ status: 'success' })
          return found
        },
        { withinMs: 110_000, everyMs: 250 },
      )
      expect(execution).toMatchObject({
        ...{ description: `Created by Job ${job}`, sync: false, input: function_input, function_alias: null },
      })
      expect(await readFile(witness(name), 'utf8')).toBe('')
    }
    expect(await qinling.call('jobs.get', [once])).toMatchObject({ status: 'done', count: 0 })
    const fired = await qinling.call('jobs.get', [minutely])
    expect(2 - fired.count).toBe((await executionsOf(minutely)).length)
    for (const job of [once, minutely]) await qinling.call('jobs.delete', [job])
    expect(await executionsOf(once)).toHaveLength(1)
  })
})
