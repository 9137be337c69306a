// Starting a restore, of a set or of one backup.
import type { Invocation } from './command.ts'
import type { Option } from './option.ts'
import { EXIT } from './failure.ts'
import { object, text } from './json.ts'
import { KEY_OPTION, keyOf, runsOf, watchRestore } from './runs.ts'
import { runsShown } from './views/runs.ts'

/** Options of everything that restores. */
export const RESTORE_OPTIONS: readonly Option[] = [
  { name: 'target', value: 'DIR', required: true, help: 'the folder on the node to restore into' },
  { name: 'overwrite', help: 'restore into a folder that holds something' },
  { name: 'wait', help: 'wait for its end; the exit code then tells the result' },
  KEY_OPTION,
]

/** Starts a restore of `what`, and waits for it if asked to. Answers the exit code. */
export async function startRestore(invocation: Invocation, what: object): Promise<number> {
  const { api, flags, out } = invocation
  const body = {
    ...what,
    target: flags.needed('target'),
    ...(flags.has('overwrite') ? { overwrite: true } : {}),
  }
  const answer = object(await api().post('/v1/restores', body, keyOf(flags)))
  const id = text(answer, 'restore_id')
  if (flags.has('wait')) return watchRestore(invocation, id)
  const runs = runsOf(answer)
  out.one(
    answer,
    () => id,
    () => [...out.table(runs, runsShown(out).columns), '', ...out.details([['restore', id]])],
  )
  if (out.isForPeople)
    out.note(`follow it: firn run watch ${runs.map((run) => text(run, 'run_id')).join(' ')}`)
  return EXIT.ok
}
