import { Fault } from '../../../core/fault.ts'
import type { Engine, EngineContext, EngineEnd, EngineEvent, EngineTask } from '../../ports/engine.ts'
import type { Exit } from '../process/child.ts'
import { childEnvironment } from '../process/environment.ts'
import { PipeStock } from '../process/pipes.ts'
import { BoundedLog } from './log-bound.ts'
import { Pipeline } from './pipeline.ts'

type Exec = Extract<EngineTask, { do: 'exec' }>

export interface ExecSettings {
  /** Tells this agent's children from those of another agent on the node. */
  readonly stateMark: string
}

export const execName = 'exec'

/**
 * Runs argument vectors, joined as a pipe when there are several, never through a shell. Success is exit code 0 of every
 * one of them. What they write goes to the log, a flood of it shortened. What a command leaves running in its process
 * group is stopped with it; a service that makes a session of its own goes on. The time limit is the only one: silence is
 * no stall here.
 */
export function execEngine(settings: ExecSettings): Engine {
  const pipes = new PipeStock()
  return {
    name: execName,
    does: ['exec'],
    probe: () => Promise.resolve({ engine: execName, available: true, capabilities: ['pipe'], problems: [] }),
    run: (task, context) => run(settings, pipes, task, context),
    browse: () => Promise.reject(new Fault('unsupported', 'a command has nothing to look into')),
    cleanUp: () => Promise.resolve(),
  }
}

async function* run(
  settings: ExecSettings,
  pipes: PipeStock,
  task: EngineTask,
  context: EngineContext,
): AsyncGenerator<EngineEvent, void, undefined> {
  if (task.do !== 'exec') return yield failure('config', `exec does no ${task.do}`)
  if (context.signal.aborted) return yield aborted(context.signal.reason)
  if (task.action.commands.length === 0 || task.action.commands.some((words) => words.length === 0))
    return yield failure('config', 'there is no command')
  yield { type: 'phase', phase: 'transfer' }
  let end: EngineEnd
  try {
    end = await execute(settings, pipes, task, context)
  } catch (error) {
    end = failure('unknown', error instanceof Error ? error.message : String(error), true)
  }
  yield end
}

async function execute(
  settings: ExecSettings,
  pipes: PipeStock,
  task: Exec,
  context: EngineContext,
): Promise<EngineEnd> {
  const { action } = task
  const { clock, signal } = context
  const startedAt = clock.monotonic()
  const identity = { attemptId: context.attemptId, stateMark: settings.stateMark }
  const env = childEnvironment(identity, context.stateDir, task.env)
  const built = await Pipeline.start(
    { commands: action.commands, env, limits: action.limits, pipes, folder: context.stateDir },
    context,
  )
  if (!built.ok) return failure('config', `command ${built.at + 1}: ${built.text}`)
  await using pipeline = built.pipeline

  const over = new AbortController()
  let late = false
  const stop = (): void => void pipeline.stop()
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  void clock.sleep(action.timeLimitMs, over.signal).then(
    () => {
      if (over.signal.aborted) return
      late = true
      stop()
    },
    () => {},
  )
  try {
    const log = new BoundedLog((line) => context.log(line))
    for await (const { source, text, cut } of pipeline.lines) {
      const stream = source === 'stdout' ? 'stdout' : 'stderr'
      log.add({ level: stream === 'stdout' ? 'info' : 'warn', stream, text: cut ? `${text} …` : text })
    }
    const exits = await pipeline.ended()
    log.end()
    const stats = { durationMs: Math.round(clock.monotonic() - startedAt) }
    const bad = firstBad(exits)
    if (bad === undefined) return { type: 'end', result: 'success', retryable: false, stats }
    // The group may outlive the command that led it.
    if (signal.aborted || late) await pipeline.stop()
    if (signal.aborted) return { ...aborted(signal.reason), stats }
    if (late)
      return { ...failure('over_time', `it took longer than ${action.timeLimitMs / 1_000} s`, true), stats }
    return { ...endOf(bad.exit, bad.at, action.commands), stats }
  } finally {
    pipes.refill(context.stateDir)
    over.abort()
    signal.removeEventListener('abort', stop)
  }
}

/** The one that failed, rather than one that was stopped, or got a broken pipe, because of it. */
function firstBad(exits: readonly Exit[]): { readonly at: number; readonly exit: Exit } | undefined {
  const bad = exits.flatMap((exit, at) => (exit.is === 'exited' && exit.code === 0 ? [] : [{ at, exit }]))
  return bad.find(({ exit }) => exit.is === 'exited') ?? bad[0]
}

function endOf(exit: Exit, at: number, commands: readonly (readonly string[])[]): EngineEnd {
  const which = `command ${at + 1} of ${commands.length} (${commands[at]?.[0] ?? ''})`
  switch (exit.is) {
    case 'exited':
      return failure('exit_code', `${which} ended with exit code ${exit.code}`, true)
    case 'signalled':
      return failure('killed', `${which} ended with ${exit.signal}`, true)
    case 'abandoned':
      return failure('killed', `${which} hangs in the kernel and could not be ended`, true)
  }
}

const failure = (code: string, text: string, retryable = false): EngineEnd => ({
  type: 'end',
  result: 'failed',
  reason: { code, text },
  retryable,
})

const aborted = (why: unknown): EngineEnd => ({
  type: 'end',
  result: 'aborted',
  reason: {
    code: 'cancelled',
    text: why instanceof Error && why.name !== 'AbortError' ? why.message : 'stopped on request',
  },
  retryable: false,
})
