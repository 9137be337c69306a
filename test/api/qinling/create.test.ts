import { describe, expect, it } from 'vitest'
import { noUuid, nothing, startWorld, time } from './world.ts'

const keys = [
  ...['count', 'created_at', 'first_execution_time', 'function_alias', 'function_id', 'function_input'],
  ...[
    'function_version',
    'id',
    'name',
    'next_execution_time',
    'pattern',
    'project_id',
    'status',
    'updated_at',
  ],
]
const uuid4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('creating a job', () => {
  it('answers 201 with every key, null where empty, and a UUID of its own', async () => {
    const { q, saved } = await startWorld()
    const function_id = await saved()
    const made = await q('POST', '/jobs', { ...nothing, function_id, pattern: '30 2 * * *' })
    expect(made.status).toBe(201)
    expect(made.headers.get('content-type')).toBe('application/json')
    expect(Object.keys(made.json).toSorted()).toEqual(keys)
    expect(made.json).toMatchObject({
      ...{ id: expect.stringMatching(uuid4), function_id, function_alias: null, function_version: 0 },
      ...{ function_input: null, name: null, count: null, status: 'running', pattern: '30 2 * * *' },
      ...{ project_id: 'p1', updated_at: null },
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    })
    expect(made.json.next_execution_time).toMatch(/T02:30:00Z$/)
    expect(made.json.first_execution_time).toBe(made.json.next_execution_time)
    expect((await q('GET', `/jobs/${made.json.id}`)).json).toEqual(made.json)
  })

  it('with a time only, it runs once at that time, and counts one', async () => {
    const { job, now } = await startWorld()
    const first = time(now() + 3_600_000)
    for (const count of [null, 0, 1, '1', '0']) {
      const made = await job({ pattern: null, first_execution_time: first, count })
      expect(made).toMatchObject({
        ...{ pattern: null, count: 1 },
        first_execution_time: first,
        next_execution_time: first,
      })
    }
  })

  it('with a pattern only, begins at the first tick after now, however near', async () => {
    const { job, until } = await startWorld()
    until('2027-01-15T02:29:58.500Z')
    expect(await job()).toMatchObject({ first_execution_time: '2027-01-15T02:30:00Z' })
  })

  it('with both, begins at the first tick at or after the time', async () => {
    const { job, until } = await startWorld()
    until('2027-01-15T00:00:00.500Z')
    for (const [first, tick] of [
      ['2027-02-01T02:30:00Z', '2027-02-01T02:30:00Z'],
      ['2027-02-01T02:30:01Z', '2027-02-02T02:30:00Z'],
      ['2027-02-01T02:30:59Z', '2027-02-02T02:30:00Z'],
      ['2027-02-01T02:29:59Z', '2027-02-01T02:30:00Z'],
    ])
      expect(await job({ first_execution_time: first })).toMatchObject({
        ...{ first_execution_time: tick, next_execution_time: tick },
      })
  })

  it.each([
    ['2027-02-01T10:00:00Z', '2027-02-01T10:00:00Z'],
    ['2027-02-01T10:00:00', '2027-02-01T10:00:00Z'],
    ['2027-02-01 10:00:00', '2027-02-01T10:00:00Z'],
    ['2027-02-01T10:00:00.987Z', '2027-02-01T10:00:00Z'],
    ['2027-02-01T10:00:00.9', '2027-02-01T10:00:00Z'],
    ['2027-02-01 10:00:00.123456', '2027-02-01T10:00:00Z'],
    ['2027-02-01', '2027-02-01T00:00:00Z'],
    ['2027-02-01T10:00:00+05:00', '2027-02-01T05:00:00Z'],
    ['2027-02-01T10:00:00-0130', '2027-02-01T11:30:00Z'],
  ])('takes the time %s', async (first_execution_time, shown) => {
    const { job } = await startWorld()
    expect(await job({ pattern: null, first_execution_time })).toMatchObject({ next_execution_time: shown })
  })

  it('takes numbers as digits, an empty name, text as an input byte for byte, and no pattern as an empty one', async () => {
    const { job } = await startWorld()
    const function_input = '  {"name": "Foo",\t"x":[1]} \u2603 '
    const made = await job({
      count: '3',
      function_version: null,
      name: '',
      function_input,
      first_execution_time: '',
    })
    expect(made).toMatchObject({ count: 3, function_version: 0, name: '', function_input })
    expect(await job({ function_input: 'no JSON at all', function_version: '1' })).toMatchObject({
      ...{ function_input: 'no JSON at all', function_version: 1 },
    })
    expect(await job({ name: 'n'.repeat(255), function_input: 'i'.repeat(255) })).toBeDefined()
    expect(await job({ pattern: '', first_execution_time: '2099-01-01' })).toMatchObject({ pattern: null })
  })

  it('ignores an id, a status and a next time', async () => {
    const { job } = await startWorld()
    const made = await job({ id: noUuid, status: 'paused', next_execution_time: '2099-01-01' })
    expect(made).toMatchObject({ status: 'running' })
    expect(made.id).not.toBe(noUuid)
  })

  it('takes an alias rather than an id, and needs no id beside it', async () => {
    const { q, saved, job } = await startWorld()
    await q('POST', '/aliases', { name: 'nightly', function_id: await saved() })
    const called = { function_id: null, function_alias: 'nightly', function_version: null }
    expect(await job(called)).toMatchObject({
      function_id: null,
      function_alias: 'nightly',
      function_version: 0,
    })
    expect(await job({ function_alias: 'nightly' })).toMatchObject({ function_id: null })
  })

  it('takes the shortest of periods', async () => {
    const { job } = await startWorld()
    expect(await job({ pattern: '* * * * *' })).toMatchObject({ pattern: '* * * * *' })
  })
})

