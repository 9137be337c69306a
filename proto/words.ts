import type { Held, Phase, TreeEntry } from '../core/link.ts'
import type { Report, Result, StepReport } from '../core/run.ts'
import * as wire from './gen/firn/v1/agent.ts'
import { End } from './gen/firn/v1/report.ts'
import { present } from './strict.ts'

/*
 * The words of both worlds. A word or an enum value that is new on either side does not compile until it has its
 * counterpart here. The functions throw Fault('bad_message') for a value that this version does not know.
 */

const phases = {
  [wire.Phase.PHASE_PREPARE]: 'prepare',
  [wire.Phase.PHASE_SCAN]: 'scan',
  [wire.Phase.PHASE_TRANSFER]: 'transfer',
  [wire.Phase.PHASE_COMMIT]: 'commit',
  [wire.Phase.PHASE_VERIFY]: 'verify',
  [wire.Phase.PHASE_CLEANUP]: 'cleanup',
  [wire.Phase.PHASE_UNSPECIFIED]: undefined,
  [wire.Phase.UNRECOGNIZED]: undefined,
} as const satisfies Record<wire.Phase, Phase | undefined>

export const phaseFromWire = (phase: wire.Phase): Phase => present('phase', phases[phase])
export const wireFromPhase: Readonly<Record<Phase, wire.Phase>> = {
  prepare: wire.Phase.PHASE_PREPARE,
  scan: wire.Phase.PHASE_SCAN,
  transfer: wire.Phase.PHASE_TRANSFER,
  commit: wire.Phase.PHASE_COMMIT,
  verify: wire.Phase.PHASE_VERIFY,
  cleanup: wire.Phase.PHASE_CLEANUP,
}

const heldStates = {
  [wire.HeldState.HELD_STATE_ARMED]: 'armed',
  [wire.HeldState.HELD_STATE_RUNNING]: 'running',
  [wire.HeldState.HELD_STATE_ENDED]: 'ended',
  [wire.HeldState.HELD_STATE_UNSPECIFIED]: undefined,
  [wire.HeldState.UNRECOGNIZED]: undefined,
} as const satisfies Record<wire.HeldState, Held['state'] | undefined>

export const heldStateFromWire = (state: wire.HeldState): Held['state'] =>
  present('held.state', heldStates[state])
export const wireFromHeldState: Readonly<Record<Held['state'], wire.HeldState>> = {
  armed: wire.HeldState.HELD_STATE_ARMED,
  running: wire.HeldState.HELD_STATE_RUNNING,
  ended: wire.HeldState.HELD_STATE_ENDED,
}

const entryTypes = {
  [wire.TreeEntryType.TREE_ENTRY_TYPE_FILE]: 'file',
  [wire.TreeEntryType.TREE_ENTRY_TYPE_DIR]: 'dir',
  [wire.TreeEntryType.TREE_ENTRY_TYPE_SYMLINK]: 'symlink',
  [wire.TreeEntryType.TREE_ENTRY_TYPE_OTHER]: 'other',
  [wire.TreeEntryType.TREE_ENTRY_TYPE_UNSPECIFIED]: undefined,
  [wire.TreeEntryType.UNRECOGNIZED]: undefined,
} as const satisfies Record<wire.TreeEntryType, TreeEntry['type'] | undefined>

export const entryTypeFromWire = (type: wire.TreeEntryType): TreeEntry['type'] =>
  present('entries.type', entryTypes[type])
export const wireFromEntryType: Readonly<Record<TreeEntry['type'], wire.TreeEntryType>> = {
  file: wire.TreeEntryType.TREE_ENTRY_TYPE_FILE,
  dir: wire.TreeEntryType.TREE_ENTRY_TYPE_DIR,
  symlink: wire.TreeEntryType.TREE_ENTRY_TYPE_SYMLINK,
  other: wire.TreeEntryType.TREE_ENTRY_TYPE_OTHER,
}

/** How a step ended so far, as an order tells it: `skipped` besides the results that a report can have. */
export type StepResult = StepReport['result'] | 'skipped'

const stepResults = {
  [wire.Result.RESULT_SUCCESS]: 'success',
  [wire.Result.RESULT_PARTIAL]: 'partial',
  [wire.Result.RESULT_FAILED]: 'failed',
  [wire.Result.RESULT_ABORTED]: 'aborted',
  [wire.Result.RESULT_LOST]: 'lost',
  [wire.Result.RESULT_SKIPPED]: 'skipped',
  [wire.Result.RESULT_UNSPECIFIED]: undefined,
  [wire.Result.UNRECOGNIZED]: undefined,
} as const satisfies Record<wire.Result, StepResult | undefined>

export const stepResultFromWire = (result: wire.Result): StepResult => present('result', stepResults[result])
export const wireFromStepResult: Readonly<Record<StepResult, wire.Result>> = {
  success: wire.Result.RESULT_SUCCESS,
  partial: wire.Result.RESULT_PARTIAL,
  failed: wire.Result.RESULT_FAILED,
  aborted: wire.Result.RESULT_ABORTED,
  lost: wire.Result.RESULT_LOST,
  skipped: wire.Result.RESULT_SKIPPED,
}

export function resultFromWire(wire: wire.Result): Result {
  const result = stepResultFromWire(wire)
  return present('result', result === 'skipped' ? undefined : result)
}

const ends = {
  [End.END_ENDED]: 'ended',
  [End.END_RETRY]: 'retry',
  [End.END_INTERRUPTED]: 'interrupted',
  [End.END_ABORTED]: 'aborted',
  [End.END_UNSPECIFIED]: undefined,
  [End.UNRECOGNIZED]: undefined,
} as const satisfies Record<End, Report['end'] | undefined>

export const endFromWire = (end: End): Report['end'] => present('end', ends[end])
export const wireFromEnd: Readonly<Record<Report['end'], End>> = {
  ended: End.END_ENDED,
  retry: End.END_RETRY,
  interrupted: End.END_INTERRUPTED,
  aborted: End.END_ABORTED,
}
