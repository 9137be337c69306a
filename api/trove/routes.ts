import { z } from 'zod'
import { operation } from '../operation.ts'
import type { Route } from '../route.ts'
import { backupRoutes } from './backups.ts'
import { datastoreRoutes } from './datastores.ts'
import { flavorRoutes } from './flavors.ts'
import { instanceRoutes } from './instances.ts'
import { limitRoutes } from './limits.ts'
import { strategyRoutes } from './strategies.ts'

const versionForm = z.object({
  id: z.string(),
  status: z.string(),
  updated: z.string(),
  links: z.array(z.object({ rel: z.string(), href: z.string() })),
})

/** The version of the API, as Trove tells it without a token. */
const troveVersion = (origin: string): z.infer<typeof versionForm> => ({
  ...{ id: 'v1.0', status: 'CURRENT', updated: '2012-08-01T00:00:00Z' },
  links: [{ rel: 'self', href: `${origin}/v1.0/` }],
})

/** Trove's API, as far as it is about backups, and what its clients need around them. */
export const troveRoutes: readonly Route[] = [
  operation({
    ...{ method: 'GET', path: '/v1.0', role: 'nobody', errors: 'trove', tag: 'Trove' },
    ...{ id: 'showTroveVersion', summary: 'Tell the version' },
    answers: { 200: z.object({ version: versionForm }) },
    answer: (ask) => ask.json({ version: troveVersion(new URL(ask.http.req.url).origin) }),
  }),
  ...backupRoutes,
  ...instanceRoutes,
  ...strategyRoutes,
  ...datastoreRoutes,
  ...flavorRoutes,
  ...limitRoutes,
]
