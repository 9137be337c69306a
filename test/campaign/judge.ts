// What the jobs wrote themselves, held against when they were due: each run is one slot's, each slot has become a run or
// says why not. Pure: it is given all that was seen.
import { hasSlot, slotsOf, type Rule } from './expected.ts'

/** A rule for a time. Slots of `must` have to be accounted for; those of `may` are nobody's surprise. Both are [from, to). */
export interface Version {
  readonly rule: Rule
  readonly must: readonly [number, number]
  readonly may: readonly [number, number]
}

/** A schedule as it was asked for. */
export interface Schedule {
  /** The job's id, or the session's. */
  readonly id: string
  /** Where each slot has a run: clients. Of a session: one unit, its start. */
  readonly units: readonly string[]
  readonly versions: readonly Version[]
  readonly jitterMs?: number
  readonly count?: number
  /** Tries of a run beyond the first. */
  readonly retries?: number
  /** Whether the start of a slot tells how fast the leader is: alone on its node, never waiting for another run. */
  readonly isPlain?: boolean
}

/** A line that a job wrote. */
export interface Line {
  readonly run: string
  readonly attempt: number
  readonly what: 'begin' | 'end' | 'overlap'
  readonly at: number
  readonly client: string
}

/** A run as the API shows it; of a session, a start of it. */
export interface RunSeen {
  readonly run: string
  readonly of: string
  readonly unit: string
  /** The instant that it is for; undefined for a member of a session, which its start accounts for. */
  readonly slot: number | undefined
  readonly state: string
  readonly attempt: number
  readonly result: string | undefined
}

/** Slots that became none, by the word of the API. */
export interface SkipSeen {
  readonly of: string
  readonly from: number
  readonly to: number
  readonly reason: string
}

/** A fault, from when it began until all was mended. */
export interface Disturbance {
  readonly what: string
  readonly target: string
  readonly from: number
  readonly to: number
  /** A clock of a server was so far ahead: slots may be claimed so much before their time. */
  readonly aheadMs?: number
  /** The leader was lost at `from`. */
  readonly isLeaderLost?: boolean
}

export interface Seen {
  readonly schedules: readonly Schedule[]
  readonly lines: readonly Line[]
  readonly runs: readonly RunSeen[]
  readonly skips: readonly SkipSeen[]
  readonly disturbances: readonly Disturbance[]
}

export type Wrong = 'double' | 'extra' | 'missing' | 'early' | 'incomplete' | 'unexplained' | 'unfinished'

export interface Finding {
  readonly wrong: Wrong
  readonly text: string
}

/** A start of a slot. Milliseconds. */
export interface Start {
  readonly of: string
  readonly slot: number
  readonly lateMs: number
}

export interface Verdict {
  readonly findings: readonly Finding[]
  /** Slots that were due, times the clients that they are for. */
  readonly slots: number
  readonly runs: number
  /** Attempts that began. */
  readonly attempts: number
  /** Slots that were skipped, by reason. */
  readonly skipped: Readonly<Record<string, number>>
  /** Starts before their time by a server's clock that was ahead. */
  readonly earlyByClock: number
  /** Attempts that began and did not end, and the API says so as well: they were tried again, cancelled or failed. */
  readonly cutShort: number
  readonly starts: readonly Start[]
  readonly failovers: readonly (Start & { readonly what: string })[]
}

/** A job's first line comes after its start: only rounding can make it earlier. Milliseconds. */
const roundingMs = 10
/** A stepped clock is taken over within a second, and claims under way go on for a moment after. Milliseconds. */
const clockLagMs = 5_000
/** How long after the loss of a leader slots are looked at to see how late they are. Milliseconds. */
const failoverWindowMs = 5_000

