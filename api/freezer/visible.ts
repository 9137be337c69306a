import { Fault } from '../../core/fault.ts'
import type { Ask } from '../route.ts'
import type { Version } from './views.ts'

interface Owned {
  readonly user: string
}

/**
 * v1 is per user: what others of the project own is not there for them, unless the request says `Firn-Scope: project`, which no
 * Freezer client does.
 */
const isPersonal = (ask: Ask, version: Version): boolean =>
  version === 'v1' && ask.http.req.header('firn-scope') !== 'project'

export const sees = (ask: Ask, version: Version, document: Owned): boolean =>
  !isPersonal(ask, version) || document.user === ask.caller.user

/** Only what the caller sees. */
export function* seen<T extends Owned>(
  ask: Ask,
  version: Version,
  stored: Iterable<{ readonly value: T }>,
): IterableIterator<T> {
  const { user } = ask.caller
  const personal = isPersonal(ask, version)
  for (const { value } of stored) if (!personal || value.user === user) yield value
}

/** The document if it is there for the caller. Throws Fault('not_found'). */
export function found<T extends Owned>(
  ask: Ask,
  version: Version,
  what: string,
  stored: { readonly value: T } | undefined,
): T {
  if (!stored || !sees(ask, version, stored.value)) throw new Fault('not_found', `no such ${what}`)
  return stored.value
}

/** Throws Fault('forbidden') when a document that is to be replaced is somebody else's. */
export function refuseOthers(
  ask: Ask,
  version: Version,
  stored: { readonly value: Owned } | undefined,
): void {
  if (stored && !sees(ask, version, stored.value)) throw new Fault('forbidden', "this id is another user's")
}
