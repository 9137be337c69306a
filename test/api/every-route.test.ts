// Whatever is sent to whatever route: an answer that its reference tells of, and nothing stored by what was refused.
import fc, { type Arbitrary } from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Json } from '../../core/action.ts'
import type { Route } from '../../api/route.ts'
import { apiRoutes } from '../../api/routes.ts'
import { documentsOf, spoilt } from '../support/from-schema.ts'
import { project, smallJob, startApi, type Answer, type Api } from './harness.ts'

const api = await startApi()
await api.enrolled('n1')
const { job_id: job } = (await api.ask('POST', '/v1/jobs', smallJob('n1'))).json
const { session_id: session } = (await api.ask('POST', '/v1/sessions', { schedule: {} })).json
const { action_id: action } = (await api.ask('POST', '/v1/actions', { freezer_action: { action: 'exec' } }))
  .json
await api.ask('PUT', `/v1/sessions/${session}/jobs/${job}`)

const odd = fc.constantFrom('x', 'n1', '0', '%00', '%2F', 'é', 'a'.repeat(300), job, session, action)

/** What stands in a path: most often what is there, so that requests get further than "not found". */
const params: Readonly<Record<string, Arbitrary<string>>> = {
  project_id: fc.constant(project),
  accountId: fc.constant(project),
  job_id: fc.oneof(fc.constant(job), odd),
  session_id: fc.oneof(fc.constant(session), odd),
  action_id: fc.oneof(fc.constant(action), odd),
  client_id: fc.oneof(fc.constant('n1'), odd),
}

/** Values that mean something under these names. */
const hints: Readonly<Record<string, Arbitrary<Json>>> = {
  client_id: fc.constantFrom('n1', 'p1_n1'),
  job_id: fc.constant(job),
  session_id: fc.constant(session),
  action_id: fc.constant(action),
  function_id: fc.constant(action),
  schedule_interval: fc.constantFrom('5 minutes', '1 days', 'continuous', '0 days'),
  schedule_date: fc.constantFrom('2030-01-01T00:00:00', '2030-02-31T00:00:00'),
  pattern: fc.constantFrom('*/5 * * * *', '0 0 31 2 *', '@daily', ''),
  freezer_action: fc.constantFrom<Json>(
    { action: 'exec', command: 'true' },
    { action: 'backup', path_to_backup: '/etc', password: 'secret' },
    { action: 'dance' },
  ),
}

function pathsOf({ path }: Route): Arbitrary<string> {
  const parts = path.split('/').map((part) => {
    if (!part.startsWith(':')) return fc.constant(part)
    return params[part.slice(1)] ?? odd
  })
  return fc.tuple(...parts).map((made) => made.join('/'))
}

const queries = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  fc
    .dictionary(
      fc.constantFrom('limit', 'offset', 'cursor', 'marker', 'all_projects', 'project_id', 'state', 'status'),
      fc.constantFrom('', '0', '1', '-1', '10', 'x', 'true', 'eq:x', 'in:a,b', '99999999999999999999', '%00'),
      { maxKeys: 3, noNullPrototype: true },
    )
    .map((query) => `?${new URLSearchParams(query).toString()}`),
)

function bodiesOf({ doc }: Route): Arbitrary<Json | undefined> {
  const { body } = doc ?? {}
  if (!body) return fc.constant(undefined)
  const good = documentsOf(body, hints)
  return fc.oneof(good, good.chain(spoilt))
}

/** All that is stored, but for what is written of requests themselves. */
const storedNow = ({ backend }: Api): Promise<number> => backend.revision()

/** Where an error of each form says what is wrong. */
function messageOf({ json }: Answer): string {
  const fault = Object.values(json as object).find((value) => typeof value === 'object' && value?.message)
  return String(json.description ?? json.detail ?? json.faultstring ?? fault?.message)
}

/** What is wrong with a request: the names that an error about it may tell. undefined: nothing that a schema could say. */
function faultyFields({ doc, path }: Route, body: Json | undefined): string[] | undefined {
  const parsed = doc?.body?.safeParse(body === undefined ? {} : body)
  if (!parsed || parsed.success) return undefined
  const fields = parsed.error.issues.flatMap((issue) => {
    const at = issue.path.findLast((part) => typeof part === 'string')
    return [
      ...(at === undefined ? ['body'] : [String(at)]),
      ...(issue.code === 'unrecognized_keys' ? issue.keys.map((key) => key.slice(0, 20)) : []),
    ]
  })
  // The path is looked at first.
  return [...fields, ...(path.match(/(?<=:)\w+/g) ?? [])]
}

// Streams stay open; executions wait for their run.
const streams = new Set(['GET /v1/events', 'GET /v1/runs/:run_id/logs'])
const tried = apiRoutes.filter(({ method, path }) => !streams.has(`${method} ${path}`))

describe.each(tried.map((route) => ({ name: `${route.method} ${route.path}`, route })))(
  '$name',
  ({ route }) => {
    it('answers as its reference tells, refuses by name, and stores nothing of what it refuses', async () => {
      const requests = fc.tuple(pathsOf(route), queries, bodiesOf(route))
      await fc.assert(
        fc.asyncProperty(requests, async ([path, query, body]) => {
          const before = await storedNow(api)
          const { method } = route
          // The harness holds every answer against the reference.
          const answer = await api.ask(
            method,
            path + query,
            body === undefined ? undefined : JSON.stringify(body),
          )
          expect(api.failures).toEqual([])
          // 501: Trove's clients know what no installation of it offers.
          expect([501, 753].includes(answer.status) || answer.status < 500).toBe(true)
          if (answer.status < 400) return
          expect(await storedNow(api)).toBe(before)
          const fields = answer.status === 400 ? faultyFields(route, body) : undefined
          if (fields && !query)
            expect(
              fields.filter((field) => messageOf(answer).includes(field)),
              messageOf(answer),
            ).not.toEqual([])
        }),
        { numRuns: route.doc?.body ? 60 : 20 },
      )
    })
  },
)
