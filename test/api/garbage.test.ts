import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Json } from '../../core/action.ts'
import { startApi } from './harness.ts'

// Words that documents know, so that nonsense gets past the first check more often than not.
const keys = fc.constantFrom(
  ...[
    'client_id',
    'description',
    'job_schedule',
    'job_actions',
    'session_id',
    'session_tag',
    'action_defaults',
    'firn',
  ],
  ...[
    'schedule',
    'schedule_interval',
    'schedule_hour',
    'schedule_date',
    'event',
    'status',
    'time_created',
    'hold_off',
  ],
  ...[
    'freezer_action',
    'action_id',
    'max_retries',
    'mandatory',
    'action',
    'ssh_password',
    'client_selector',
    'timezone',
  ],
  ...[
    'start',
    'end',
    'job_id',
    'current_tag',
    'result',
    'match',
    'match_not',
    '_all',
    'container',
    'hostname',
    'backup_name',
  ],
  ...[
    'target',
    'set',
    'tag',
    'backup_id',
    'join_token',
    'csr',
    'role',
    'user_id',
    'location',
    '__proto__',
    'constructor',
    'x',
  ],
)
const { value: anyValue } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<Json>(
      '',
      '***',
      'n1',
      'j',
      '1 days',
      '3',
      '*/7',
      '2030-01-01T00:00:00',
      'start',
      'stop',
      'admin',
      '/x',
      '\0',
    ),
    fc.constantFrom<Json>(null, true, 0, -1, 1.5, 1e300, 2 ** 53, {}, []),
    fc.string({ unit: 'binary', maxLength: 5 }),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(keys, tie('value'), { maxKeys: 5, noNullPrototype: true }),
  ),
}))
const bodies = fc.oneof(
  { weight: 3, arbitrary: fc.dictionary(keys, anyValue, { maxKeys: 6, noNullPrototype: true }) },
  anyValue,
  fc
    .record({
      schedule: fc.dictionary(keys, anyValue, { maxKeys: 3 }),
      freezer: fc.dictionary(keys, anyValue, { maxKeys: 3 }),
    })
    .map(({ schedule, freezer }) => ({
      client_id: 'n1',
      job_schedule: schedule,
      schedule,
      job_actions: [{ freezer_action: freezer }],
    })),
)
const targets = fc.constantFrom(
  ...[
    'POST /v1/jobs',
    'POST /v1/jobs/j',
    'PATCH /v1/jobs/j',
    'POST /v1/jobs/j/event',
    'GET /v1/jobs',
    'DELETE /v1/jobs/k',
  ],
  ...[
    'POST /v1/sessions',
    'POST /v1/sessions/s',
    'PATCH /v1/sessions/s',
    'PATCH /v1/sessions',
    'POST /v1/sessions/s/action',
  ],
  ...[
    'PUT /v1/sessions/s/jobs/j',
    'DELETE /v1/sessions/s/jobs/j',
    'POST /v1/clients',
    'GET /v1/backups',
    'POST /v1/backups',
  ],
  ...[
    'POST /v1/actions',
    'POST /v1/actions/a',
    'PATCH /v1/actions/a',
    'POST /v2/p1/jobs',
    'POST /v1/runs',
    'POST /v1/restores',
  ],
  ...[
    'POST /v1/tokens',
    'POST /v1/join-tokens',
    'POST /v1/enrol',
    'POST /v1/repositories',
    'POST /v1/sessions/s/start',
  ],
  ...['GET /v1/jobs/%00', 'GET /v1/runs/%ff', 'GET /v1/sets/s/x', 'GET /v1/backups/b/tree?path=x'],
)

it('makes no error of ours out of anything that is sent, and stores nothing of what it refuses', async () => {
  const api = await startApi()
  await api.enrolled('n1')
  await api.ask('POST', '/v1/sessions/s', { schedule: {}, hold_off: 0 })
  const counts = { taken: 0, refused: 0 }
  await fc.assert(
    fc.asyncProperty(targets, bodies, async (target, body) => {
      const [method = '', path = ''] = target.split(' ')
      const before = await api.backend.revision()
      const answer = await api.ask(method, path, JSON.stringify(body))
      const stored = (await api.backend.revision()) - before
      const isRefused = answer.status >= 400
      counts[isRefused ? 'refused' : 'taken']++
      expect({
        unforeseen: api.failures,
        ourFault: answer.status >= 500 ? answer.text : undefined,
        storedAllTheSame: isRefused && stored > 0,
        words: isRefused ? (answer.json.description ?? answer.json.detail) : 'none',
      }).toEqual({
        unforeseen: [],
        ourFault: undefined,
        storedAllTheSame: false,
        words: expect.stringMatching(/./),
      })
    }),
    { numRuns: 1500 },
  )
  // Nonsense that is all refused at the first check shows little.
  expect(Math.min(counts.taken, counts.refused)).toBeGreaterThan(20)
})

it('bears documents of brackets only', async () => {
  const { ask } = await startApi()
  for (const body of [
    '['.repeat(200_000),
    `${'['.repeat(200_000)}${']'.repeat(200_000)}`,
    `{"job_actions":[${'0,'.repeat(200_000)}0]}`,
  ])
    expect([400, 753]).toContain((await ask('POST', '/v1/jobs', body)).status)
})
