import type { Route } from '../route.ts'
import { actionRoutes } from './actions.ts'
import { backupRoutes } from './backups.ts'
import { clientRoutes } from './clients.ts'
import { discoveryRoutes } from './discovery.ts'
import { jobRoutes } from './jobs.ts'
import { sessionRoutes } from './sessions.ts'
import type { Version } from './views.ts'

const groups = [jobRoutes, sessionRoutes, clientRoutes, backupRoutes, actionRoutes]

const routesOf = (base: string, version: Version): Route[] => groups.flatMap((group) => group(base, version))

/** Both published versions over the same documents. In v2 an administrator acts in the project of the path. */
export const freezerRoutes: readonly Route[] = [
  ...discoveryRoutes,
  ...routesOf('/v1', 'v1'),
  ...routesOf('/v2/:project_id', 'v2').map((route): Route => ({
    ...route,
    project: { param: 'project_id', admins: 'anywhere' },
  })),
]