describe('a job that is refused', () => {
  const soon = () => time(Date.now() + 58_000)

  it.each<[string, number, string, (function_id: string) => unknown]>([
    ['no body', 400, 'function_id', () => undefined],
    ['no JSON', 400, 'JSON', () => '{"name":'],
    ['a list', 400, 'body', () => []],
    ['a text', 400, 'body', () => '"x"'],
    ['null', 400, 'body', () => 'null'],
    ['an unknown key', 400, 'colour', (function_id) => ({ function_id, pattern: '@daily', colour: 'red' })],
    [
      'a project_id',
      400,
      'project_id',
      (function_id) => ({ function_id, pattern: '@daily', project_id: 'p2' }),
    ],
    [
      'a created_at',
      400,
      'created_at',
      (function_id) => ({ function_id, pattern: '@daily', created_at: null }),
    ],
    [
      'an updated_at',
      400,
      'updated_at',
      (function_id) => ({ function_id, pattern: '@daily', updated_at: 'x' }),
    ],
    ['a name that is none', 400, 'name', (function_id) => ({ function_id, pattern: '@daily', name: 7 })],
    [
      'a name too long',
      400,
      'name',
      (function_id) => ({ function_id, pattern: '@daily', name: 'n'.repeat(256) }),
    ],
    ['an id that is no UUID', 400, 'id', (function_id) => ({ function_id, pattern: '@daily', id: 'x' })],
    ['a function_id that is no UUID', 400, 'function_id', () => ({ function_id: 'x', pattern: '@daily' })],
    [
      'an object as input',
      400,
      'function_input',
      (function_id) => ({ function_id, pattern: '@daily', function_input: {} }),
    ],
    [
      'a number as input',
      400,
      'function_input',
      (function_id) => ({ function_id, pattern: '@daily', function_input: 1 }),
    ],
    [
      'a list as input',
      400,
      'function_input',
      (function_id) => ({ function_id, pattern: '@daily', function_input: [] }),
    ],
    [
      'a flag as input',
      400,
      'function_input',
      (function_id) => ({ function_id, pattern: '@daily', function_input: true }),
    ],
    ['a count that is none', 400, 'count', (function_id) => ({ function_id, pattern: '@daily', count: 'x' })],
    ['a broken count', 400, 'count', (function_id) => ({ function_id, pattern: '@daily', count: 1.5 })],
    [
      'a version that is none',
      400,
      'function_version',
      (function_id) => ({ function_id, pattern: '@daily', function_version: 'x' }),
    ],
    ['no function', 400, 'function_id', () => ({ ...nothing, pattern: '@daily' })],
    ['no pattern and no time', 400, 'first_execution_time', (function_id) => ({ ...nothing, function_id })],
    [
      'an empty pattern and time',
      400,
      'first_execution_time',
      (function_id) => ({ function_id, pattern: '', first_execution_time: '' }),
    ],
    [
      'a time too near',
      400,
      'first_execution_time',
      (function_id) => ({ function_id, first_execution_time: soon() }),
    ],
    [
      'a time too near with a pattern',
      400,
      'first_execution_time',
      (function_id) => ({ function_id, pattern: '@daily', first_execution_time: soon() }),
    ],
    [
      'a time past',
      400,
      'first_execution_time',
      (function_id) => ({ function_id, first_execution_time: '2020-01-01' }),
    ],
    [
      'a time that is a number',
      400,
      'first_execution_time',
      (function_id) => ({ function_id, first_execution_time: 1_900_000_000 }),
    ],
    [
      'a time in English',
      400,
      'first_execution_time',
      (function_id) => ({ function_id, first_execution_time: 'tomorrow' }),
    ],
    [
      'a day that no calendar has',
      400,
      'first_execution_time',
      (function_id) => ({ function_id, first_execution_time: '2099-02-30' }),
    ],
    [
      'an offset that is none',
      400,
      'first_execution_time',
      (function_id) => ({ function_id, first_execution_time: '2099-01-01T00:00:00+25:00' }),
    ],
    [
      'a time beyond what can be written',
      400,
      'first_execution_time',
      (function_id) => ({ function_id, first_execution_time: '9999-12-31T23:00:00-10:00' }),
    ],
    [
      'a time after which the pattern has no date',
      400,
      'first_execution_time',
      (function_id) => ({ function_id, pattern: '@daily', first_execution_time: '9999-12-31T23:00:00Z' }),
    ],
    ['a step through nothing', 400, 'pattern', (function_id) => ({ function_id, pattern: '/5 * * * *' })],
    ['a day 32', 400, 'day: 32', (function_id) => ({ function_id, pattern: '0 0 32 * *' })],
    ['a month 13', 400, 'month: 13', (function_id) => ({ function_id, pattern: '0 0 * 13 *' })],
    [
      'a count of many for one time',
      400,
      'count',
      (function_id) => ({ function_id, first_execution_time: '2099-01-01', count: 2 }),
    ],
    [
      'a count below one with a pattern',
      400,
      'count',
      (function_id) => ({ function_id, pattern: '@daily', count: 0 }),
    ],
    ['a negative count', 400, 'count', (function_id) => ({ function_id, pattern: '@daily', count: -1 })],
    ['a bad pattern', 400, 'pattern', (function_id) => ({ function_id, pattern: 'often' })],
    [
      'a bad pattern for an unknown function',
      400,
      'pattern',
      () => ({ function_id: noUuid, pattern: 'often' }),
    ],
    ['six fields', 400, 'pattern', (function_id) => ({ function_id, pattern: '0 0 2 * * *' })],
    ['a pattern that never fires', 400, 'pattern', (function_id) => ({ function_id, pattern: '0 0 31 2 *' })],
    [
      'a date as a pattern',
      400,
      'pattern',
      (function_id) => ({ function_id, pattern: '2099-01-01T00:00:00' }),
    ],
    ['an unknown alias', 404, 'alias', () => ({ function_alias: 'none', pattern: '@daily' })],
    ['an unknown function', 404, 'function', () => ({ function_id: noUuid, pattern: '@daily' })],
    [
      'an unknown version',
      404,
      'version',
      (function_id) => ({ function_id, function_version: 7, pattern: '@daily' }),
    ],
    [
      'a secret in its input',
      400,
      'function_input.ssh_password',
      (function_id) => ({ function_id, pattern: '@daily', function_input: '{"ssh_password": "x"}' }),
    ],
    [
      'a client that is none',
      400,
      'function_input.client_id',
      (function_id) => ({ function_id, pattern: '@daily', function_input: '{"client_id": "bad host!"}' }),
    ],
    [
      'a client without an agent',
      400,
      'function_input.client_id',
      (function_id) => ({ function_id, pattern: '@daily', function_input: '{"client_id": "n9"}' }),
    ],
  ])('%s: %i, naming %s, and nothing is stored', async (_what, status, named, body) => {
    const { q, saved, failures } = await startWorld()
    const refused = await q('POST', '/jobs', body(await saved()))
    expect([refused.status, refused.json]).toEqual([
      status,
      { faultcode: 'Client', faultstring: expect.stringContaining(named), debuginfo: null },
    ])
    expect(refused.headers.get('content-type')).toBe('application/json')
    expect((await q('GET', '/jobs')).json).toEqual({ jobs: [] })
    expect(failures).toEqual([])
  })

  it('another project’s function and alias are unknown', async () => {
    const { q, saved, token } = await startWorld()
    const stranger = await token('operator', 'u2', 'p2')
    const function_id = await saved()
    await q('POST', '/aliases', { name: 'a', function_id })
    for (const called of [{ function_id }, { function_alias: 'a' }])
      expect((await q('POST', '/jobs', { ...called, pattern: '@daily' }, stranger)).status).toBe(404)
  })

  it('that is no JSON by its own word is 415', async () => {
    const { ask } = await startWorld()
    const refused = await ask('POST', '/qinling/v1/jobs', '{}', undefined, { 'content-type': 'text/plain' })
    expect([refused.status, refused.json.faultcode]).toEqual([415, 'Client'])
  })
})

