import type { Route } from '../route.ts'
import { actionRoutes } from './actions.ts'
import { backupRoutes } from './backups.ts'
import { clientRoutes } from './clients.ts'
import { discoveryRoutes } from './discovery.ts'
import { jobRoutes } from './jobs.ts'
import { sessionRoutes } from './sessions.ts'
import type { Group } from './spec.ts'

const groups = [jobRoutes, sessionRoutes, clientRoutes, backupRoutes, actionRoutes]

const routesOf = (group: Group): Route[] => groups.flatMap((routes) => routes(group))

/** Both published versions over the same documents. In v2 an administrator acts in the project of the path. */
export const freezerRoutes: readonly Route[] = [
  ...discoveryRoutes,
  ...routesOf({ base: '/v1', version: 'v1' }),
  ...routesOf({ base: '/v2/:project_id', version: 'v2' }).map((route): Route => ({
    ...route,
    project: { param: 'project_id', admins: 'anywhere' },
  })),
]
