import { z } from 'zod'
import { operation } from '../operation.ts'
import type { Ask, Route } from '../route.ts'
import { looks } from './spec.ts'

/** When the published references last changed. */
const updated = '2018-02-21T13:30:00'
const troveUpdated = '2012-08-01T00:00:00Z'

/** The versions of every API here: Freezer's, Trove's and Qinling's, with links as this client reaches them. */
function versions(ask: Ask): object[] {
  const { origin } = new URL(ask.http.req.url)
  const self = (path: string) => ({ rel: 'self', href: origin + path })
  return [
    { id: 'v2', status: 'CURRENT', updated, links: [self('/v2/')] },
    { id: 'v1', status: 'DEPRECATED', updated, links: [self('/v1/')] },
    { id: 'v1.0', status: 'CURRENT', updated: troveUpdated, links: [self('/v1.0/')] },
    { id: 'v1.0', status: 'CURRENT', links: [{ ...self('/qinling/v1'), target: 'v1' }] },
  ]
}

const homeType = 'application/json-home'

/** A JSON home document. */
function home(ask: Ask, base: string, vars: readonly string[]): Response {
  const resource = {
    'href-template': `${base}/backups/{backup_id}`,
    'href-vars': Object.fromEntries(vars.map((name) => [name, `param/${name}`])),
    hints: { allow: ['GET'], formats: { 'application/json': {} } },
  }
  return ask.json({ resources: { 'rel/backups': resource } }, 200, {
    'content-type': homeType,
  })
}

const homeForm = z.object({ resources: z.looseObject({}) })
const versionForm = z.looseObject({
  id: z.string(),
  status: z.string(),
  links: z.array(z.looseObject({ rel: z.string(), href: z.string() })),
})
const about = { errors: 'freezer', tag: 'Discovery' } as const

/** What there is, for clients that do not know. */
export const discoveryRoutes: readonly Route[] = [
  operation({
    ...{ ...about, method: 'GET', path: '/', role: 'nobody', id: 'listVersions' },
    summary: 'List the versions of every API of this server',
    answers: { 300: z.object({ versions: z.array(versionForm) }) },
    answer: (ask) => ask.json({ versions: versions(ask) }, 300),
  }),
  operation({
    ...{ ...about, ...looks, path: '/v1', id: 'showV1', gives: homeType, answers: { 200: homeForm } },
    summary: 'Show the home document of Freezer v1',
    answer: (ask) => home(ask, '/v1', ['backup_id']),
  }),
  operation({
    ...{ ...about, ...looks, path: '/v2', id: 'showV2', gives: homeType, answers: { 200: homeForm } },
    summary: 'Show the home document of Freezer v2',
    answer: (ask) => home(ask, '/v2/{project_id}', ['backup_id', 'project_id']),
  }),
]