describe('where a function runs', () => {
  const input = (value: object) => JSON.stringify(value)

  it('is the client of the input, else the action’s, else the project’s only one', async () => {
    const { job, saved, enrolled, context } = await startWorld()
    const clientOf = (shown: { id: string }) =>
      context.state.get('job', 'p1', shown.id.replaceAll('-', ''))?.value.client
    expect(clientOf(await job())).toBe('n1')
    await enrolled('n2')
    const bound = await saved({ firn: { client_id: 'n2' } })
    expect(clientOf(await job({ function_id: bound }))).toBe('n2')
    expect(clientOf(await job({ function_id: bound, function_input: input({ client_id: 'n1' }) }))).toBe('n1')
  })

  it('may be all that have some labels', async () => {
    const { job, saved, context } = await startWorld()
    const { id } = await job({ function_id: await saved({ firn: { client_selector: { tier: 'db' } } }) })
    const stored = context.state.get('job', 'p1', id.replaceAll('-', ''))?.value
    expect(stored).toMatchObject({ selector: { tier: 'db' } })
    expect(stored).not.toHaveProperty('client')
  })

  it('must be said where there are several clients, or none', async () => {
    const { q, saved, enrolled } = await startWorld()
    await enrolled('n2')
    const refused = await q('POST', '/jobs', { function_id: await saved(), pattern: '@daily' })
    expect(refused.status).toBe(400)
    expect(refused.json.faultstring).toMatch(/function_input.*client_id.*2 enrolled clients/)
  })
})
