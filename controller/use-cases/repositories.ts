import type { Backup, Repository } from '../../core/catalogue.ts'
import { Fault } from '../../core/fault.ts'
import {
  repositoryId,
  repositoryIdOf,
  type BackupId,
  type ClientId,
  type ProjectId,
  type RepositoryId,
} from '../../core/ids.ts'
import type { RepositoryAccess } from '../../core/link.ts'
import { put, unchanged, type Stored } from '../state/documents.ts'
import type { Caller, Context } from './context.ts'
import type { Expectation } from './expectation.ts'
import { repositoriesAt, repositoryPlace } from './new-run.ts'
import { retrying } from './retrying.ts'

export interface RepositoryWish {
  readonly engine: string
  readonly location: string
  /** The node whose own it is; absent: shared. */
  readonly client?: ClientId
  /** Absent: a new random one. */
  readonly password?: string
}

/**
 * Makes a repository known; an agent creates it when it is first used. Throws Fault 'conflict' (it is known already, of the
 * same node or shared as well), 'store_down'.
 */
export function createRepository(
  context: Context,
  caller: Caller,
  wish: RepositoryWish,
): Promise<Stored<Repository>> {
  return retrying(context, () => create(context, caller, wish))
}

async function create(
  context: Context,
  { project }: Caller,
  { engine, location, client, password = context.secrets.random(32) }: RepositoryWish,
): Promise<Stored<Repository>> {
  demandFree(context, project, { engine, location, ...(client === undefined ? {} : { client }) })
  const ofPlace = repositoryIdOf(project, client, engine, location)
  // The id of the place: two who make it known at once meet in it. One that has moved away has it still.
  const isTaken = context.state.get('repository', project, ofPlace) !== undefined
  const id = isTaken ? repositoryId(context.secrets.uuid()) : ofPlace
  const value: Repository = {
    ...{ id, project, engine, location },
    ...(client === undefined ? {} : { client }),
    sealedPassword: context.sealer.seal(password, repositoryPlace(project, id)),
    createdAt: context.clock.now(),
  }
  const revision = await context.state.commit({
    requires: [unchanged('repository', project, id, undefined)],
    puts: [put('repository', project, id, value)],
  })
  return { value, revision }
}

/** Two records of one place would have two passwords, and one of them wrong. Throws Fault('conflict'). */
function demandFree(
  context: Context,
  project: ProjectId,
  { engine, location, client }: Pick<Repository, 'engine' | 'location' | 'client'>,
  own?: RepositoryId,
): void {
  for (const { id, client: of } of repositoriesAt(context, project, engine, location))
    if (of === client && id !== own)
      throw new Fault('conflict', `repository ${id} is at ${location} already`, { field: 'location' })
}

/** What is known anew of a repository; absent: it stays. */
export interface RepositoryChange {
  readonly location?: string | undefined
  readonly password?: string | undefined
}

/** Throws Fault 'not_found', 'conflict' (another one lies there), 'precondition_failed', 'stale_write', 'store_down'. */
export async function patchRepository(
  context: Context,
  { project }: Caller,
  id: RepositoryId,
  { location, password }: RepositoryChange,
  expected?: Expectation,
): Promise<Stored<Repository>> {
  return retrying(context, async () => {
    const before = context.state.get('repository', project, id)
    if (!before) throw new Fault('not_found', `no repository ${id}`)
    expected?.(before)
    if (location !== undefined) demandFree(context, project, { ...before.value, location }, id)
    const value: Repository = {
      ...before.value,
      ...(location === undefined ? {} : { location }),
      ...(password === undefined
        ? {}
        : { sealedPassword: context.sealer.seal(password, repositoryPlace(project, id)) }),
    }
    const revision = await context.state.commit({
      requires: [unchanged('repository', project, id, before)],
      puts: [put('repository', project, id, value)],
    })
    return { value, revision }
  })
}

/** A backup and what opens the repository it lies in; only to be sent to an agent. Throws Fault('not_found'). */
export function openBackup(
  { state, sealer }: Pick<Context, 'state' | 'sealer'>,
  { project }: Caller,
  id: BackupId,
): { backup: Backup; access: RepositoryAccess } {
  const backup = state.get('backup', project, id)?.value
  if (!backup) throw new Fault('not_found', `no backup ${id}`)
  const repository = state.get('repository', project, backup.repository)?.value
  if (!repository) throw new Fault('not_found', `no repository ${backup.repository}`)
  return { backup, access: accessOf(repository, sealer) }
}

/** A repository with its password opened; only to be sent to an agent. Throws what the sealer throws. */
export function accessOf(
  { id, project, engine, location, engineId, sealedPassword }: Repository,
  sealer: Context['sealer'],
): RepositoryAccess {
  const password = sealer.open(sealedPassword, repositoryPlace(project, id))
  return {
    ...{ id, engine, location, password },
    ...(engineId === undefined ? {} : { expectedId: engineId }),
  }
}
