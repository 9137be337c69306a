import type { ClientId, JobId, RunId, Slot } from '../../core/ids.ts'

/** One execution of an attempt, as the command that ran wrote it down on its own node. */
export interface Execution {
  readonly job: JobId
  readonly client: ClientId
  readonly slot: Slot
  readonly run: RunId
  readonly attempt: number
  /** True time, milliseconds of the world. */
  readonly from: number
  /** When it ended or was ended; undefined while it works. */
  until: number | undefined
}

/** What the nodes themselves saw: nobody can take it back. */
export class Evidence {
  readonly executions: Execution[] = []
  /** Told of each as it begins. */
  onBegin: (execution: Execution) => void = () => {}

  begin(execution: Execution): void {
    this.executions.push(execution)
    this.onBegin(execution)
  }
}
