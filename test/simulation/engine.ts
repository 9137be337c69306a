import type { Action } from '../../core/action.ts'
import type { ClientId, JobId, RunId, Slot } from '../../core/ids.ts'
import type { Engine, EngineContext, EngineEvent, EngineTask } from '../../agent/ports/engine.ts'
import type { Orphans, Survivor } from '../../agent/ports/orphans.ts'
import type { Chance } from './kernel/chance.ts'
import type { Process } from './kernel/process.ts'
import type { Timeline } from './kernel/timeline.ts'
import type { Evidence, Execution } from './evidence.ts'

/** A child that runs on a node, whoever started it. */
interface Child {
  readonly pid: number
  readonly execution: Execution
  /** Called when it has ended by itself. */
  done: () => void
}

/** How a node's commands go. */
export interface Habits {
  /** How long they take, at most. Milliseconds. */
  readonly workMs: number
  readonly fails: number
}

/** The commands that run on one node: they outlive the agent's process, and end with the machine. */
export class Children {
  readonly #timeline: Timeline
  readonly #evidence: Evidence
  readonly #client: ClientId
  readonly #running = new Map<number, Child>()
  #pid = 100

  constructor(timeline: Timeline, evidence: Evidence, client: ClientId) {
    this.#timeline = timeline
    this.#evidence = evidence
    this.#client = client
  }

  /** `env`: what the command is told; all that it knows. */
  start(env: Readonly<Record<string, string>>, workMs: number): Child {
    const execution: Execution = {
      job: env['FIRN_JOB_ID'] as JobId,
      slot: env['FIRN_SLOT'] as Slot,
      run: env['FIRN_RUN_ID'] as RunId,
      attempt: Number(env['FIRN_RUN_ATTEMPT']),
      client: this.#client,
      from: this.#timeline.now,
      until: undefined,
    }
    const pid = ++this.#pid
    const child: Child = { pid, execution, done: () => {} }
    this.#running.set(pid, child)
    this.#evidence.begin(execution)
    this.#timeline.after(workMs, () => {
      if (!this.#running.has(pid)) return
      this.#end(child)
      child.done()
    })
    return child
  }

  kill(pid: number): void {
    const child = this.#running.get(pid)
    if (child) this.#end(child)
  }

  /** The machine is gone, and all that ran on it. */
  losePower(): void {
    for (const child of [...this.#running.values()]) this.#end(child)
  }

  /** Ends what an earlier process left running. */
  orphans(): Orphans {
    return {
      end: async (): Promise<readonly Survivor[]> => {
        this.losePower()
        return []
      },
    }
  }

  #end(child: Child): void {
    this.#running.delete(child.pid)
    child.execution.until = this.#timeline.now
  }
}

/** Executes commands of a node: each takes its time, and may fail. */
export class SimulatedExec implements Engine {
  readonly name = 'exec'
  readonly does: readonly Action['do'][] = ['exec']
  readonly #process: Process
  readonly #children: Children
  readonly #chance: Chance
  readonly #habits: Habits

  constructor(process: Process, children: Children, chance: Chance, habits: Habits) {
    this.#process = process
    this.#children = children
    this.#chance = chance
    this.#habits = habits
  }

  async probe() {
    return { engine: this.name, available: true, capabilities: [], problems: [] }
  }

  async *run(task: EngineTask, { signal, children }: EngineContext): AsyncGenerator<EngineEvent> {
    if (task.do !== 'exec') throw new Error('only commands are executed here')
    if (signal.aborted) return yield ended('aborted')
    // Most are short, some take all the time there is.
    const child = this.#children.start(task.env, this.#chance.next() ** 3 * this.#habits.workMs)
    children.started({ pid: child.pid, startTime: '0', command: 'true' })
    const stopped = await new Promise<boolean>((resolve) => {
      child.done = () => this.#process.act(() => resolve(false))
      signal.addEventListener('abort', () => resolve(true), { once: true })
    })
    if (stopped) this.#children.kill(child.pid)
    children.ended(child.pid)
    if (stopped) yield ended('aborted')
    else yield this.#chance.happens(this.#habits.fails) ? ended('failed') : ended('success')
  }

  async browse() {
    return { entries: [], more: false }
  }

  async cleanUp() {}
}

const ended = (result: 'success' | 'failed' | 'aborted'): EngineEvent => ({
  ...{ type: 'end', result, retryable: result === 'failed' },
  ...(result === 'success' ? {} : { reason: { code: result, text: `it ${result}` } }),
})
