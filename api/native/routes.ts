import type { Route } from '../route.ts'
import { accessRoutes } from './access.ts'
import { eventRoutes } from './events.ts'
import { once } from './once.ts'
import { repositoryRoutes } from './repositories.ts'
import { restoreRoutes } from './restores.ts'
import { runRoutes } from './runs.ts'
import { setRoutes } from './sets.ts'
import { slotRoutes } from './slots.ts'

const routes: readonly Route[] = [
  ...runRoutes,
  ...setRoutes,
  ...slotRoutes,
  ...restoreRoutes,
  ...repositoryRoutes,
  ...accessRoutes,
  ...eventRoutes,
]

/** What none of the published APIs has. Who is known may send any POST again, with a key. */
export const nativeRoutes: readonly Route[] = routes.map((route) =>
  route.method === 'POST' && route.role !== 'nobody' ? once(route) : route,
)
