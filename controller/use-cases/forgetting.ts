import type { Backup } from '../../core/catalogue.ts'
import {
  manualSlot,
  type ActionId,
  type ClientId,
  type JobId,
  type ProjectId,
  type UserId,
} from '../../core/ids.ts'
import type { OwnAction } from '../plan/tasks.ts'
import type { Put } from '../state/documents.ts'
import type { Run } from '../../core/run.ts'
import type { Context } from './context.ts'
import { newRun } from './new-run.ts'

/** Another try, and the pause before it: something else may have the repository locked. */
const tries = { maxRetries: 2, maxRetriesIntervalS: 30 }

/** What is to be forgotten, and for whom. */
export interface Forgetting {
  readonly project: ProjectId
  readonly user: UserId
  readonly job: JobId
  /** The node that does it. */
  readonly client: ClientId
  /** Makes it one run, however often it is asked for. */
  readonly key: string
  readonly backups: readonly Backup[]
}

/**
 * A run, not stored yet, that removes the data of backups: one step for what an engine has in a repository, each done whatever
 * became of the others. What made a backup removes it, too: a node that allows the one allows the other.
 */
export function forgetRun(context: Context, asked: Forgetting): { run: Run; repositories: Put[] } {
  const { backups, key, ...who } = asked
  const groups = Map.groupBy(backups, ({ repository, engine }) => `${repository}/${engine}`)
  return newRun(context, {
    ...who,
    slot: manualSlot(key),
    purpose: 'forget',
    actions: [...groups.values()].flatMap((inside, index) => stepFor(inside, index) ?? []),
  })
}

function stepFor(backups: readonly Backup[], index: number): OwnAction | undefined {
  const [first] = backups
  return (
    first && {
      actionId: `forget-${index}` as ActionId,
      ...tries,
      mandatory: true,
      action: {
        ...{ do: 'forget', engine: first.engine, backups: backups.map(({ id }) => id), free: true },
        ...{ repository: { is: 'named', id: first.repository }, limits: {} },
      },
    }
  )
}
