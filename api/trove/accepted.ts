import type { Ask } from '../route.ts'

/** 202 with an empty body. */
export const accepted = (ask: Ask): Response =>
  new Response(null, {
    status: 202,
    headers: { ...ask.headers(), 'content-type': 'application/json', 'content-length': '0' },
  })
