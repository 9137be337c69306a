import type { Claim } from '../../controller/plan/claim.ts'
import type { RunEvent } from '../../core/run-machine.ts'
import type { Run, RunState } from '../../core/run.ts'
import type { Swap } from './swaps.ts'

/** How often something was seen, by its name. */
export type Counts = Record<string, number>

/** What the worlds of this process have been through. */
export const seen = { events: {} as Counts, claims: {} as Counts }

const count = (counts: Counts, name: string): void => {
  counts[name] = (counts[name] ?? 0) + 1
}

/** Called by the run machine, in worlds that are counted. */
export function sawEvent([run, event]: readonly [Run, RunEvent, unknown], after: Run): void {
  count(seen.events, `${run.state.is} ${event.type}${after === run ? ' =' : ''}`)
}

/** Called where slots are claimed. */
export function sawClaim(_: readonly unknown[], claim: Claim): void {
  count(seen.claims, claim.do === 'skip' ? `skip ${claim.plan.skips?.at(-1)?.reason}` : claim.do)
}

const own = JSON.stringify(import.meta.url)

/** The function tells what it was asked and what it answered. */
function watched(file: string, name: string, { name: teller }: (...told: never[]) => void): Swap {
  return {
    file,
    find: `export function ${name}(`,
    replace: [
      `import { ${teller} } from ${own}`,
      `export const ${name}: typeof ${name}Itself = (...given) => {`,
      `  const answer = ${name}Itself(...given)`,
      `  ${teller}(given, answer)`,
      '  return answer',
      '}',
      `function ${name}Itself(`,
    ].join('\n'),
  }
}

/** What makes the sources tell. */
export const counting: readonly Swap[] = [
  watched('core/run-machine.ts', 'advance', sawEvent),
  watched('controller/plan/claim.ts', 'claimDue', sawClaim),
]

const states = {
  waiting: 0,
  offered: 0,
  armed: 0,
  running: 0,
  cancelling: 0,
  unknown: 0,
  finished: 0,
} as const satisfies Record<RunState['is'], 0>

const events = {
  offered: 0,
  accepted: 0,
  refused: 0,
  started: 0,
  reported: 0,
  absent: 0,
  silent: 0,
  back: 0,
  cancel: 0,
  expired: 0,
  removed: 0,
} as const satisfies Record<RunEvent['type'], 0>

/** A table of states and events, with how often each pair was met, and of how schedules were claimed. */
export function coverageOf({ events: met, claims }: typeof seen): string {
  const names = Object.keys(events)
  const cell = (state: string, event: string): number =>
    (met[`${state} ${event}`] ?? 0) + (met[`${state} ${event} =`] ?? 0)
  const rows = Object.keys(states).map((state) => [
    state,
    ...names.map((event) => String(cell(state, event) || '.')),
  ])
  const pairs = names.length * Object.keys(states).length
  const hit = rows.reduce((sum, [, ...cells]) => sum + cells.filter((text) => text !== '.').length, 0)
  const table = [['', ...names], ...rows].map((row) =>
    row.map((text, at) => (at === 0 ? text.padEnd(10) : text.padStart(9))).join(''),
  )
  const claimed = Object.entries(claims)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, times]) => `${name} ${times}`)
  return [
    `run machine: ${hit} of ${pairs} pairs of state and event`,
    ...table,
    `schedule claims: ${claimed.join(', ')}`,
  ].join('\n')
}

export function addTo(sum: Counts, more: Counts): void {
  for (const [name, times] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + times
}
