// What a campaign came to, as figures and as text.
import type { Outcome } from './campaign.ts'
import { quantile, type Finding, type Wrong } from './judge.ts'

/** The lease and two seconds: how late the next slot may be once the leader is killed or stopped. Milliseconds. */
export const failoverMsMax = 7_000

interface Spread {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** Times in milliseconds. */
export interface Summary {
  readonly seed: number
  readonly minutes: number
  readonly schedules: number
  readonly skippedFaults: Readonly<Record<string, string>>
  readonly slots: number
  readonly runs: number
  readonly attempts: number
  readonly wrong: Readonly<Record<Wrong, number>>
  readonly skippedSlots: Readonly<Record<string, number>>
  readonly earlyByClock: number
  readonly cutShort: number
  readonly lateness: Spread
  /** Of leaders that were killed or stopped. One that is only cut off from etcd keeps its agents for a while. */
  readonly failover: Spread
  readonly failovers: Readonly<Record<string, Spread>>
  readonly faults: Readonly<
    Record<string, { readonly rounds: number; readonly mended: Spread; readonly lateness: Spread }>
  >
  readonly findings: readonly Finding[]
  readonly troubles: readonly string[]
}

const kinds = ['double', 'extra', 'missing', 'early', 'incomplete', 'unexplained', 'unfinished'] as const

export function summaryOf(
  { verdict, disturbances, troubles, schedules, lengthMs }: Outcome,
  { seed, skipped }: { readonly seed: number; readonly skipped: Readonly<Record<string, string>> },
): Summary {
  const { starts, failovers, findings } = verdict
  const names = [...new Set(disturbances.map(({ what }) => what))]
  const faults = names.map((name) => {
    const those = disturbances.filter(({ what }) => what === name)
    const during = starts.filter(({ slot }) => those.some(({ from, to }) => from <= slot && slot <= to))
    const mended = spreadOf(those.map(({ from, to }) => to - from))
    return [
      name,
      { rounds: those.length, mended, lateness: spreadOf(during.map(({ lateMs }) => lateMs)) },
    ] as const
  })
  const ways = [...new Set(failovers.map(({ what }) => what))]
  return {
    ...{ seed, schedules, skippedFaults: skipped, minutes: Math.round(lengthMs / 6_000) / 10 },
    ...{ slots: verdict.slots, runs: verdict.runs, attempts: verdict.attempts },
    wrong: Object.fromEntries(
      kinds.map((kind) => [kind, findings.filter(({ wrong }) => wrong === kind).length]),
    ) as Record<Wrong, number>,
    ...{ skippedSlots: verdict.skipped, earlyByClock: verdict.earlyByClock, cutShort: verdict.cutShort },
    lateness: spreadOf(starts.map(({ lateMs }) => lateMs)),
    failover: spreadOf(failovers.flatMap(({ what, lateMs }) => (what === 'cut' ? [] : [lateMs]))),
    failovers: Object.fromEntries(
      ways.map((way) => [way, spreadOf(failovers.flatMap((one) => (one.what === way ? [one.lateMs] : [])))]),
    ),
    faults: Object.fromEntries(faults),
    ...{ findings, troubles },
  }
}

const spreadOf = (values: readonly number[]): Spread => ({
  count: values.length,
  p50: quantile(values, 0.5),
  p99: quantile(values, 0.99),
  max: Math.max(0, ...values),
})

/** Whether anything is not as it has to be. */
export const isWrong = ({ findings, troubles, failover }: Summary): boolean =>
  findings.length > 0 || troubles.length > 0 || failover.max > failoverMsMax

export function textOfSummary(summary: Summary): string {
  const { wrong, skippedSlots, faults, failovers, findings, troubles } = summary
  const listed = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || 'none'
  const rows = Object.entries(faults).map(([name, { rounds, mended, lateness }]) => [
    ...[name, `${rounds}`, seconds(mended.max), `${lateness.count}`],
    ...[seconds(lateness.p50), seconds(lateness.p99), seconds(lateness.max)],
  ])
  return [
    `seed ${summary.seed}, ${summary.minutes} min, ${summary.schedules} schedules`,
    `slots ${summary.slots}, runs ${summary.runs}, attempts ${summary.attempts}`,
    `wrong: ${listed(wrong)}`,
    `skipped slots: ${listed(skippedSlots)}`,
    `attempts cut short, and known to be: ${summary.cutShort}`,
    `started early by a server's clock that was ahead: ${summary.earlyByClock}`,
    `lateness of all: ${spread(summary.lateness)}`,
    `failover: ${spread(summary.failover)} (limit ${seconds(failoverMsMax)})`,
    ...Object.entries(failovers).map(([way, of]) => `  leader lost by ${way}: ${spread(of)}`),
    '',
    ...table([['fault', 'rounds', 'well again', 'slots', 'late p50', 'p99', 'max'], ...rows]),
    ...Object.entries(summary.skippedFaults).map(([name, why]) => `skipped: ${name}: ${why}`),
    ...findings.slice(0, 50).map(({ wrong: kind, text }) => `${kind}: ${text}`),
    ...troubles.map((text) => `trouble: ${text}`),
    '',
  ].join('\n')
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(2)} s`

const spread = ({ count, p50, p99, max }: Spread): string =>
  `p50 ${seconds(p50)}, p99 ${seconds(p99)}, max ${seconds(max)} of ${count}`

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0))).join('  '),
  )
}