export function judge(seen: Seen): Verdict {
  const findings: Finding[] = []
  const wrong = (what: Wrong, text: string): void => void findings.push({ wrong: what, text })
  const schedules = new Map(seen.schedules.map((schedule) => [schedule.id, schedule]))
  const runs = new Map(seen.runs.map((run) => [run.run, run]))
  const begun = attemptsOf(seen.lines, runs, schedules, wrong)
  const cutShort = endsOf(seen, begun, wrong)
  const { bySlot, earlyByClock, starts } = startsOf(seen, schedules, begun, wrong)
  const accounts = seen.schedules.map((schedule) => accountFor(schedule, seen.skips, bySlot, wrong))
  const skipped: Record<string, number> = {}
  for (const { reasons } of accounts)
    for (const reason of reasons) skipped[reason] = (skipped[reason] ?? 0) + 1
  return {
    ...{ findings, skipped, earlyByClock, cutShort, starts },
    slots: accounts.reduce((sum, { due }) => sum + due, 0),
    runs: seen.runs.length,
    attempts: [...begun.values()].reduce((sum, { size }) => sum + size, 0),
    failovers: failoversOf(seen, starts),
  }
}

type Say = (wrong: Wrong, text: string) => void
/** When each attempt of each run began. */
type Begun = ReadonlyMap<string, ReadonlyMap<number, number>>

/** No attempt begins twice, beside another one of its run, or without having been ordered. */
function attemptsOf(
  lines: readonly Line[],
  runs: ReadonlyMap<string, RunSeen>,
  schedules: ReadonlyMap<string, Schedule>,
  wrong: Say,
): Begun {
  const begun = new Map<string, Map<number, number>>()
  for (const { run, attempt, what, at, client } of lines) {
    const name = `run ${run}, attempt ${attempt}, on ${client}`
    if (what === 'overlap') wrong('double', `${name}: an earlier attempt was still at work`)
    if (what !== 'begin') continue
    const attempts = begun.get(run) ?? new Map<number, number>()
    begun.set(run, attempts)
    if (attempts.has(attempt)) wrong('double', `${name} began twice, again at ${iso(at)}`)
    attempts.set(attempt, Math.min(at, attempts.get(attempt) ?? at))
    const known = runs.get(run)
    if (known === undefined) {
      wrong('extra', `${name} began at ${iso(at)}, and no server knows that run`)
      continue
    }
    if (attempt > known.attempt) wrong('extra', `${name} began, and only ${known.attempt} were ordered`)
    const { retries } = schedules.get(known.of) ?? {}
    if (retries !== undefined && attempt > retries + 1)
      wrong('double', `${name} began, and the run has ${retries + 1} tries`)
    if (known.unit !== client) wrong('extra', `${name} began there, and is for ${known.unit}`)
  }
  return begun
}

/** Whatever began has ended, or is known not to have; whatever is called a success has begun and ended. */
function endsOf(seen: Seen, begun: Begun, wrong: Say): number {
  const ended = new Set(
    seen.lines.filter(({ what }) => what === 'end').map(({ run, attempt }) => `${run}.${attempt}`),
  )
  let cutShort = 0
  for (const { run, state, result, attempt, of, slot } of seen.runs) {
    const name = `run ${run} of ${of}${slot === undefined ? '' : ` for ${iso(slot)}`}`
    if (state !== 'finished') wrong('unfinished', `${name} is ${state} when all has come to rest`)
    const attempts = begun.get(run)
    if (result === 'success' && attempts?.has(attempt) !== true)
      wrong('missing', `${name} is a success, and attempt ${attempt} did not begin`)
    for (const [nth] of attempts ?? []) {
      if (ended.has(`${run}.${nth}`)) continue
      if (state === 'finished' && (nth < attempt || result !== 'success')) cutShort++
      else
        wrong(
          'incomplete',
          `${name}: attempt ${nth} began and did not end, and the run is ${result ?? state}`,
        )
    }
  }
  return cutShort
}

