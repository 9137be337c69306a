import { Fault } from '../../core/fault.ts'
import { isUuid } from '../../core/ids.ts'
import type { Datastore } from '../../core/instance.ts'
import type { Context } from '../../controller/use-cases/context.ts'
import { datastoreIdOf, versionIdOf } from './datastore-ids.ts'

/** A kind of database, with the versions of it that there are; oldest first. */
export interface KnownDatastore {
  readonly id: string
  readonly type: string
  readonly versions: readonly { readonly id: string; readonly name: string }[]
}

type State = Context['state']

/** What agents look after and can create, and what there are backups of; of one project, by name. */
export function datastoresOf(state: State, project: string): KnownDatastore[] {
  return grouped([
    ...fleetOf(state.of('instance', project), state.of('client', project)),
    ...[...state.of('instance_backup', project)].map(({ value }) => value.datastore),
  ])
}

/** As `datastoresOf`, of every project, and without the backups: there may be very many. */
export const datastoresOfAll = (state: State): KnownDatastore[] =>
  grouped(fleetOf(state.all('instance'), state.all('client')))

function* fleetOf(
  instances: Iterable<{ readonly value: { readonly datastore: Datastore } }>,
  clients: Iterable<{ readonly value: HasTemplates }>,
): IterableIterator<Datastore> {
  for (const { value } of instances) yield value.datastore
  for (const { value } of clients) for (const { datastore } of value.agent?.templates ?? []) yield datastore
}

interface HasTemplates {
  readonly agent?: { readonly templates?: readonly { readonly datastore: Datastore }[] }
}

function grouped(datastores: Iterable<Datastore>): KnownDatastore[] {
  const versions = new Map<string, Set<string>>()
  for (const { type, version } of datastores) {
    const known = versions.get(type)
    if (known) known.add(version)
    else versions.set(type, new Set([version]))
  }
  return [...versions]
    .sort(([a], [b]) => compareNames(a, b))
    .map(([type, names]) => ({
      ...{ id: datastoreIdOf(type), type },
      versions: [...names]
        .sort(compareNames)
        .map((name) => ({ id: versionIdOf({ type, version: name }), name })),
    }))
}

/** `3.9` before `3.50`; not by the machine's language. */
const { compare: compareNames } = new Intl.Collator('en', { numeric: true })

/** Whether a caller's name or id means this kind. */
export const isNamed = (type: string, nameOrId: string): boolean =>
  type === nameOrId || (isUuid(nameOrId) && datastoreIdOf(type) === nameOrId.toLowerCase())

/** Throws Fault('not_found'). */
export function datastoreIn(known: readonly KnownDatastore[], nameOrId: string): KnownDatastore {
  const found = known.find(({ type }) => isNamed(type, nameOrId))
  if (!found) throw new Fault('not_found', `no datastore ${nameOrId.slice(0, 80)}`)
  return found
}

/** Throws Fault('not_found'). */
export function versionIn(
  { type, versions }: KnownDatastore,
  nameOrId: string,
): KnownDatastore['versions'][number] {
  const found = versions.find(({ id, name }) => name === nameOrId || id === nameOrId.toLowerCase())
  if (!found) throw new Fault('not_found', `no version ${nameOrId.slice(0, 80)} of ${type}`)
  return found
}
