import type { Instant } from '../../core/clock.ts'
import { instanceIdOf, type ClientId, type ProjectId } from '../../core/ids.ts'
import type { Instance, InstanceProbe, InstanceState } from '../../core/instance.ts'

/** What an agent has said of the databases that it looks after. */
export interface Announcement {
  readonly project: ProjectId
  readonly client: ClientId
  readonly instances: readonly InstanceProbe[]
  /** When it was heard. */
  readonly at: Instant
}

/**
 * The instances of a client that are to be written, by those that are stored and the newest that its agent has said: those
 * that are new, changed, or not announced any more. None at rest.
 */
export function afterAnnouncement(
  known: Iterable<Instance>,
  { project, client, instances, at }: Announcement,
  now: Instant,
): Instance[] {
  const missing = new Map([...known].map((instance) => [instance.key, instance]))
  const written = instances.flatMap((probe): Instance[] => {
    const before = missing.get(probe.key)
    missing.delete(probe.key)
    const after = announced(before, probe, { project, client }, now)
    return after === before ? [] : [after]
  })
  for (const instance of missing.values()) {
    // What was said before it was made cannot speak of it. One that was not made is known from an older announcement.
    const gone = isThere(instance) && (instance.builtAt === undefined || instance.builtAt < at)
    if (gone) written.push(stopped(instance, 'its agent does not announce it any more', now))
  }
  return written
}

/** The instances of a client that will not be heard of again: those that are to be written. */
export function afterShutOut(known: Iterable<Instance>, now: Instant): Instance[] {
  return [...known].filter(isThere).map((instance) => stopped(instance, 'its node was shut out', now))
}

/** Whether its agent was last heard to announce it, once it was made. */
const isThere = ({ state }: Instance): boolean =>
  state.is === 'active' || (state.is === 'down' && !state.gone)

const stopped = (instance: Instance, why: string, now: Instant): Instance => ({
  ...instance,
  state: { is: 'down', why, gone: true },
  updatedAt: now,
})

/** The instance by what its agent says of it now; the same object when that is nothing new. */
function announced(
  before: Instance | undefined,
  probe: InstanceProbe,
  { project, client }: Pick<Announcement, 'project' | 'client'>,
  now: Instant,
): Instance {
  const bytes = probe.bytes === undefined ? before?.bytes : roundedUp(probe.bytes)
  const said = {
    name: probe.name,
    datastore: { type: probe.datastore.type, version: probe.datastore.version },
    state: stateAfter(before?.state, probe),
    ...(bytes === undefined ? {} : { bytes }),
  }
  if (!before) {
    const id = instanceIdOf(project, client, probe.key)
    return { id, project, client, key: probe.key, ...said, createdAt: now, updatedAt: now }
  }
  return isKnown(before, said) ? before : { ...before, ...said, updatedAt: now }
}

type Said = Pick<Instance, 'name' | 'datastore' | 'state' | 'bytes'>

const isKnown = (before: Instance, said: Said): boolean =>
  before.name === said.name &&
  before.datastore.type === said.datastore.type &&
  before.datastore.version === said.datastore.version &&
  before.bytes === said.bytes &&
  before.state.is === said.state.is &&
  whyOf(before.state) === whyOf(said.state) &&
  isGone(before.state) === isGone(said.state)

const whyOf = (state: InstanceState): string | undefined => ('why' in state ? state.why : undefined)

const isGone = (state: InstanceState): boolean => state.is === 'down' && state.gone === true

/** A restore that is under way is ended by its run alone. One that failed stays so until its agent says that it is up. */
function stateAfter(before: InstanceState | undefined, { up, problem }: InstanceProbe): InstanceState {
  if (before?.is === 'building' || (before?.is === 'error' && !up)) return before
  return up ? { is: 'active' } : { is: 'down', why: problem ?? 'its agent cannot back it up now' }
}

/** Sizes below this count as one step. Bytes. */
const stepMin = 65_536

/**
 * A size as it is kept: rounded up to steps of an eighth of the power of two below it, so that a database that grows is
 * written a few times while it doubles, and not with every announcement.
 */
export function roundedUp(bytes: number): number {
  const step = Math.max(stepMin, 2 ** (Math.floor(Math.log2(Math.max(1, bytes))) - 3))
  return Math.ceil(bytes / step) * step
}