/** Each run is for a slot that was asked for, one run for each, and none began before it. */
function startsOf(
  seen: Seen,
  schedules: ReadonlyMap<string, Schedule>,
  begun: Begun,
  wrong: Say,
): { bySlot: ReadonlyMap<string, RunSeen>; earlyByClock: number; starts: Start[] } {
  const bySlot = new Map<string, RunSeen>()
  const starts: Start[] = []
  let earlyByClock = 0
  for (const run of seen.runs) {
    const { of, unit, slot } = run
    if (slot === undefined) continue
    const schedule = schedules.get(of)
    const name = `run ${run.run} of ${of} on ${unit} for ${iso(slot)}`
    if (
      !schedule?.versions.some(
        ({ rule, may: [from, to] }) => from <= slot && slot < to && hasSlot(rule, slot),
      )
    )
      wrong('extra', `${name}: no such slot was asked for`)
    if (schedule && !schedule.units.includes(unit)) wrong('extra', `${name}: it is not for that client`)
    const key = keyOf(of, unit, slot)
    if (bySlot.has(key)) wrong('double', `${name}: run ${bySlot.get(key)?.run} is for the same`)
    bySlot.set(key, run)
    const first = Math.min(...(begun.get(run.run)?.values() ?? []))
    if (first === Infinity) continue
    if (first < slot - roundingMs) {
      if (isAhead(seen.disturbances, first, slot)) earlyByClock++
      else wrong('early', `${name} began ${slot - first} ms before it`)
    }
    if ((schedule?.jitterMs ?? 0) === 0) starts.push({ of, slot, lateMs: Math.max(0, first - slot) })
  }
  return { bySlot, earlyByClock, starts }
}

/** The stepped server's own clock decides: a start is early by its step, at most. */
const isAhead = (disturbances: readonly Disturbance[], begun: number, slot: number): boolean =>
  disturbances.some(
    ({ from, to, aheadMs = 0 }) =>
      aheadMs > 0 && from <= begun && begun <= to + clockLagMs && slot - begun <= aheadMs + clockLagMs,
  )

/** Every slot that was due, on every client that it is for: it has a run, or a reason, and not both. */
function accountFor(
  schedule: Schedule,
  allSkips: readonly SkipSeen[],
  bySlot: ReadonlyMap<string, RunSeen>,
  wrong: Say,
): { due: number; reasons: string[] } {
  const { id, units, versions, count } = schedule
  const skips = allSkips.filter(({ of }) => of === id)
  const started = new Set([...bySlot.values()].filter(({ of }) => of === id).map(({ slot }) => slot ?? 0))
  if (count !== undefined && started.size > count)
    wrong('extra', `${id} fired ${started.size} times, and may ${count} times`)
  const isUsedUp = count !== undefined && started.size >= count
  const lastStarted = Math.max(0, ...started)
  const reasons: string[] = []
  let due = 0
  for (const slot of new Set(versions.flatMap(({ rule, must }) => slotsOf(rule, ...must)))) {
    if (isUsedUp && slot > lastStarted) continue
    const skip = skips.find(({ from, to }) => from <= slot && slot <= to)
    const has = units.filter((unit) => bySlot.has(keyOf(id, unit, slot)))
    due += units.length
    if (skip && has.length === 0) reasons.push(...units.map(() => skip.reason))
    else if (skip)
      wrong(
        'unexplained',
        `${id} at ${iso(slot)} has a run on ${has.join()}, and is skipped (${skip.reason})`,
      )
    else if (has.length < units.length) {
      const without = units.filter((unit) => !has.includes(unit))
      wrong('unexplained', `${id} at ${iso(slot)} has no run on ${without.join()}, and no reason`)
    }
  }
  return { due, reasons }
}

/** Of each plain schedule the first slot that was started after the leader was lost. */
function failoversOf({ schedules, disturbances }: Seen, starts: readonly Start[]): Verdict['failovers'] {
  const plain = new Set(schedules.filter(({ isPlain }) => isPlain === true).map(({ id }) => id))
  return disturbances
    .filter(({ isLeaderLost }) => isLeaderLost === true)
    .flatMap(({ what, from }) => {
      const first = new Map<string, Start>()
      for (const start of starts) {
        if (!plain.has(start.of) || start.slot < from || start.slot > from + failoverWindowMs) continue
        if (start.slot < (first.get(start.of)?.slot ?? Infinity)) first.set(start.of, start)
      }
      return [...first.values()].map((start) => ({ ...start, what }))
    })
}

const keyOf = (of: string, unit: string, slot: number): string => `${of} ${unit} ${slot}`

const iso = (at: number): string => new Date(at).toISOString()

/** The value below which a part of them lies; 0 of none. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0
}
