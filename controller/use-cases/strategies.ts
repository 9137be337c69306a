import { Fault } from '../../core/fault.ts'
import type { ProjectId } from '../../core/ids.ts'
import type { BackupStrategy } from '../../core/instance.ts'
import { uuidOfName } from '../../core/ids.ts'
import { put, ref, unchanged, type Stored, type Transaction } from '../state/documents.ts'
import type { Caller, Context } from './context.ts'
import { retrying } from './retrying.ts'

/** Where backups go when nothing says otherwise. Trove's own default. */
const defaultContainer = 'database_backups'

/** A project's own strategy and one for each instance: any text names an instance, it need not exist. */
const strategyIdOf = (instance: string): string =>
  instance === '' ? 'project' : uuidOfName('strategy', instance)

/** So many strategies a project may have: any text names an instance, and they are listed in one piece. */
export const strategiesMax = 1_000

/**
 * Says where backups go from now on: of one instance, or (`instance` empty) of the project. Throws Fault 'too_much',
 * 'store_down'.
 */
export async function setStrategy(
  context: Context,
  { project }: Caller,
  { instance = '', container }: { readonly instance?: string; readonly container: string },
): Promise<Stored<BackupStrategy>> {
  const { state } = context
  const id = strategyIdOf(instance)
  const value: BackupStrategy = { project, instance, container }
  return retrying(context, async () => {
    const stored = state.get('strategy', project, id)
    if (stored?.value.container === container) return stored
    if (!stored && state.count('strategy', project) >= strategiesMax)
      throw new Fault('too_much', `project ${project} has its ${strategiesMax} strategies; delete some first`)
    const revision = await state.commit({
      requires: [unchanged('strategy', project, id, stored)],
      puts: [put('strategy', project, id, value)],
    })
    return { value, revision }
  })
}

/** Drops a strategy; there need not be one. Throws Fault('store_down'). */
export async function removeStrategy(
  context: Context,
  { project }: Caller,
  { instance = '' }: { readonly instance?: string } = {},
): Promise<void> {
  const { state } = context
  const id = strategyIdOf(instance)
  await retrying(context, async () => {
    const stored = state.get('strategy', project, id)
    if (!stored) return
    await state.commit({
      requires: [unchanged('strategy', project, id, stored)],
      puts: [],
      deletes: [ref('strategy', project, id)],
    })
  })
}

/** The strategies of a project; with `instance` (not empty) only that one's. */
export function strategiesOf(
  { state }: Pick<Context, 'state'>,
  project: ProjectId,
  instance = '',
): BackupStrategy[] {
  const all = [...state.of('strategy', project)].map(({ value }) => value)
  return instance === '' ? all : all.filter((strategy) => strategy.instance === instance)
}

/**
 * The container of a backup: as asked, else by the instance's strategy, else by the project's, else the default. With what must
 * not have changed when it is used: another server may just have taken another strategy.
 */
export function containerFor(
  { state }: Pick<Context, 'state'>,
  project: ProjectId,
  instance: string,
  asked: string | undefined,
): { readonly container: string; readonly requires: Transaction['requires'] } {
  if (asked !== undefined) return { container: asked, requires: [] }
  const read = ['', instance].map((of) => {
    const id = strategyIdOf(of)
    return { id, stored: state.get('strategy', project, id) }
  })
  return {
    container: read.findLast(({ stored }) => stored)?.stored?.value.container ?? defaultContainer,
    requires: read.map(({ id, stored }) => unchanged('strategy', project, id, stored)),
  }
}
