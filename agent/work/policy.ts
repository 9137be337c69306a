import path from 'node:path'
import type { Action } from '../../core/action.ts'
import { unreachable } from '../../core/fault.ts'
import { isInstanceKey } from '../../core/instance.ts'
import type { Order, RepositoryAccess } from '../../core/link.ts'
import type { Reason, Task } from '../../core/run.ts'
import type { Databases, Template } from '../ports/databases.ts'
import type { Policy } from '../ports/policy.ts'

/** Where paths really lead, links followed; of a path that is not in it nothing is known, and it is refused. */
export type RealPaths = ReadonlyMap<string, string>

/** The tasks of an order that are still to be done. */
export const undone = (order: Order): readonly Task[] =>
  order.tasks.filter((_, index) => order.before[index]?.result === undefined)

/** The repository that a task works with. */
export const repositoryOf = (order: Order, task: Task): RepositoryAccess | undefined =>
  order.repositories.find((access) => access.id === task.repository)

/** Every path that the rules ask about, for whoever follows the links. The policy's own folders are among them. */
export function pathsAskedAbout(order: Order, policy: Policy, databases: Databases): string[] {
  const asked = undone(order).flatMap((task) => [
    ...pathsOf(task.action, databases),
    ...localPlace(repositoryOf(order, task)),
  ])
  if (asked.length === 0) return []
  return [...new Set([...asked, ...policy.paths, ...policy.targets, ...policy.repositories.filter(isLocal)])]
}

/** Also for a question about a repository. */
export const placesAskedAbout = (access: RepositoryAccess, policy: Policy): string[] =>
  isLocal(access.location) ? [access.location, ...policy.repositories.filter(isLocal)] : []

function pathsOf(action: Action, databases: Databases): readonly string[] {
  if (action.do === 'backup') {
    const database = action.instance === undefined ? undefined : databases.find(action.instance)
    return [...action.paths, ...(database ? [database.path, database.within ?? database.path] : [])]
  }
  if (action.do !== 'restore') return []
  if (!action.create) return [action.target]
  const template = templateFor(action, databases)
  return template ? [template.root, databases.pathOf(template, action.create.instance)] : []
}

type Restore = Extract<Action, { do: 'restore' }>

const templateFor = ({ engine, create }: Restore, databases: Databases): Template | undefined =>
  databases.templates.find(({ name, datastore }) => name === create?.template && datastore === engine)

const isLocal = (place: string): boolean => place.startsWith('/')
const localPlace = (access: RepositoryAccess | undefined): string[] =>
  access && isLocal(access.location) ? [access.location] : []

/** Why the node's own configuration does not allow what is left of an order; undefined when it does. */
export function forbidden(
  order: Order,
  policy: Policy,
  databases: Databases,
  real: RealPaths,
): Reason | undefined {
  for (const task of undone(order)) {
    const why =
      forbiddenAction(task.action, policy, databases, real) ?? forbiddenPlace(order, task, policy, real)
    if (why) return why
  }
  return undefined
}

function forbiddenAction(
  action: Action,
  policy: Policy,
  databases: Databases,
  real: RealPaths,
): Reason | undefined {
  if (policy.engines && !policy.engines.includes(action.engine))
    return refusal(`use the engine ${action.engine}`, 'allow.engines')
  switch (action.do) {
    case 'backup': {
      const bad = action.paths.find((wanted) => !isInside(wanted, policy.paths, real))
      if (bad !== undefined) return refusal(`read ${bad}`, 'allow.paths')
      return action.instance === undefined
        ? undefined
        : forbiddenInstance(action.instance, action.engine, databases, real)
    }
    case 'restore':
      if (action.create) return forbiddenCreation(action, action.create, databases, real)
      return isInside(action.target, policy.targets, real)
        ? undefined
        : refusal(`restore into ${action.target}`, 'allow.targets')
    case 'exec': {
      const { commands } = policy
      if (commands === 'any') return undefined
      const bad = action.commands.find(([program]) => program === undefined || !commands.includes(program))
      return bad === undefined ? undefined : refusal(`run ${bad[0] ?? 'nothing'}`, 'allow.commands')
    }
    case 'verify':
    case 'forget':
      return undefined
    default:
      return unreachable(action)
  }
}

/** What is declared, or was made from what is, is allowed; one that was made may not lead out of its root. */
function forbiddenInstance(
  key: string,
  engine: string,
  databases: Databases,
  real: RealPaths,
): Reason | undefined {
  const database = databases.find(key)
  if (database?.datastore !== engine) return refusal(`back up the ${engine} database ${key}`, 'instances')
  return isInside(database.path, [database.within ?? database.path], real)
    ? undefined
    : refusal(`read ${database.path}`, 'templates')
}

function forbiddenCreation(
  action: Restore,
  create: NonNullable<Restore['create']>,
  databases: Databases,
  real: RealPaths,
): Reason | undefined {
  const template = templateFor(action, databases)
  if (!template) return refusal(`make a ${action.engine} database from ${create.template}`, 'templates')
  const place = databases.pathOf(template, create.instance)
  return isInstanceKey(create.instance) && isInside(place, [template.root], real)
    ? undefined
    : refusal(`make ${place}`, 'templates')
}

function forbiddenPlace(order: Order, task: Task, policy: Policy, real: RealPaths): Reason | undefined {
  if (task.action.do === 'exec') return undefined
  const access = repositoryOf(order, task)
  return access ? forbiddenRepository(access, policy, real) : undefined
}

/** Why a repository may not be used from this node; undefined when it may. */
export function forbiddenRepository(
  access: RepositoryAccess,
  policy: Policy,
  real: RealPaths,
): Reason | undefined {
  const { location } = access
  const allowed = isLocal(location)
    ? isInside(location, policy.repositories.filter(isLocal), real)
    : policy.repositories.some((start) => !isLocal(start) && isBelowUrl(location, start))
  return allowed ? undefined : refusal(`use the repository ${access.id}`, 'allow.repositories')
}

/** A URL is below another one when it goes on at a border: `sftp:host:/a` allows `sftp:host:/a/b`, not `sftp:host:/ab`. */
function isBelowUrl(url: string, start: string): boolean {
  if (url.includes('/../') || url.endsWith('/..')) return false
  return url === start || url.startsWith(start.endsWith('/') || start.endsWith(':') ? start : `${start}/`)
}

/**
 * Whether a path is one of the folders or below one: as it is spelt, and also where it really leads, so that a link
 * inside an allowed folder does not lead out of it. A folder may be a link itself.
 */
function isInside(wanted: string, folders: readonly string[], real: RealPaths): boolean {
  if (!path.isAbsolute(wanted) || wanted.includes('\0')) return false
  const leadsTo = real.get(wanted)
  if (leadsTo === undefined) return false
  const realFolders = folders.flatMap((folder) => [folder, real.get(folder) ?? folder])
  const spelt = path.normalize(wanted)
  return (
    folders.some((folder) => isBelow(spelt, folder)) && realFolders.some((folder) => isBelow(leadsTo, folder))
  )
}

function isBelow(wanted: string, folder: string): boolean {
  const between = path.relative(folder, wanted)
  return between === '' || (between !== '..' && !between.startsWith('../') && !path.isAbsolute(between))
}

const refusal = (what: string, key: string): Reason => ({
  code: 'policy',
  text: `this node's configuration does not allow to ${what} (${key})`,
})
