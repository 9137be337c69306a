import type { Leadership } from './ports/backend.ts'
import type { Presence } from './presence.ts'

/** What a server that is about to end hands over to the others. */
export interface Draining {
  readonly leadership: Leadership
  readonly presence: Presence
  readonly agents: { drain(): Promise<void> }
  readonly http: { drain(): void }
}

/**
 * Hands over what others can do, while everything here still works: the lead at once, so that the next leader is at work before
 * anything else ends; then callers, as they come; then agents, each at a moment of its own. Resolves when the agents have gone, or
 * had their time. Never rejects.
 */
export async function drain({ leadership, presence, agents, http }: Draining): Promise<void> {
  http.drain()
  await Promise.all([leadership[Symbol.asyncDispose](), presence.drain()])
  // With nobody to go to, they would only be away for longer.
  if (presence.hasOthers()) await agents.drain()
}
