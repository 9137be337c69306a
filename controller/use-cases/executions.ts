import type { FunctionCall } from '../../core/action.ts'
import { Fault } from '../../core/fault.ts'
import { manualSlot, uuidOf, type RunId } from '../../core/ids.ts'
import type { Run } from '../../core/run.ts'
import { ref, unchanged, type Stored } from '../state/documents.ts'
import type { Caller, Context } from './context.ts'
import { checkInput, functionJobOf, lookUp, placeOf, withInput } from './functions.ts'
import { retrying } from './retrying.ts'
import { clientsOf, createRuns, type StartRequest } from './start-run.ts'

/** Begins the key of a slot that its caller waits for. */
const syncMark = 'sync.'

/** Whether whoever asked for a run has waited for its end. */
export const wasSync = ({ slot }: Pick<Run, 'slot'>): boolean => slot.startsWith(`manual:${syncMark}`)

/** Whether a run is a call that somebody asked for, of no job. */
export const isByHand = ({ function: call, job }: Pick<Run, 'function' | 'job'>): boolean =>
  call?.action !== undefined && functionJobOf(call.action) === job

/**
 * Calls a saved action once, now. With a selector, on the first client that matches: an execution is one run. Throws Fault
 * 'not_found' (no such function, alias or version), 'bad_request' (no client), 'store_down'.
 */
export async function callFunction(
  context: Context,
  caller: Caller,
  call: FunctionCall,
  { sync }: { readonly sync: boolean },
): Promise<Stored<Run>> {
  const { project, user } = caller
  checkInput(call.input, 'input')
  const found = lookUp(context, project, call)
  if ('missing' in found) throw new Fault('not_found', found.missing.text)
  const action = found.action.value
  const place = placeOf(context, project, action, call.input, 'input')
  const [client] = 'client' in place ? [place.client] : clientsOf(context, { project, ...place })
  if (client === undefined)
    throw new Fault('bad_request', "input: no enrolled client matches the function's selector", {
      field: 'input',
    })
  const slot = manualSlot(`${sync ? syncMark : ''}${context.secrets.uuid()}`)
  const request: StartRequest = {
    ...{ project, user, client, slot, job: functionJobOf(action.actionId) },
    actions: [withInput(action, call.input)],
    function: found.call,
  }
  const [run] = await createRuns(context, [request])
  if (!run) throw new Fault('stale_write', 'the run is gone already')
  return run
}

/** Resolves with a run when it has ended, or as it is after `limitMs`, or when the signal aborts. */
export async function endOf(
  { state, clock }: Pick<Context, 'state' | 'clock'>,
  run: Run,
  limitMs: number,
  signal: AbortSignal,
): Promise<Run> {
  const now = (): Run => state.get('run', run.project, run.id)?.value ?? run
  const ended = new AbortController()
  const unsubscribe = state.onLook(({ kind, id }) => {
    if (kind === 'run' && id === run.id && now().state.is === 'finished') ended.abort()
  })
  try {
    if (now().state.is !== 'finished')
      await clock.sleep(limitMs, AbortSignal.any([signal, ended.signal])).catch(() => undefined)
    return now()
  } finally {
    unsubscribe()
  }
}

/** Forgets a finished run; its backups stay. Throws Fault 'not_found', 'forbidden' (not finished), 'stale_write', 'store_down'. */
export async function removeRun(
  context: Context,
  { project }: Pick<Caller, 'project'>,
  id: RunId,
): Promise<void> {
  await retrying(context, async () => {
    const run = context.state.get('run', project, id)
    if (!run) throw new Fault('not_found', `no execution ${uuidOf(id)}`)
    if (run.value.state.is !== 'finished')
      throw new Fault('forbidden', `execution ${uuidOf(id)} has not ended`)
    await context.state.commit({
      requires: [unchanged('run', project, id, run)],
      puts: [],
      deletes: [ref('run', project, id)],
    })
  })
}
