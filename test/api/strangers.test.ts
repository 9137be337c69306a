// Another project's documents, at every route that there is.
import { beforeAll, describe, expect, it } from 'vitest'
import type { Route } from '../../api/route.ts'
import { put } from '../../controller/state/documents.ts'
import { slotAt, uuidOf, type RepositoryId } from '../../core/ids.ts'
import { setIdOf } from '../../core/set.ts'
import { aBackup, aRun, aSet, noon, states } from '../support/builders.ts'
import { admin, smallJob, type Api } from './harness.ts'
import { startTrove } from './trove/rig.ts'
import { documentsOf, guarded, nameOf, pathOf } from './walk.ts'

describe('what belongs to another project', () => {
  let api: Api
  let ids: Readonly<Record<string, string>>
  let byRoute: Readonly<Record<string, Readonly<Record<string, string>>>>

  // One of everything, in p1.
  beforeAll(async () => {
    const trove = await startTrove()
    api = trove.api
    await api.enrolled('node1')
    const { job_id } = (await api.ask('POST', '/v1/jobs', smallJob('node1'))).json
    const { session_id } = (await api.ask('POST', '/v1/sessions', { schedule: {} })).json
    await api.ask('PUT', `/v1/sessions/${session_id}/jobs/${job_id}`)
    const { action_id } = (await api.ask('POST', '/v1/actions', smallJob('n').job_actions[0])).json
    const { repository_id } = (await api.ask('POST', '/v1/repositories', { location: '/srv/backups' })).json
    const { token_id } = (await api.ask('POST', '/v1/tokens', { user_id: 'u', role: 'viewer' })).json
    const function_id = uuidOf(action_id)
    await api.ask('POST', '/qinling/v1/aliases', { name: 'nightly', function_id })
    const call = { function_id, pattern: '@daily', function_input: '{"client_id": "node1"}' }
    const called = (await api.ask('POST', '/qinling/v1/jobs', call)).json.id
    const run = aRun({ restore: 'rest1', job: job_id, slot: slotAt(api.now()) })
    const set = aSet({ session: session_id, tag: 1 })
    const backup = aBackup({ user: admin, repository: repository_id as RepositoryId })
    const done = aRun({ job: job_id, slot: slotAt(noon), state: states.finished('success') })
    await api.context.state.commit({
      requires: [],
      puts: [
        put('run', run.project, run.id, run),
        put('run', done.project, done.id, done),
        put('set', set.project, setIdOf(set.session, set.tag), set),
        put('backup', backup.project, backup.id, backup),
      ],
    })
    const made = await trove.backupIs()
    ids = {
      ...{ project_id: 'p2', accountId: 'p2', client_id: 'node1', restore_id: 'rest1', name: 'nightly' },
      ...{ job_id, session_id, action_id, repository_id, token_id, function_id, tag: '1' },
      ...{ run_id: run.id, backup_id: backup.id, execution_id: uuidOf(run.id), flavor: 'none' },
      ...{ datastore: 'none', version: 'none' },
    }
    byRoute = {
      '/qinling/v1/jobs/:job_id': { job_id: called },
      '/v1.0/:accountId/backups/:id': { id: made.id },
      '/v1.0/:accountId/instances/:id': { id: trove.instance.id },
      '/v1.0/:accountId/instances/:id/backups': { id: trove.instance.id },
    }
  })

  const valuesFor = ({ path }: Route): Record<string, string> => ({ ...ids, ...byRoute[path] })

  /** Those with an id in their path that is not the project's. A POST to an id of the caller's choice makes one. */
  const routes = guarded.filter(
    ({ method, path, project }) =>
      (path.match(/:\w+/g) ?? []).length > (project ? 1 : 0) &&
      !(method === 'POST' && /:(job|session|action)_id$/.test(path)),
  )

  it('is there for its own', async () => {
    const mine = { project_id: 'p1', accountId: 'p1' }
    const gets = routes.filter(
      ({ method, path }) => method === 'GET' && !/logs?$|tree$|datastore|flavor/.test(path),
    )
    expect(gets.length).toBeGreaterThan(20)
    for (const route of gets) {
      const { status } = await api.ask('GET', pathOf(route, { ...valuesFor(route), ...mine }))
      expect([nameOf(route), status]).toEqual([nameOf(route), 200])
    }
  })

  it('is not there for others, whatever they try', async () => {
    const operator = await api.token('operator', 'u-eve', 'p2')
    const root = await api.token('admin', 'u-root', 'p2')
    const before = documentsOf(api, 'p1')
    for (const route of routes) {
      // Administrators do end tokens of other projects, and what Trove's and Qinling's contracts say.
      const isTheirs = route.path === '/v1/tokens/:token_id' || /trove|qinling/.test(route.errors)
      const tokens = [...(route.role === 'admin' ? [] : [operator]), ...(isTheirs ? [] : [root])]
      for (const token of tokens)
        for (const body of [undefined, {}]) {
          const { status, text } = await api.ask(route.method, pathOf(route, valuesFor(route)), body, token)
          // What a body lacks may be said first; that it is there must not.
          const isRight =
            status === 404 || (route.method !== 'GET' && route.method !== 'DELETE' && status === 400)
          expect([nameOf(route), isRight, status, text]).toEqual([nameOf(route), true, status, text])
        }
    }
    expect(documentsOf(api, 'p1')).toBe(before)
  })

  it('is in no list of others', async () => {
    const root = await api.token('admin', 'u-root', 'p2')
    const lists = guarded.filter(
      ({ method, path, project, gives, role, errors }) =>
        method === 'GET' &&
        (path.match(/:\w+/g) ?? []).length === (project ? 1 : 0) &&
        gives === undefined &&
        // Administrators of Trove list all accounts there.
        !(errors === 'trove' && role === 'admin'),
    )
    expect(lists.length).toBeGreaterThan(15)
    const known = [...Object.values(ids), ...Object.values(byRoute).map(({ id }) => id ?? '')]
    const theirs = known.filter((id) => id.length > 8)
    for (const route of lists) {
      const { status, text } = await api.ask('GET', pathOf(route, valuesFor(route)), undefined, root)
      expect([nameOf(route), status, theirs.filter((id) => text.includes(id))]).toEqual([
        nameOf(route),
        status,
        [],
      ])
    }
  })
})
