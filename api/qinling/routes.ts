import type { Route } from '../route.ts'
import { aliasRoutes } from './aliases.ts'
import { executionRoutes } from './executions.ts'
import { functionRoutes } from './functions.ts'
import { jobRoutes } from './jobs.ts'
import { rootRoutes } from './roots.ts'

/** Qinling's API: jobs, and what makes them useful. */
export const qinlingRoutes: readonly Route[] = [
  ...rootRoutes,
  ...jobRoutes,
  ...executionRoutes,
  ...functionRoutes,
  ...aliasRoutes,
]
