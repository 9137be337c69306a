import { describe, expect, it } from 'vitest'
import { put } from '../../../controller/state/documents.ts'
import { State } from '../../../controller/state/state.ts'
import { eventually } from '../../support/eventually.ts'
import { noUuid, startWorld, time, type World } from './world.ts'

/** As the command line sends it. */
const sent = (more: object) => ({
  ...{ name: null, status: null, pattern: null, next_execution_time: null, function_input: null },
  ...more,
})
const change = (w: World, id: string, more: object) => w.q('PUT', `/jobs/${id}`, sent(more))

/** A job in each of the states. */
const inState = {
  running: async (w: World) => w.job(),
  paused: async (w: World) => (await change(w, (await w.job()).id, { status: 'paused' })).json,
  cancelled: async (w: World) => (await change(w, (await w.job()).id, { status: 'cancelled' })).json,
  done: async (w: World) => w.fire((await w.job({ count: 1 })).id),
}

describe('the status of a job', () => {
  it.each([
    ['running', 'running', 202],
    ['running', 'paused', 202],
    ['running', 'cancelled', 202],
    ['running', 'done', 400],
    ['paused', 'running', 202],
    ['paused', 'paused', 202],
    ['paused', 'cancelled', 202],
    ['paused', 'done', 400],
    ...(['cancelled', 'done'] as const).flatMap((from) =>
      (['running', 'paused', 'cancelled', 'done'] as const).map((to) => [from, to, 400] as const),
    ),
  ] as const)('from %s to %s: %i', async (from, to, status) => {
    const w = await startWorld()
    const job = await inState[from](w)
    expect(job.status).toBe(from)
    const answer = await change(w, job.id, { status: to })
    expect(answer.status).toBe(status)
    const after = (await w.q('GET', `/jobs/${job.id}`)).json
    expect(after.status).toBe(status === 202 ? to : from)
    if (status === 202) expect(answer.json).toEqual(after)
    else
      expect(answer.json).toEqual({ faultcode: 'Client', faultstring: expect.any(String), debuginfo: null })
  })

  it.each(['done', 'canceled', 'RUNNING', ''])('is never %j', async (status) => {
    const w = await startWorld()
    const { id } = await w.job()
    const refused = await change(w, id, { status })
    expect(refused.status).toBe(400)
    expect(refused.json.faultstring).toContain('status')
  })

  it('that is final keeps the job from every change, even to nothing', async () => {
    const w = await startWorld()
    for (const state of ['cancelled', 'done'] as const) {
      const { id } = await inState[state](w)
      for (const body of [{}, { name: 'x' }, { pattern: '@daily' }, { status: 'paused' }])
        expect((await w.q('PUT', `/jobs/${id}`, body)).json.faultstring).toBe(
          `job ${id} is ${state} and cannot be changed`,
        )
    }
  })
})

describe('pausing', () => {
  it('leaves everything as it is, and nothing fires', async () => {
    const w = await startWorld()
    const before = await w.job({ count: 3 })
    const paused = (await change(w, before.id, { status: 'paused' })).json
    expect(paused).toEqual({ ...before, status: 'paused', updated_at: expect.any(String) })
    w.until(before.next_execution_time)
    w.pass(3 * 86_400_000)
    await w.look(before.id)
    expect(await w.firings(before.id)).toEqual([])
    expect((await w.q('GET', `/jobs/${before.id}`)).json).toEqual(paused)
  })

  it('ends with a resume, which goes on with the next tick and makes up for none', async () => {
    const w = await startWorld()
    w.until('2027-01-15T10:00:00Z')
    const { id } = await w.job({ count: 3 })
    await change(w, id, { status: 'paused' })
    w.until('2027-01-20T02:30:01Z')
    const resumed = (await change(w, id, { status: 'running' })).json
    expect(resumed).toMatchObject({
      status: 'running',
      count: 3,
      next_execution_time: '2027-01-21T02:30:00Z',
    })
    expect(await w.fire(id)).toMatchObject({ count: 2, next_execution_time: '2027-01-22T02:30:00Z' })
    expect(await w.firings(id)).toHaveLength(1)
  })

  it('ends what was set for once: a resume goes by the ticks again', async () => {
    const w = await startWorld()
    w.until('2027-01-15T10:00:00Z')
    const { id } = await w.job()
    const next_execution_time = '2027-03-01T00:00:00Z'
    await change(w, id, { next_execution_time })
    expect((await change(w, id, { status: 'paused' })).json).toMatchObject({ next_execution_time })
    expect((await change(w, id, { status: 'running' })).json).toMatchObject({
      next_execution_time: '2027-01-16T02:30:00Z',
    })
  })

  it('ends with a new pattern or time where the resume brings one', async () => {
    const w = await startWorld()
    w.until('2027-01-15T10:00:00Z')
    const { id } = await w.job()
    await change(w, id, { status: 'paused' })
    const next_execution_time = '2027-01-15T11:11:11Z'
    expect((await change(w, id, { status: 'running', next_execution_time })).json).toMatchObject({
      next_execution_time,
    })
    await change(w, id, { status: 'paused' })
    expect((await change(w, id, { status: 'running', pattern: '0 12 * * *' })).json).toMatchObject({
      ...{ pattern: '0 12 * * *', next_execution_time: '2027-01-15T12:00:00Z' },
    })
  })

  it('of a job that runs once ends only while its time is a minute ahead, or with another', async () => {
    const w = await startWorld()
    const first = time(w.now() + 3_600_000)
    const { id } = await w.job({ pattern: null, first_execution_time: first })
    await change(w, id, { status: 'paused' })
    expect((await change(w, id, { status: 'running' })).json).toMatchObject({ next_execution_time: first })
    await change(w, id, { status: 'paused' })
    w.until(first)
    const refused = await change(w, id, { status: 'running' })
    expect([refused.status, refused.json.faultstring]).toEqual([
      400,
      expect.stringContaining('next_execution_time'),
    ])
    const next_execution_time = time(w.now() + 90_000)
    const revived = (await change(w, id, { status: 'running', next_execution_time })).json
    expect(revived).toMatchObject({
      status: 'running',
      next_execution_time,
      first_execution_time: first,
      count: 1,
    })
    expect(await w.fire(id)).toMatchObject({ status: 'done', count: 0, next_execution_time })
    expect(await w.firings(id)).toHaveLength(1)
  })
})

