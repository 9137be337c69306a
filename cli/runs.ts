// What several commands do with runs.
import { randomUUID } from 'node:crypto'
import type { Invocation } from './command.ts'
import type { Option } from './option.ts'
import { exitOf, usage } from './failure.ts'
import type { Flags } from './flags.ts'
import { path, type Api } from './http.ts'
import { object, objects, text, type Document } from './json.ts'
import { memberItems } from './views/sets.ts'
import { runDetails, runsShown, worstOf } from './views/runs.ts'
import { watch, type Level } from './watch.ts'

/** The option of commands that start something. */
export const KEY_OPTION: Option = {
  name: 'key',
  value: 'KEY',
  help: 'a name for this start: repeating the command with it starts nothing more; a new one when left out',
}

/** The idempotency key of a start: the server starts once for each, so that a broken connection may be tried again. */
export function keyOf(flags: Flags): string {
  const key = flags.text('key') ?? randomUUID()
  if (!/^[\x21-\x7e]{1,128}$/.test(key)) throw usage('--key: 1 to 128 printable characters without blanks')
  return key
}

/** The runs in an answer. */
export const runsOf = (answer: unknown): Document[] => objects(answer, 'runs')

/** At most so many requests at once. */
const READS_AT_ONCE = 8

/** Some runs as one thing to wait for. */
async function readRuns(api: Api, ids: readonly string[]): Promise<Level> {
  const runs: Document[] = []
  for (let from = 0; from < ids.length; from += READS_AT_ONCE) {
    const some = ids.slice(from, from + READS_AT_ONCE)
    runs.push(...(await Promise.all(some.map(async (id) => object(await api.get(path`/v1/runs/${id}`))))))
  }
  return levelOf(runs, ids.length === 1 ? `run ${ids[0]}` : `${ids.length} runs`, runs)
}

/** Runs, and the document that holds them, as one look at the server shows them. */
export function levelOf(runs: readonly Document[], title: string, document: unknown): Level {
  const result = worstOf(runs.map((run) => text(run, 'result')))
  return {
    title,
    items: memberItems(runs),
    hasEnded: result !== undefined || runs.length === 0,
    result,
    document,
  }
}

/** Waits for runs to end and prints them. Answers the exit code of their worst result. */
export async function watchRuns(invocation: Invocation, ids: readonly string[]): Promise<number> {
  const { api, out } = invocation
  const level = await watch(invocation, {
    read: () => readRuns(api(), ids),
    follow: `firn run watch ${ids.join(' ')}`,
    cancel: `firn run cancel ${ids.join(' ')}`,
  })
  const runs = level.document as readonly Document[]
  const [only] = runs
  if (runs.length === 1 && only !== undefined)
    out.one(
      only,
      (it) => text(it, 'run_id'),
      () => runDetails(only, out),
    )
  else out.list(runs, runsShown(out), 'no runs')
  return exitOf(level.result)
}

/** Waits for a restore's runs to end and prints them. Answers the exit code of its result. */
export async function watchRestore(invocation: Invocation, id: string): Promise<number> {
  const { api, out } = invocation
  let runIds: string[] = []
  const level = await watch(invocation, {
    read: async () => {
      const answer = object(await api().get(path`/v1/restores/${id}`))
      const runs = runsOf(answer)
      runIds = runs.map((run) => text(run, 'run_id'))
      const level = levelOf(runs, `restore ${id}`, answer)
      const result = text(answer, 'result') || level.result
      return { ...level, hasEnded: result !== undefined || level.hasEnded, result }
    },
    follow: `firn run ls --restore ${id}`,
    get cancel() {
      return `firn run cancel ${runIds.join(' ')}`
    },
  })
  out.one(
    object(level.document),
    (it) => text(it, 'restore_id'),
    () => [
      ...out.table(runsOf(level.document), runsShown(out).columns),
      '',
      ...out.details([
        ['restore', id],
        ['result', level.result],
      ]),
    ],
  )
  return exitOf(level.result)
}
