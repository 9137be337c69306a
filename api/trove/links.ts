import { z } from 'zod'
import type { Ask } from '../route.ts'

/** Links to a resource itself, as every neighbour of the backups has them. */
export const selfLinks = z.array(z.object({ rel: z.string(), href: z.string() }))

/** `path` begins after `/v1.0/{accountId}`. */
export function linksTo(ask: Ask, path: string): z.infer<typeof selfLinks> {
  const { origin } = new URL(ask.http.req.url)
  return [{ rel: 'self', href: `${origin}/v1.0/${encodeURIComponent(ask.caller.project)}${path}` }]
}