describe('cancelling', () => {
  it('is for good; the document stays as it was, and nothing fires', async () => {
    const w = await startWorld()
    const before = await w.job()
    const cancelled = (await change(w, before.id, { status: 'cancelled' })).json
    expect(cancelled).toEqual({ ...before, status: 'cancelled', updated_at: expect.any(String) })
    w.until(before.next_execution_time)
    await w.look(before.id)
    expect(await w.firings(before.id)).toEqual([])
    expect((await w.q('DELETE', `/jobs/${before.id}`)).status).toBe(204)
  })
})

describe('firing', () => {
  it('makes an execution, counts it, and goes on with the next tick until none is left', async () => {
    const w = await startWorld()
    w.until('2027-01-15T10:00:00Z')
    const { id, function_id } = await w.job({ count: 2, function_input: '{"target": "pg"}' })
    expect(await w.fire(id)).toMatchObject({
      ...{ count: 1, status: 'running', next_execution_time: '2027-01-17T02:30:00Z' },
      ...{ first_execution_time: '2027-01-16T02:30:00Z', updated_at: '2027-01-16T02:30:00Z' },
    })
    expect(await w.fire(id)).toMatchObject({
      count: 0,
      status: 'done',
      next_execution_time: '2027-01-17T02:30:00Z',
    })
    w.pass(10 * 86_400_000)
    await w.look(id)
    const firings = await w.firings(id)
    expect(firings).toHaveLength(2)
    for (const one of firings)
      expect(one).toMatchObject({
        ...{ function_id, function_alias: null, sync: false, status: 'success', input: '{"target": "pg"}' },
        description: `Created by Job ${id}`,
      })
  })

  it('is never early', async () => {
    const w = await startWorld()
    const { id, next_execution_time: next } = await w.job()
    w.until(Date.parse(next) - 200)
    await w.look(id)
    expect(await w.firings(id)).toEqual([])
  })

  it('counts when it starts, whatever becomes of it', async () => {
    const w = await startWorld()
    const { id } = await w.job({ count: 2 })
    w.until((await w.q('GET', `/jobs/${id}`)).json.next_execution_time)
    await w.look(id)
    expect((await w.q('GET', `/jobs/${id}`)).json.count).toBe(1)
    expect(await w.firings(id)).toMatchObject([{ status: 'running', result: null }])
    await w.endRuns('failed')
    expect(await w.firings(id)).toMatchObject([{ status: 'failed' }])
    expect((await w.q('GET', `/jobs/${id}`)).json).toMatchObject({ count: 1, status: 'running' })
  })

  it('does not happen again for the same slot, whoever looks', async () => {
    const w = await startWorld()
    const { id } = await w.job()
    await w.fire(id)
    await w.look(id)
    await w.look(id)
    expect(await w.firings(id)).toHaveLength(1)
  })

  it('happens once where two servers look at the same moment', async () => {
    const w = await startWorld()
    const { id, next_execution_time: next } = await w.job({ count: 5 })
    const backend = w.store.backend()
    const other = new State(backend, w.context.clock)
    await eventually(() => other.loaded)
    w.until(next)
    await Promise.all([w.look(id), w.lookAs({ ...w.context, state: other }, id), w.look(id)])
    await w.context.state.catchUp()
    expect(await w.firings(id)).toHaveLength(1)
    expect((await w.q('GET', `/jobs/${id}`)).json.count).toBe(4)
    await other[Symbol.asyncDispose]()
    await backend[Symbol.asyncDispose]()
  })

  it('passes over a slot that nobody is there for, and does not count it', async () => {
    const w = await startWorld()
    const function_id = await w.saved({ firn: { client_selector: { tier: 'db' } } })
    const { id } = await w.job({ function_id, count: 1 })
    expect(await w.fire(id)).toMatchObject({ count: 1, status: 'running' })
    expect(await w.firings(id)).toEqual([])
    expect(w.context.state.get('job', 'p1', w.actionId(id))?.value.plan.skips).toMatchObject([
      { reason: 'no_client' },
    ])
  })

  it('leaves nothing of a job that runs once when nobody was there for it in time', async () => {
    const w = await startWorld()
    const { id } = await w.job({ pattern: null, first_execution_time: time(w.now() + 120_000) })
    w.pass(2 * 86_400_000)
    await w.look(id)
    expect((await w.q('GET', `/jobs/${id}`)).json).toMatchObject({ status: 'done', count: 0 })
    expect(await w.firings(id)).toEqual([])
  })

  it('makes an execution on each client that matches, and counts as one', async () => {
    const w = await startWorld()
    for (const name of ['n2', 'n3']) {
      const client = { ...(await w.enrolled(name)), labels: { tier: 'db' } }
      await w.context.state.commit({ requires: [], puts: [put('client', 'p1', client.id, client)] })
    }
    const function_id = await w.saved({ firn: { client_selector: { tier: 'db' } } })
    const { id } = await w.job({ function_id, count: 3 })
    expect(await w.fire(id)).toMatchObject({ count: 2 })
    expect(await w.firings(id)).toHaveLength(2)
  })

  it('passes over a slot at which the last one still runs, and does not count it', async () => {
    const w = await startWorld()
    const { id } = await w.job({ pattern: '* * * * *', count: 5 })
    w.until((await w.q('GET', `/jobs/${id}`)).json.next_execution_time)
    await w.look(id)
    w.pass(60_000)
    await w.look(id)
    expect((await w.q('GET', `/jobs/${id}`)).json.count).toBe(4)
    expect(await w.firings(id)).toHaveLength(1)
  })
})

