import type { Route } from '../route.ts'
import { accessRoutes } from './access.ts'
import { eventRoutes } from './events.ts'
import { repositoryRoutes } from './repositories.ts'
import { restoreRoutes } from './restores.ts'
import { runRoutes } from './runs.ts'
import { setRoutes } from './sets.ts'

/** What none of the published APIs has. */
export const nativeRoutes: readonly Route[] = [
  ...runRoutes,
  ...setRoutes,
  ...restoreRoutes,
  ...repositoryRoutes,
  ...accessRoutes,
  ...eventRoutes,
]
