import { freezerRoutes } from './freezer/routes.ts'
import { healthRoutes } from './health.ts'
import { nativeRoutes } from './native/routes.ts'
import { referenceRoutes } from './openapi/routes.ts'
import { qinlingRoutes } from './qinling/routes.ts'
import type { Route } from './route.ts'
import { troveRoutes } from './trove/routes.ts'

/** Every operation that a server answers, of all façades. */
export const apiRoutes: readonly Route[] = [
  ...healthRoutes,
  ...freezerRoutes,
  ...troveRoutes,
  ...qinlingRoutes,
  ...nativeRoutes,
  ...referenceRoutes(() => apiRoutes),
]
