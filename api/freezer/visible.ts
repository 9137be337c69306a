import { Fault } from '../../core/fault.ts'
import type { Ask } from '../route.ts'
import type { Candidates } from './listing.ts'
import type { Seen, Version } from './shown.ts'

interface Owned {
  readonly user: string
}

/**
 * v1 is per user: what others of the project own is not there for them, unless the request says `Firn-Scope: project`, which no
 * Freezer client does.
 */
const isPersonal = (ask: Ask, version: Version): boolean =>
  version === 'v1' && ask.http.req.header('firn-scope') !== 'project'

/** What views look at. */
export const seenBy = ({ served }: Ask): Seen => ({ state: served.context.state, recent: served.recent })

/** Whether the caller sees it. */
export const sees = (ask: Ask, version: Version, document: Owned): boolean =>
  !isPersonal(ask, version) || document.user === ask.caller.user

/**
 * Only what the caller sees. `from` gives the documents after the first so many; `isFound`: see Candidates.
 */
export function candidates<T extends Owned>(
  ask: Ask,
  version: Version,
  from: (skip: number) => Iterable<{ readonly value: T }>,
  skip: number,
  isFound: (document: T) => boolean | undefined = () => undefined,
): Candidates<T> {
  const user = isPersonal(ask, version) ? ask.caller.user : undefined
  // Which of the first are the user's is not known without a look at each.
  const skipped = user === undefined ? skip : 0
  return { items: seen(from(skipped), user), skipped, isFound }
}

function* seen<T extends Owned>(
  stored: Iterable<{ readonly value: T }>,
  user: string | undefined,
): IterableIterator<T> {
  for (const { value } of stored) if (user === undefined || value.user === user) yield value
}

/** The document as it is stored, if it is there for the caller. Throws Fault('not_found'). */
export function found<S extends { readonly value: Owned }>(
  ask: Ask,
  version: Version,
  what: string,
  stored: S | undefined,
): S {
  if (!stored || !sees(ask, version, stored.value)) throw new Fault('not_found', `no such ${what}`)
  return stored
}

/** Throws Fault('forbidden') when a document that is to be replaced is somebody else's. */
export function refuseOthers(
  ask: Ask,
  version: Version,
  stored: { readonly value: Owned } | undefined,
): void {
  if (stored && !sees(ask, version, stored.value)) throw new Fault('forbidden', "this id is another user's")
}
