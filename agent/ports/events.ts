import type { ClientId, JobId, RunId, SessionId } from '../../core/ids.ts'
import type { Reason, Report } from '../../core/run.ts'

/** Which attempt an event is about, for whoever searches a log by run, session or tag. */
export interface OfRun {
  readonly run: RunId
  readonly attempt: number
  readonly job?: JobId
  readonly client?: ClientId
  readonly session?: SessionId
  readonly tag?: number
}

/** What the agent tells its log, by name. No field ever holds a secret, a command or a whole order. */
export interface Events {
  'agent.started': { readonly stateDir: string; readonly held: number }
  'agent.draining': { readonly running: readonly RunId[]; readonly withinMs: number }
  'agent.stopped': { readonly undelivered: number }
  'journal.damaged': { readonly lines: readonly number[]; readonly doubtful: number; readonly kept: string }
  'journal.torn': Record<never, never>
  'journal.failed': { readonly err: unknown }
  'journal.repaired': Record<never, never>
  'instances.damaged': { readonly kept: string }
  'instance.dropped': { readonly key: string }
  'orphans.found': { readonly attempts: readonly string[] }
  'orphans.stuck': { readonly pids: readonly number[] }
  'line.open': { readonly server: string }
  'line.lost': { readonly why: string }
  'line.failed': { readonly address: string; readonly why: string; readonly againInMs: number }
  'line.unreadable': { readonly address: string; readonly why: string }
  'order.accepted': OfRun & { readonly armed: boolean }
  'order.refused': OfRun & { readonly reason: Reason; readonly final: boolean }
  'order.repeated': OfRun
  'message.ignored': { readonly type: string; readonly why: string; readonly run?: RunId }
  'run.started': OfRun
  'run.cancelling': OfRun & { readonly reason: Reason }
  'run.ended': OfRun & { readonly end: Report['end']; readonly result: string }
  'report.unpublished': OfRun & { readonly err: unknown; readonly retryInMs: number }
  'report.published': OfRun
  'report.committed': OfRun
  'plan.taken': { readonly job: JobId; readonly generation: number }
  'plan.dropped': { readonly job: JobId }
  'autonomy.began': { readonly jobs: number }
  'autonomy.ended': { readonly untold: number }
  'slot.due': { readonly job: JobId; readonly slot: number; readonly run: RunId }
  'slot.skipped': { readonly job: JobId; readonly slot: number; readonly reason: string }
  'certificate.renewed': { readonly notAfter: string }
  'certificate.refused': { readonly why: string }
  bug: { readonly err: unknown; readonly where: string }
}

export type Recorder = <E extends keyof Events>(event: E, fields: Events[E]) => void