describe('changing a job', () => {
  it('changes what is given and leaves what is null; texts may be emptied', async () => {
    const w = await startWorld()
    const before = await w.job({ name: 'a', function_input: 'b' })
    const renamed = await change(w, before.id, { name: '' })
    expect([renamed.status, renamed.json]).toEqual([
      202,
      { ...before, name: '', updated_at: expect.any(String) },
    ])
    expect((await change(w, before.id, { function_input: '' })).json).toMatchObject({
      name: '',
      function_input: '',
    })
  })

  it('to nothing changes nothing', async () => {
    const w = await startWorld()
    const before = await w.job()
    for (const body of [{}, sent({}), { status: 'running' }]) {
      const answer = await w.q('PUT', `/jobs/${before.id}`, body)
      expect([answer.status, answer.json]).toEqual([202, before])
    }
  })

  it('checks the other keys of a create, and ignores them', async () => {
    const w = await startWorld()
    const before = await w.job()
    const others = { count: 9, function_id: noUuid, function_alias: 'x', function_version: 3, id: noUuid }
    expect((await w.q('PUT', `/jobs/${before.id}`, { ...others, first_execution_time: 'x' })).json).toEqual(
      before,
    )
    for (const body of [
      { count: 'x' },
      { function_id: 'x' },
      { function_version: {} },
      { id: 7 },
      { first_execution_time: 7 },
    ]) {
      const refused = await w.q('PUT', `/jobs/${before.id}`, body)
      expect([refused.status, refused.json.faultstring]).toEqual([
        400,
        expect.stringContaining(Object.keys(body)[0] ?? ''),
      ])
    }
  })

  it('to a new pattern takes its next tick', async () => {
    const w = await startWorld()
    w.until('2027-01-15T10:00:00Z')
    const { id } = await w.job()
    const changed = (await change(w, id, { pattern: '0 12 * * *' })).json
    expect(changed).toMatchObject({
      ...{ pattern: '0 12 * * *', next_execution_time: '2027-01-15T12:00:00Z' },
      first_execution_time: '2027-01-16T02:30:00Z',
    })
    await change(w, id, { status: 'paused' })
    expect((await change(w, id, { pattern: '0 13 * * *' })).json).toMatchObject({
      ...{ status: 'paused', next_execution_time: '2027-01-15T13:00:00Z' },
    })
  })

  it('to a time of its own fires then, tick or not, and goes on with the ticks after it', async () => {
    const w = await startWorld()
    w.until('2027-01-15T10:00:00Z')
    const { id } = await w.job()
    const next_execution_time = '2027-01-15T17:17:17Z'
    expect((await change(w, id, { next_execution_time })).json).toMatchObject({ next_execution_time })
    await change(w, id, { name: 'renamed' })
    expect(await w.fire(id)).toMatchObject({ next_execution_time: '2027-01-16T02:30:00Z' })
    const [only] = await w.firings(id)
    expect(only.created_at).toBe(next_execution_time)
  })

  it('to another time moves a job that runs once, or a paused one', async () => {
    const w = await startWorld()
    const { id, first_execution_time } = await w.job({
      pattern: null,
      first_execution_time: '2099-01-01T00:00:00Z',
    })
    for (const status of ['running', 'paused']) {
      const next_execution_time = '2098-01-01T00:00:00Z'
      expect((await change(w, id, { status, next_execution_time })).json).toMatchObject({
        ...{ status, next_execution_time, first_execution_time },
      })
    }
  })

  it.each([
    [{ pattern: '' }, 'pattern'],
    [{ pattern: 'often' }, 'pattern'],
    [{ pattern: '0 0 30 2 *' }, 'pattern'],
    [{ pattern: '0 0 0 * * *' }, 'pattern'],
    [{ next_execution_time: '' }, 'next_execution_time'],
    [{ next_execution_time: '2020-01-01' }, 'next_execution_time'],
    [{ next_execution_time: 7 }, 'next_execution_time'],
    [{ name: 7 }, 'name'],
    [{ function_input: {} }, 'function_input'],
    [{ function_input: '{"client_id": "n9"}' }, 'function_input.client_id'],
    [{ function_input: '{"deep": {"api_key": "x"}}' }, 'function_input.deep.api_key'],
    [{ colour: 'red' }, 'colour'],
    [{ project_id: 'p1' }, 'project_id'],
    [{ created_at: null }, 'created_at'],
    [{ name: 'x', pattern: 'often' }, 'pattern'],
    [{ name: 'x', status: 'gone' }, 'status'],
  ])('to %j is refused, naming %s, and changes nothing', async (body, field) => {
    const w = await startWorld()
    const before = await w.job()
    const refused = await w.q('PUT', `/jobs/${before.id}`, body)
    expect([refused.status, refused.json.faultstring]).toEqual([400, expect.stringContaining(field)])
    expect((await w.q('GET', `/jobs/${before.id}`)).json).toEqual(before)
  })

  it('cannot change its kind', async () => {
    const w = await startWorld()
    const before = await w.job({ pattern: null, first_execution_time: '2099-01-01' })
    for (const pattern of ['@daily', ''])
      expect((await change(w, before.id, { pattern })).json.faultstring).toContain('pattern')
    expect((await w.q('GET', `/jobs/${before.id}`)).json).toEqual(before)
  })

  it('may move it to another client', async () => {
    const w = await startWorld()
    const { id } = await w.job()
    await w.enrolled('n2')
    expect((await change(w, id, { function_input: '{"client_id": "n2"}' })).status).toBe(202)
    expect(w.context.state.get('job', 'p1', w.actionId(id))?.value.client).toBe('n2')
    expect((await change(w, id, { function_input: '' })).status).toBe(202)
    expect(w.context.state.get('job', 'p1', w.actionId(id))?.value.client).toBe('n2')
  })
})

describe('deleting a job', () => {
  it('is possible in every state, once; its executions stay', async () => {
    const w = await startWorld()
    for (const state of ['running', 'paused', 'cancelled', 'done'] as const) {
      const { id } = await inState[state](w)
      const gone = await w.q('DELETE', `/jobs/${id}`)
      expect([gone.status, gone.text]).toEqual([204, ''])
      for (const method of ['GET', 'DELETE', 'PUT'])
        expect((await w.q(method, `/jobs/${id}`)).status).toBe(404)
      expect(await w.firings(id)).toHaveLength(state === 'done' ? 1 : 0)
    }
  })

  it('keeps it from firing', async () => {
    const w = await startWorld()
    const { id, next_execution_time: next } = await w.job()
    const { value } = w.context.state.get('job', 'p1', w.actionId(id)) ?? {}
    await w.q('DELETE', `/jobs/${id}`)
    w.until(next)
    expect(value).toBeDefined()
    await expect(w.look(id)).rejects.toThrow('no job')
    expect(await w.firings(id)).toEqual([])
  })
})
