import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Json } from '../../../core/action.ts'
import { base, noUuid, startWorld } from './world.ts'

/** Words that Qinling's documents know, and a few that nothing does. */
const words = [
  ...[
    'id',
    'name',
    'function_id',
    'function_alias',
    'function_version',
    'function_input',
    'pattern',
    'count',
  ],
  ...[
    'first_execution_time',
    'next_execution_time',
    'status',
    'project_id',
    'created_at',
    'updated_at',
    'sync',
  ],
  ...['input', 'description', '__proto__', 'constructor', 'colour'],
]
const leaves: Json[] = [
  ...[null, true, false, 0, 1, -1, 1.5, 1e300, 2 ** 53, '', ' ', '0', '3', 'x', '***', '\0', '\ud800'],
  ...[
    '* * * * *',
    '@daily',
    '@reboot',
    '0 0 31 2 *',
    '0 0 29 2 *',
    '*/0 * * * *',
    '? ? ? ? ?',
    '1-2-3 * * * *',
  ],
  ...[
    '2099-01-01',
    '2099-01-01T00:00:00Z',
    '2099-02-30',
    '9999-12-31T23:59:59Z',
    '0000-00-00',
    '2099-01-01T00:00:00+05:00',
  ],
  ...['running', 'paused', 'cancelled', 'done', noUuid, noUuid.toUpperCase(), 'p1', 'a', 'x'.repeat(300)],
  ...[
    '{"client_id": "n1"}',
    '{"client_id": 7}',
    '{"command": []}',
    '[]',
    '{',
    '{"a":'.repeat(40) + '1' + '}'.repeat(40),
  ],
]
const { value: anyValue } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    { weight: 6, arbitrary: fc.constantFrom(...leaves) },
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.array(tie('value'), { maxLength: 2 }),
    fc.dictionary(fc.constantFrom(...words), tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
}))
const bodies = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.dictionary(fc.constantFrom(...words), anyValue, { maxKeys: 5, noNullPrototype: true }),
  },
  anyValue,
)
/** What makes a body good, so that single wrong values are tried, too. `F`: a function that there is. */
const bases = fc.constantFrom<{ [key: string]: Json }>(
  {},
  { function_id: 'F', pattern: '@daily' },
  { function_id: 'F', first_execution_time: '2099-01-01' },
  { function_id: 'F', sync: false },
  { function_alias: 'a', pattern: '* * * * *', count: 2 },
  { name: 'b', function_id: 'F' },
)
const queries = fc.constantFrom(
  ...[
    '',
    '?all_projects=1',
    '?project_id=has:p',
    '?status=eq:running',
    '?name=in:a,b',
    '?limit=1',
    '?limit=-1',
  ],
  ...['?description=has:x', '?function_id=x', '?x=y', '?status=gt:', '?project_id=%00', '?name=%ff'],
)

it('no body, whatever it holds, makes a 500; what is refused names its field and changes nothing', async () => {
  const w = await startWorld()
  const { id, function_id } = await w.job()
  await w.q('POST', '/aliases', { name: 'a', function_id })
  const { json: run } = await w.q('POST', '/executions', { function_id, sync: false })
  const targets = fc.constantFrom(
    ...[
      'POST /jobs',
      `PUT /jobs/${id}`,
      'POST /executions',
      'POST /aliases',
      'PUT /aliases/a',
      `PUT /jobs/${noUuid}`,
    ],
    ...[
      'GET /jobs',
      'GET /executions',
      'GET /functions',
      'GET /aliases',
      `GET /executions/${run.id}`,
      'PUT /jobs/x',
    ],
  )
  /** Everything that is stored: when nothing was written, nothing has changed. */
  const stored = () =>
    JSON.stringify(
      (['job', 'run', 'alias', 'action'] as const).map((kind) =>
        [...w.context.state.all(kind)].map(({ revision }) => revision),
      ),
    )
  await fc.assert(
    fc.asyncProperty(targets, bases, bodies, queries, async (target, good, sent, query) => {
      const [method = '', path = ''] = target.split(' ')
      const isObject = typeof sent === 'object' && sent !== null && !Array.isArray(sent)
      // Nobody ends what is called here: a call that is waited for would be waited for in vain.
      const waiting = isObject && path === '/executions' ? unwaited({ ...good, ...sent }) : {}
      const body = isObject ? { ...good, ...sent, ...waiting } : sent
      const whole = JSON.stringify(body).replaceAll('"F"', JSON.stringify(function_id))
      const before = stored()
      const answer = await w.ask(
        method,
        `${base}${path}${method === 'GET' ? query : ''}`,
        method === 'GET' ? undefined : whole,
      )
      expect(answer.status, `${target} ${whole} ${answer.text}`).toBeLessThan(500)
      if (answer.status < 400) return
      expect(answer.headers.get('content-type')).toBe('application/json')
      expect(answer.json).toEqual({ faultcode: 'Client', faultstring: expect.any(String), debuginfo: null })
      expect(stored()).toBe(before)
      if (answer.status === 400 && method !== 'GET') expect(answer.json.faultstring).toMatch(fieldNamed)
    }),
    { numRuns: 1_500 },
  )
  expect(w.failures).toEqual([])
})

/** A refusal begins with the field that is wrong, or says what the job is. */
const fieldNamed = /^[\w. ]+: |^job \S+ is (done|cancelled)/

const unwaited = ({ sync }: { [key: string]: Json }): { sync?: Json } =>
  sync === undefined || sync === null || sync === true ? { sync: false } : {}

/** So many UTF-16 units, and none that steers a terminal. */
const isName = (text: string): boolean => text.length <= 255 && !/\p{Cc}/u.test(text)

it('what was stored comes back as it was sent, defaults added', async () => {
  const w = await startWorld()
  const function_id = await w.saved()
  const documents = fc.record(
    {
      name: fc.option(fc.string({ unit: 'binary', maxLength: 255 }).filter(isName)),
      function_input: fc.option(fc.string({ unit: 'grapheme', maxLength: 80 })),
      pattern: fc.constantFrom('@hourly', '*/5 2-4 * * mon-fri', '0 0 29 2 *', '0 0 L * *'),
      count: fc.option(fc.integer({ min: 1, max: 1_000_000 })),
      function_version: fc.constantFrom(0, 1),
      first_execution_time: fc.option(fc.constantFrom('2098-12-31T23:00:00Z')),
    },
    { requiredKeys: ['pattern'], noNullPrototype: true },
  )
  await fc.assert(
    fc.asyncProperty(documents, async (document) => {
      const made = await w.q('POST', '/jobs', { ...document, function_id })
      expect(made.status, made.text).toBe(201)
      const shown = (await w.q('GET', `/jobs/${made.json.id}`)).json
      expect(shown).toEqual(made.json)
      const { first_execution_time: first, ...kept } = document
      expect(shown).toMatchObject({
        ...{ name: null, function_input: null, count: null, function_version: 0 },
        ...kept,
        function_id,
      })
      if (first) expect(shown.first_execution_time >= first).toBe(true)
    }),
    { numRuns: 150 },
  )
})
