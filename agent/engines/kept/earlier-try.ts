import { lstat } from 'node:fs/promises'
import path from 'node:path'
import type { MadeBy } from '../../ports/databases.ts'
import type { EngineContext, EngineEnd } from '../../ports/engine.ts'
import { endOf } from './ends.ts'
import type { Parts } from './kind.ts'

/** The end, when an earlier attempt at this step has made it, or when something else is in its place. */
export async function earlierTry(
  { databases, kind }: Parts,
  instance: string,
  place: string,
  context: EngineContext,
): Promise<EngineEnd | undefined> {
  const known = databases.find(instance)
  const { run, step } = madeBy(context)
  if (!(await exists(path.dirname(place))))
    return endOf({ code: 'config', text: `the folder of its template is not there: ${path.dirname(place)}` })
  const isThere = await exists(place)
  if (known?.madeBy?.run === run && known.madeBy.step === step && isThere) {
    context.log({ level: 'info', stream: 'agent', text: `${place} was made by an earlier attempt` })
    return { type: 'end', result: 'success', retryable: false, stats: { durationMs: 0 } }
  }
  if (known) return endOf({ code: 'config', text: `there is an instance ${instance} on this node already` })
  for (const name of [place, ...kind.besides.map((besides) => place + besides)])
    if (await exists(name)) return endOf({ code: 'config', text: `${name} exists already` })
  return undefined
}

/** What a database that is made in this step is remembered with. */
export const madeBy = ({ tags, attemptId }: EngineContext): MadeBy => ({
  run: tags['run'] ?? attemptId,
  step: tags['step'] ?? '0',
})

async function exists(place: string): Promise<boolean> {
  try {
    await lstat(place)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
