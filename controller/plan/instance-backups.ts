import type { Backup } from '../../core/catalogue.ts'
import type { Instant } from '../../core/clock.ts'
import type { Instance, InstanceBackup } from '../../core/instance.ts'
import type { Reason, Run } from '../../core/run.ts'

/** Whether the work of a run has begun: from then on it stays so, whatever comes. */
export const hasBegun = ({ startedAt, begunAt: noted, state, steps }: Run): boolean =>
  startedAt !== undefined ||
  noted !== undefined ||
  steps.some(({ tries }) => tries > 0) ||
  (state.is === 'unknown' ? state.was.is : state.is) === 'running'

/** When the work of a run that has begun did, as well as is known. */
export const begunAt = ({ startedAt, begunAt: noted, state, createdAt }: Run): Instant =>
  startedAt ?? noted ?? ('since' in state ? state.since : createdAt)

/** What follows for a record from the run that works for it. `missing`: it names a run that is not there. */
export type Settlement<T> =
  { readonly do: 'wait' } | { readonly do: 'missing' } | ({ readonly do: 'close' } & T)

const lostRun: Reason = {
  code: 'run_missing',
  text: 'nothing is known any more of the run that was to do it',
}

const notKept: Reason = {
  code: 'not_kept',
  text: 'the run succeeded, and nothing that it saved is catalogued',
}

const unreadable: Reason = { code: 'partial', text: 'some of its data could not be read' }

/** What an open backup becomes by its run, and by what that has saved (`entry`). */
export function settleBackup(
  run: Run | undefined,
  entry: Backup | undefined,
): Settlement<{ readonly state: InstanceBackup['state'] }> {
  if (!run) return { do: 'missing' }
  if (run.state.is !== 'finished') return { do: 'wait' }
  if (run.state.result === 'success' && entry?.result === 'success')
    return { do: 'close', state: { is: 'completed' } }
  const reason = run.state.reason ?? unexplained(run.state.result)
  return { do: 'close', state: { is: 'failed', reason } }
}

const unexplained = (result: string): Reason => {
  if (result === 'success') return notKept
  return result === 'partial' ? unreadable : { code: result, text: `its run ended as ${result}` }
}

/** The record of a backup that has ended. Its size is what was read, where the engine says that. */
export function closed(
  record: InstanceBackup,
  state: InstanceBackup['state'],
  { entry, instance, location, now }: Closing,
): InstanceBackup {
  const bytes = entry?.stats?.bytesProcessed ?? record.bytes ?? instance?.bytes
  return {
    ...record,
    state,
    ...(entry ? { backup: entry.id } : {}),
    ...(bytes === undefined ? {} : { bytes }),
    ...(state.is === 'completed' ? { location } : {}),
    updatedAt: now,
  }
}

interface Closing {
  readonly entry: Backup | undefined
  readonly instance: Instance | undefined
  /** Where the data lies. */
  readonly location: string
  readonly now: Instant
}

/** Why a backup fails whose run is not there. */
export const missingBackup = { is: 'failed', reason: lostRun } as const

/** The instance after a backup of it has ended: free for the next one, and told of what went wrong. */
export function released(instance: Instance, record: InstanceBackup, now: Instant): Instance {
  const { busy, fault: _, ...rest } = instance
  const other = busy === undefined || busy === record.id ? {} : { busy }
  const fault = record.state.is === 'failed' ? { fault: faultOf(record, record.state.reason, now) } : {}
  return { ...rest, ...other, ...fault, updatedAt: now }
}

const faultOf = ({ id }: InstanceBackup, { code, text }: Reason, at: Instant) => ({
  at,
  text: `backup ${id} failed: ${text}`,
  details: code,
})

/** What follows from the run that removes a backup's data. */
export function settleRemoval(run: Run | undefined): Settlement<{ readonly failed?: Reason }> {
  if (!run) return { do: 'missing' }
  const { state } = run
  if (state.is !== 'finished') return { do: 'wait' }
  if (state.result === 'success') return { do: 'close' }
  return {
    do: 'close',
    failed: state.reason ?? { code: state.result, text: `its removal ended as ${state.result}` },
  }
}

/** Why a removal fails whose run is not there. */
export const missingRemoval = lostRun

/** What a `building` instance becomes by the run that restores into it. */
export function settleRestore(run: Run | undefined): Settlement<{ readonly state: Instance['state'] }> {
  if (!run) return { do: 'missing' }
  const { state } = run
  if (state.is !== 'finished') return { do: 'wait' }
  if (state.result === 'success') return { do: 'close', state: { is: 'active' } }
  const why = state.reason?.text ?? `the restore ended as ${state.result}`
  return { do: 'close', state: { is: 'error', why } }
}

/** Why a restore fails whose run is not there. */
export const missingRestore = { is: 'error', why: lostRun.text } as const

/** The instance whose restore has ended. */
export function built(instance: Instance, state: Instance['state'], now: Instant): Instance {
  return {
    ...instance,
    state,
    ...(state.is === 'error' ? { fault: { at: now, text: `the restore failed: ${state.why}` } } : {}),
    builtAt: now,
    updatedAt: now,
  }
}
