import { fileURLToPath } from 'node:url'
import type { Clock } from '../../../core/clock.ts'
import type { EngineContext, EngineEvent } from '../../ports/engine.ts'
import { cancelled } from '../kept/ends.ts'
import type { Outcome, Work, Worked } from '../kept/kind.ts'
import { scaled } from '../kept/share.ts'
import { launch, type Child, type Exit } from '../process/child.ts'
import { childEnvironment } from '../process/environment.ts'
import { commandLadder } from '../process/ladder.ts'
import { follow } from '../process/lines.ts'
import { bytesReadBy } from '../process/proc.ts'
import { StallWatch } from '../process/stall.ts'
import { toldIn, type Told } from './told.ts'

const program = fileURLToPath(new URL('./script.ts', import.meta.url))
const lineBytesMax = 65_536
/** Between two looks at how much it has read. Milliseconds. */
const lookEveryMs = 500
/** Bytes read below this are its own housekeeping, not work. */
const readingStep = 65_536

/** Runs the program in a process of its own, stopped by the context's signal or when it does not get on. Never throws. */
export async function* call(args: readonly string[], work: Work): Worked {
  const { stateMark, limits, context } = work
  const { attemptId, stateDir, signal, clock, stallMs } = context
  if (signal.aborted) return { ok: false, failure: cancelled(signal) }
  const launched = await launch(
    {
      program: process.execPath,
      args: [program, ...args],
      // SQLite's own temporary files go where nobody else looks.
      env: childEnvironment({ attemptId, stateMark }, stateDir, { SQLITE_TMPDIR: stateDir }),
      limits,
    },
    context,
  )
  if (!launched.ok) return { ok: false, failure: { code: 'unknown', text: launched.text } }
  const { child } = launched
  const listener = new Listener(child, context)
  using _listening = child.stopOn(signal, commandLadder)
  using watch = new StallWatch(clock, stallMs)
  let stalled = false
  watch.start(
    () => {
      stalled = true
      void child.stop(commandLadder)
    },
    () => readingOf(child),
  )
  try {
    yield* progressOf(listener, child, work)
    const exit = await child.ended
    if (signal.aborted || stalled) await child.stop(commandLadder)
    if (signal.aborted) return { ok: false, failure: cancelled(signal) }
    if (stalled)
      return { ok: false, failure: { code: 'stalled', text: `it did not get on for ${stallMs / 1_000} s` } }
    return outcomeOf(listener, exit)
  } finally {
    await child.stop(commandLadder) // does nothing after an end; a reader that leaves early ends it
    await child.ended
  }
}

/** Hears the program out, as its lines come. */
class Listener {
  /** Those that nobody has told of yet. */
  readonly phases: Phase[] = []
  result: Exclude<Told, { is: 'phase' }> | undefined
  /** The last thing that it said outside its lines. */
  said = ''
  over = false
  #wake = (): void => undefined

  constructor(child: Child, context: EngineContext) {
    void this.#listen(child, context).finally(() => {
      this.over = true
      this.#wake()
    })
  }

  /** Resolves when there is something new, at most so many milliseconds later. Never rejects. */
  async news(clock: Clock, withinMs: number): Promise<void> {
    if (this.over || this.phases.length > 0) return
    const woken = new AbortController()
    this.#wake = () => woken.abort()
    await clock.sleep(withinMs, woken.signal).catch(() => undefined)
  }

  async #listen(child: Child, context: EngineContext): Promise<void> {
    for await (const { source, text } of follow(child.outputs, lineBytesMax)) {
      const stream = source === 'stdout' ? 'stdout' : 'stderr'
      const told = stream === 'stdout' ? toldIn(text) : undefined
      if (told?.is === 'phase') this.phases.push(told)
      else if (told) this.result = told
      else if (text.trim() !== '') {
        this.said = text.slice(0, 500)
        context.log({ level: 'warn', stream, text: text.slice(0, 4_096) })
      }
      this.#wake()
    }
  }
}

type Phase = Extract<Told, { is: 'phase' }>

async function* progressOf(
  listener: Listener,
  child: Child,
  { shares, context: { clock } }: Work,
): AsyncGenerator<EngineEvent, void, undefined> {
  let now: Phase | undefined
  let from = 0
  for (;;) {
    await listener.news(clock, lookEveryMs)
    for (let next = listener.phases.shift(); next; next = listener.phases.shift()) {
      now = next
      from = bytesReadBy(child.pid) ?? 0
      yield { type: 'phase', phase: now.phase }
    }
    if (listener.over) return
    const read = bytesReadBy(child.pid)
    if (now === undefined || read === undefined) continue
    const { phase, bytes: total } = now
    const progress = { phase, done: Math.min(total, Math.max(0, read - from)), total, errors: 0 }
    yield { type: 'progress', progress: scaled(progress, shares[phase] ?? shares.verify) }
  }
}

function outcomeOf({ result, said }: Listener, exit: Exit): Outcome {
  if (result?.is === 'failed') return { ok: false, failure: result.failure }
  if (result !== undefined && exit.is === 'exited' && exit.code === 0)
    return { ok: true, bytes: result.bytes }
  const how =
    exit.is === 'exited' ? `exit code ${exit.code}` : exit.is === 'signalled' ? exit.signal : 'no end'
  const code = exit.is === 'exited' ? 'unknown' : 'killed'
  return {
    ok: false,
    failure: { code, text: [`SQLite's process ended with ${how}`, said].filter(Boolean).join(': ') },
  }
}

const readingOf = ({ pid }: Child): number | undefined => {
  const bytes = bytesReadBy(pid)
  return bytes === undefined ? undefined : Math.floor(bytes / readingStep)
}
