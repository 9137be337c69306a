// Who is let in, at every route that there is.
import { describe, expect, it } from 'vitest'
import { apiRoutes } from '../../api/routes.ts'
import { startApi } from './harness.ts'
import { guarded, nameOf, pathOf, problemOf } from './walk.ts'

const here = { project_id: 'p1', accountId: 'p1' }

describe('every route', () => {
  it('takes no request without a token, in the form of its façade, and does nothing', async () => {
    const api = await startApi()
    const before = await api.backend.revision()
    for (const route of guarded)
      for (const token of ['', 'nonsense', `firn_${'0'.repeat(16)}_${'a'.repeat(43)}`]) {
        const answer = await api.ask(route.method, pathOf(route, here), undefined, token)
        expect([nameOf(route), answer.status, problemOf(route.errors, answer)]).toEqual([
          nameOf(route),
          401,
          undefined,
        ])
        expect(answer.headers.get('www-authenticate')).toMatch(/^Token /)
      }
    expect(await api.backend.revision()).toBe(before)
  })

  it('asks for a token, but for discovery, health, the reference and enrolment', () => {
    expect(apiRoutes.filter(({ role }) => role === 'nobody').map(({ path }) => path)).toEqual([
      ...['/healthz', '/readyz', '/healthcheck', '/', '/v1.0', '/qinling', '/qinling/v1'],
      ...['/v1/enrol', '/openapi.json', '/reference'],
    ])
  })

  it('that changes something refuses a viewer, and those of administrators an operator', async () => {
    const api = await startApi()
    const [viewer, operator] = [await api.token('viewer'), await api.token('operator')]
    const before = await api.backend.revision()
    for (const route of guarded) {
      const path = pathOf(route, here)
      const tries = [
        ...(route.method === 'GET' && route.role === 'viewer' ? [] : [viewer]),
        ...(route.role === 'admin' ? [operator] : []),
      ]
      for (const token of tries) {
        const answer = await api.ask(route.method, path, {}, token)
        expect([nameOf(route), answer.status, problemOf(route.errors, answer)]).toEqual([
          nameOf(route),
          403,
          undefined,
        ])
      }
    }
    expect(await api.backend.revision()).toBe(before)
  })

  it('that names a project refuses those of others; an administrator only where that is not his own', async () => {
    const api = await startApi()
    const [operator, root] = [await api.token('operator'), await api.token('admin')]
    const there = { project_id: 'p2', accountId: 'p2' }
    for (const route of guarded) {
      expect([nameOf(route), route.project?.param]).toEqual([
        nameOf(route),
        /^\/v2\/./.test(route.path) ? 'project_id' : route.errors === 'trove' ? 'accountId' : undefined,
      ])
      if (!route.project) continue
      const answer = await api.ask(route.method, pathOf(route, there), {}, operator)
      expect([nameOf(route), answer.status, problemOf(route.errors, answer)]).toEqual([
        nameOf(route),
        403,
        undefined,
      ])
      const { status } = await api.ask(route.method, pathOf(route, there), {}, root)
      expect([nameOf(route), status === 403]).toEqual([nameOf(route), route.project.admins === 'own'])
    }
  })
})
