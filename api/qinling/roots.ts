import { z } from 'zod'
import { operation } from '../operation.ts'
import type { Ask, Route } from '../route.ts'
import { base } from './operation.ts'

const hrefOf = (ask: Ask): string => `${new URL(ask.http.req.url).origin}${base}`

const common = { method: 'GET', role: 'nobody', errors: 'qinling', tag: 'Qinling' } as const

/** What a client may ask before it has a token. */
export const rootRoutes: readonly Route[] = [
  operation({
    ...common,
    path: '/qinling',
    summary: 'List the versions of the API',
    id: 'qinlingVersions',
    answers: { 200: z.object({ versions: z.array(z.looseObject({ id: z.string(), status: z.string() })) }) },
    answer: (ask) =>
      ask.json({
        versions: [
          {
            ...{ id: 'v1.0', status: 'CURRENT' },
            links: [{ href: hrefOf(ask), target: 'v1', rel: 'self' }],
          },
        ],
      }),
  }),
  operation({
    ...common,
    path: base,
    summary: 'Tell where version 1 lies',
    id: 'qinlingVersion1',
    answers: { 200: z.object({ uri: z.string() }) },
    answer: (ask) => ask.json({ uri: hrefOf(ask) }),
  }),
]
