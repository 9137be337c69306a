import type { Run } from '../core/run.ts'
import type { SetRecord } from '../core/set.ts'
import type { Recorder } from './events.ts'
import type { State } from './state/state.ts'

/** Logs what this server's own writes changed of runs and sets. */
export function recordChanges(state: State, record: Recorder): void {
  state.onCommit(({ kind, value, before }) => {
    if (kind === 'run' && before?.state.is !== value.state.is) recordRun(value, record)
    if (kind === 'set' && before?.phase.is !== value.phase.is) recordSet(value, record)
  })
}

function recordRun({ id, project, client, job, session, state }: Run, record: Recorder): void {
  record('run.changed', {
    run: id,
    project,
    client,
    job,
    ...(session ? { session: session.id, tag: session.tag } : {}),
    state: state.is,
    ...(state.is === 'finished'
      ? { result: state.result, ...(state.reason ? { reason: state.reason.code } : {}) }
      : { attempt: state.attempt }),
  })
}

function recordSet({ project, session, tag, phase }: SetRecord, record: Recorder): void {
  record('set.changed', {
    project,
    session,
    tag,
    phase: phase.is,
    ...(phase.is === 'ended' ? { result: phase.outcome.result, grade: phase.outcome.grade } : {}),
  })
}
