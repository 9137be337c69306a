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

/** A run, not stored yet, that removes the data of backups: one step for each repository, each done whatever became of others. */
export function forgetRun(context: Context, asked: Forgetting): { run: Run; repositories: Put[] } {
  const { backups, key, ...who } = asked
  const byRepository = Map.groupBy(backups, ({ repository }) => repository)
  return newRun(context, {
    ...who,
    slot: manualSlot(key),
    purpose: 'forget',
    actions: [...byRepository].map(([id, inside], index): OwnAction => ({
      actionId: `forget-${index}` as ActionId,
      ...tries,
      mandatory: true,
      action: {
        do: 'forget',
        engine: context.state.get('repository', asked.project, id)?.value.engine ?? 'restic',
        backups: inside.map((backup) => backup.id),
        free: true,
        repository: { is: 'named', id },
        limits: {},
      },
    })),
  })
}
