// What was stored is read back as it was sent, defaults added and secrets hidden.
import fc, { type Arbitrary } from 'fast-check'
import { expect, it } from 'vitest'
import type { Json, JsonObject } from '../../core/action.ts'
import { apiRoutes } from '../../api/routes.ts'
import { documentsOf } from '../support/from-schema.ts'
import { startApi } from './harness.ts'

const hints: Readonly<Record<string, Arbitrary<Json>>> = {
  client_id: fc.constantFrom('old-node', 'p1_other.example.org'),
  session_id: fc.constant(''),
  // They would fill in what a document leaves out.
  action_defaults: fc.constant({}),
  session_tag: fc.nat(9),
  hold_off: fc.nat(90),
  job_schedule: fc.constantFrom<Json>(
    {},
    { schedule_interval: '5 minutes', status: 'completed', result: 'success' },
    { schedule_hour: '3', schedule_minute: '*/5', event: '' },
    { schedule_date: '2031-01-01T00:00:00' },
  ),
  schedule: fc.constantFrom<Json>({}, { schedule_interval: '1 days' }),
  firn: fc.constantFrom<Json>({ timezone: 'Europe/Paris' }),
  container: fc.constantFrom('c', '/var/backups'),
}

/**
 * Not the caller's to say, or shown elsewhere: ids are those of the path (an action whose id another one has gets a new one), the
 * alias of a session's interval is shown in its schedule, clients are shown inside `client`.
 */
const ignored = new Set([
  ...['job_id', 'session_id', 'action_id', 'user_id', 'project_id', '_version', 'action_defaults', 'client'],
  ...['time_created', 'time_started', 'time_ended', 'time_start', 'time_end', 'last_start'],
  ...['jobs', 'status', 'result', 'event', 'problem', 'schedule_interval', 'schedule_internval'],
])
const secret = /pass|secret|access_key|mysql_conf|sql_server_conf|mongo_conf|token/i

/** Whether a value says no more than its absence. */
const saysNothing = (value: Json): boolean =>
  value === null ||
  value === '' ||
  (typeof value === 'object' && Object.values(value).every((item) => saysNothing(item as Json)))

/** The first place where a shown document does not hold what was sent; undefined when it holds all of it. */
function missing(sent: Json, shown: Json | undefined, at: string): string | undefined {
  if (saysNothing(sent)) return undefined
  if (typeof sent !== 'object' || sent === null) return Object.is(sent, shown) ? undefined : at
  if (typeof shown !== 'object' || shown === null) return at
  for (const [key, value] of Object.entries(sent)) {
    if (ignored.has(key) || secret.test(key)) continue
    const wrong = missing(value as Json, (shown as JsonObject)[key], `${at}.${key}`)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

it.each<{ path: string; id: string; inside?: string; except?: string }>([
  { path: '/v2/:project_id/jobs', id: 'job_id' },
  { path: '/v2/:project_id/sessions', id: 'session_id' },
  { path: '/v2/:project_id/actions', id: 'action_id' },
  // Whose `firn` is told, not taken.
  { path: '/v2/:project_id/clients', id: 'client_id', inside: 'client', except: 'firn' },
  { path: '/v2/:project_id/backups', id: 'backup_id', inside: 'backup_metadata' },
])('POST $path', async ({ path, id, inside, except }) => {
  const api = await startApi()
  const route = apiRoutes.find((one) => one.method === 'POST' && one.path === path)
  const body = route?.doc?.body
  if (!body) throw new Error(`${path} tells of no body`)
  let stored = 0
  await fc.assert(
    fc.asyncProperty(documentsOf(body, hints), async (document) => {
      const base = path.replace(':project_id', 'p1')
      const sent = except === undefined ? document : { ...(document as JsonObject), [except]: null }
      const made = await api.ask('POST', base, JSON.stringify(sent))
      if (made.status !== 201) return
      stored++
      const one = `${base}/${made.json[id]}`
      const { json } = await api.ask('GET', one)
      expect(missing(sent, inside === undefined ? json : json[inside], '')).toBeUndefined()
      await api.ask('DELETE', one)
    }),
    { numRuns: 200 },
  )
  expect(stored).toBeGreaterThan(20)
  expect(api.failures).toEqual([])
})
