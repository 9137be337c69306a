import type { Ask, Route } from '../route.ts'

/** When the published references of both versions last changed. */
const updated = '2018-02-21T13:30:00'

/** The API's versions, with links as this client reaches them. */
function versions(ask: Ask): object[] {
  const { origin } = new URL(ask.http.req.url)
  return [
    { id: 'v2', status: 'CURRENT', updated, links: [{ rel: 'self', href: `${origin}/v2/` }] },
    { id: 'v1', status: 'DEPRECATED', updated, links: [{ rel: 'self', href: `${origin}/v1/` }] },
  ]
}

/** A JSON home document. */
function home(ask: Ask, base: string, vars: readonly string[]): Response {
  const resource = {
    'href-template': `${base}/backups/{backup_id}`,
    'href-vars': Object.fromEntries(vars.map((name) => [name, `param/${name}`])),
    hints: { allow: ['GET'], formats: { 'application/json': {} } },
  }
  return ask.json({ resources: { 'rel/backups': resource } }, 200, {
    'content-type': 'application/json-home',
  })
}

export const discoveryRoutes: readonly Route[] = [
  {
    ...{ method: 'GET', path: '/', role: 'nobody', errors: 'freezer' },
    answer: (ask) => ask.json({ versions: versions(ask) }, 300),
  },
  {
    ...{ method: 'GET', path: '/v1', role: 'viewer', errors: 'freezer' },
    answer: (ask) => home(ask, '/v1', ['backup_id']),
  },
  {
    ...{ method: 'GET', path: '/v2', role: 'viewer', errors: 'freezer' },
    answer: (ask) => home(ask, '/v2/{project_id}', ['backup_id', 'project_id']),
  },
]
