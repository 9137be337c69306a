// Waiting for work at the server, with progress meanwhile.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Invocation } from './command.ts'
import { EXIT, Failure, Interrupted } from './failure.ts'
import { follow, idIn, type Happening } from './follow.ts'
import { text } from './json.ts'
import { progressView, type ProgressView } from './render/live.ts'
import { hasEnded } from './render/progress.ts'
import { progressFields, type RunItem } from './views/runs.ts'

/** The whole of what is waited for, as one look at the server showed it. */
export interface Level {
  readonly title: string
  readonly items: readonly RunItem[]
  readonly hasEnded: boolean
  /** Once it has ended. */
  readonly result: string | undefined
  /** The server's document. */
  readonly document: unknown
}

/** What is waited for. */
export interface Watched {
  /** Looks at the server. Throws Failure. */
  read(): Promise<Level>
  /** `SESSION.TAG` of a set: its own events count too. */
  readonly set?: string
  /** Commands that whoever stops waiting can use. */
  readonly follow: string
  readonly cancel?: string
}

/** Several events of one moment need one look. Milliseconds. */
const GATHER_MS = 100

/**
 * Shows progress on standard error until the work has ended, and answers its last state. Looks at the whole at the
 * start, whenever an event is about it, whenever the events could have a gap, and now and then in any case: what it
 * answers never rests on an event. The work itself goes on whatever happens here, and Failures say so.
 */
export async function watch(invocation: Invocation, watched: Watched): Promise<Level> {
  try {
    return await watching(invocation, watched)
  } catch (error) {
    if (error instanceof Interrupted) {
      throw new Failure(error.exit, `${error.message}; the work goes on at the server`, {
        hint: waysOn(watched),
      })
    }
    if (error instanceof Failure && error.exit === EXIT.unreachable)
      throw new Failure(error.exit, error.message, { hint: `the work may well go on; ${waysOn(watched)}` })
    throw error
  }
}

const waysOn = ({ follow, cancel }: Watched) =>
  `follow it: ${follow}${cancel === undefined ? '' : `; cancel it: ${cancel}`}`

async function watching(invocation: Invocation, watched: Watched): Promise<Level> {
  const { io, out } = invocation
  const first = await watched.read()
  if (first.hasEnded) return first
  using view = progressView({ stream: io.stderr, env: io.env, colour: out.notePaint.bold('x') !== 'x' })
  const state: WatchState = { level: first, view, isConnected: false, wakeup: Promise.withResolvers<void>() }
  const ending = new AbortController()
  const events = listen(invocation, watched, state, AbortSignal.any([io.signal, ending.signal]))
  try {
    return await lookUntilEnded(invocation, watched, state)
  } finally {
    ending.abort()
    await events
  }
}

interface WatchState {
  level: Level
  readonly view: ProgressView
  isConnected: boolean
  /** Resolves when another look is due. */
  wakeup: PromiseWithResolvers<void>
}

/** Looks until it has ended. Passing failures are borne for a while: the server may be starting again. */
async function lookUntilEnded({ io }: Invocation, watched: Watched, state: WatchState): Promise<Level> {
  const { pollMs, pollMaxMs, patienceMs } = io.pace
  let awaySince: number | undefined
  for (let pause = pollMs; ;) {
    state.view.update(state.level.items, state.level.title)
    if (state.level.hasEnded) return state.level
    const isDue = await isWoken(state, pause, io.signal)
    if (isDue)
      await sleep(GATHER_MS, undefined, { signal: io.signal }).catch(() => io.signal.throwIfAborted())
    state.wakeup = Promise.withResolvers<void>()
    // While events come, looks are only for what they may have missed.
    pause = isDue || !state.isConnected ? pollMs : Math.min(pollMaxMs, pause * 1.5)
    try {
      state.level = await watched.read()
      if (awaySince !== undefined) state.view.note('the server is back')
      awaySince = undefined
    } catch (error) {
      io.signal.throwIfAborted()
      if (!(error instanceof Failure) || error.exit !== EXIT.unreachable) throw error
      if (awaySince === undefined) state.view.note(`${error.message}; trying again`)
      awaySince ??= performance.now()
      if (performance.now() - awaySince > patienceMs) throw error
    }
  }
}

async function isWoken({ wakeup }: WatchState, withinMs: number, signal: AbortSignal): Promise<boolean> {
  const over = new AbortController()
  const either = AbortSignal.any([signal, over.signal])
  try {
    return await Promise.race([
      wakeup.promise.then(() => true),
      sleep(withinMs, false, { signal: either }).catch(() => false),
    ])
  } finally {
    over.abort()
    signal.throwIfAborted()
  }
}

/** Takes progress into the picture and wakes whoever looks. Without events, looking now and then has to do. */
async function listen(
  invocation: Invocation,
  watched: Watched,
  state: WatchState,
  signal: AbortSignal,
): Promise<void> {
  const happenings = follow(invocation.api(), {
    progress: true,
    patient: true,
    signal,
    pace: invocation.io.pace,
    onOpen: () => {
      state.isConnected = true
      // Something may have happened between the last look and this connection.
      state.wakeup.resolve()
    },
    onBreak: () => {
      state.isConnected = false
    },
  })
  try {
    for await (const happening of happenings) take(happening, watched, state)
  } catch {
    // Ended with the wait, or refused for good.
  } finally {
    state.isConnected = false
  }
}

function take({ type, data }: Happening, watched: Watched, state: WatchState): void {
  const run = idIn(data, 'run')
  const { level, view } = state
  if (!type.endsWith('.progress')) {
    if (isAbout(run, data, watched, level)) state.wakeup.resolve()
    return
  }
  const item = level.items.find((it) => it.run === run)
  if (item === undefined || hasEnded(item)) return
  const runState = item.state === 'cancelling' ? item.state : 'running'
  const moved = { ...item, state: runState, ...progressFields(data, item.steps) }
  state.level = { ...level, items: level.items.map((it) => (it === item ? moved : it)) }
  view.update(state.level.items, state.level.title)
}

function isAbout(run: string, data: unknown, { set }: Watched, { items }: Level): boolean {
  if (run !== '') return items.some((it) => it.run === run)
  const named =
    text(data, 'set') || [idIn(data, 'session'), text(data, 'tag')].filter((it) => it !== '').join('.')
  // A client's line went up or down: its run may have changed state.
  return named === '' || named === set
}
