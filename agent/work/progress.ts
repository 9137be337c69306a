import type { Phase, Progress } from '../../core/link.ts'
import type { EngineProgress } from '../ports/engine.ts'

/** What a step's progress looks like so far. */
export interface Meter {
  readonly phase: Phase
  readonly last?: EngineProgress
  /** The highest shown: never goes back. */
  readonly fraction?: number
  /** Smoothed units a second. */
  readonly rate?: number
  /** When the first and the last value came. Milliseconds, monotonic. */
  readonly since?: number
  readonly at?: number
  readonly itemErrors: number
}

export const newMeter: Meter = { phase: 'prepare', itemErrors: 0 }

/** The rate follows the last values with this time constant: steady enough to read, quick enough to notice. Milliseconds. */
const smoothMs = 10_000
/** No time left is guessed before this: the first rates are of caches and small files. Milliseconds. */
const guessAfterMs = 3_000
/** A path is shown, not used: longer ones are cut. Characters. */
const currentMax = 1_024

export const inPhase = (meter: Meter, phase: Phase): Meter => ({ ...meter, phase })
export const withError = (meter: Meter): Meter => ({ ...meter, itemErrors: meter.itemErrors + 1 })

/** The meter after a value that came at `at` (milliseconds, monotonic). */
export function observe(meter: Meter, said: EngineProgress, at: number): Meter {
  const value = sane(said)
  const shown = value.fraction ?? fractionOf(value)
  return {
    ...meter,
    phase: value.phase,
    last: value,
    ...(shown === undefined && meter.fraction === undefined
      ? {}
      : { fraction: Math.max(meter.fraction ?? 0, Math.min(1, Math.max(0, shown ?? 0))) }),
    ...rateAfter(meter, value, at),
    since: meter.since ?? at,
    at,
  }
}

/** Engines repeat what tools print: a number that is none must not spoil all that follow. */
function sane(value: EngineProgress): EngineProgress {
  const { fraction, total, ...rest } = value
  return {
    ...rest,
    done: whole(value.done),
    ...(total === undefined ? {} : { total: whole(total) }),
    ...(fraction === undefined || Number.isNaN(fraction) ? {} : { fraction }),
  }
}

const fractionOf = ({ done, total }: EngineProgress): number | undefined =>
  total === undefined || total <= 0 ? undefined : done / total

function rateAfter(meter: Meter, value: EngineProgress, at: number): { readonly rate?: number } {
  const { last, at: before, rate } = meter
  if (!last || before === undefined || at <= before) return rate === undefined ? {} : { rate }
  const elapsed = at - before
  const now = (Math.max(0, value.done - last.done) * 1_000) / elapsed
  if (rate === undefined) return { rate: now }
  const weight = 1 - Math.exp(-elapsed / smoothMs)
  return { rate: rate + weight * (now - rate) }
}

/** What is told of it. */
export function shown(meter: Meter, of: Pick<Progress, 'run' | 'attempt' | 'step'>): Progress {
  const { last, fraction, rate } = meter
  const total = last?.total
  const secondsLeft = guess(meter)
  const { filesDone, filesTotal, current } = last ?? {}
  return {
    ...of,
    phase: meter.phase,
    done: last?.done ?? 0,
    ...(total === undefined ? {} : { total }),
    ...(filesDone === undefined ? {} : { filesDone: whole(filesDone) }),
    ...(filesTotal === undefined ? {} : { filesTotal: whole(filesTotal) }),
    ...(fraction === undefined ? {} : { fraction }),
    ...(rate === undefined ? {} : { bytesPerSecond: rate }),
    ...(secondsLeft === undefined ? {} : { secondsLeft }),
    errors: Math.max(whole(last?.errors ?? 0), meter.itemErrors),
    ...(current === undefined ? {} : { current: current.slice(0, currentMax) }),
  }
}

function guess({ last, rate, since, at }: Meter): number | undefined {
  if (!last || last.total === undefined || rate === undefined || rate <= 0) return undefined
  if (since === undefined || at === undefined || at - since < guessAfterMs) return undefined
  return Math.max(0, last.total - last.done) / rate
}

const whole = (value: number): number => (Number.isFinite(value) ? Math.max(0, Math.round(value)) : 0)
