// The schedules of a campaign: of every kind that there is, seconds apart.
import type { Rule } from './expected.ts'

/** How a schedule's jobs work. */
export interface Work {
  /** Seconds that the command takes. */
  readonly takes?: number
  readonly failsFirst?: boolean
  /** Tries beyond the first. */
  readonly retries?: number
}

/** A schedule that is wanted, before it is made. Nodes count from 0 on. */
export type Wanted = { readonly id: string } & (
  | {
      readonly kind: 'job'
      readonly node: number | 'even' | 'odd'
      readonly rule: Rule
      /** Freezer's fields; `start`: the instant from which the rule counts is among them. */
      readonly fields: Readonly<Record<string, string>>
      readonly firn?: Readonly<Record<string, unknown>>
      readonly work?: Work
      readonly jitterMs?: number
      readonly count?: number
      readonly isPlain?: boolean
      /** Its interval may be changed on the way. */
      readonly isChanged?: boolean
    }
  | {
      readonly kind: 'session'
      readonly nodes: readonly number[]
      readonly rule: Rule
      readonly fields: Readonly<Record<string, string>>
    }
  | { readonly kind: 'qinling'; readonly node: number; readonly pattern: string; readonly count?: number }
)

/** As Freezer writes an instant. */
export const dateOf = (at: number): string => new Date(at).toISOString().slice(0, 19)

/**
 * Forty schedules that count from `from` on (a whole second) for `lengthMs`, on so many nodes. With fewer than forty, the
 * first ones.
 */
export function wantedSchedules(from: number, lengthMs: number, nodes: number, most = 40): Wanted[] {
  const node = (nth: number): number => nth % nodes
  const all: Wanted[] = [
    ...intervals(from, node),
    ...crons(from, node),
    ...withPolicies(from, node),
    ...sessions(from, nodes),
    ...once(from, lengthMs, node),
  ]
  return all.slice(0, most)
}

type NodeOf = (nth: number) => number

const every = (from: number, seconds: number) => ({
  rule: { is: 'grid', from, everyMs: seconds * 1_000 } as const,
  fields: { schedule_interval: `${seconds} seconds`, schedule_start_date: dateOf(from) },
})

function intervals(from: number, node: NodeOf): Wanted[] {
  const plain = [3, 4, 5, 7, 10, 11].map((seconds, nth): Wanted => ({
    ...{ id: `every-${seconds}`, kind: 'job', node: node(nth), ...every(from, seconds), isPlain: true },
    work: { retries: nth % 2 },
  }))
  return [
    ...plain,
    { id: 'changed-1', kind: 'job', node: node(0), ...every(from, 6), isChanged: true },
    { id: 'changed-2', kind: 'job', node: node(3), ...every(from + 1_000, 9), isChanged: true },
    { id: 'everywhere-even', kind: 'job', node: 'even', ...every(from, 13) },
    {
      ...{ id: 'fails-first', kind: 'job', node: node(2), ...every(from, 8) },
      work: { failsFirst: true, retries: 2 },
    },
  ]
}

function crons(from: number, node: NodeOf): Wanted[] {
  const patterns = ['*/5 * * * * *', '2-59/6 * * * * *', '1,11,31,41,56 * * * * *', '0-30/4 * * * * *']
  const seconds = ['*/7', '3,23,43', '10-50/8']
  return [
    ...patterns.map((pattern, nth): Wanted => ({
      ...{ id: `cron-${nth + 1}`, kind: 'job', node: node(nth + 1), rule: { is: 'cron', pattern, from } },
      ...{ fields: { schedule_start_date: dateOf(from) }, firn: { pattern }, isPlain: true },
    })),
    ...seconds.map((text, nth): Wanted => ({
      ...{ id: `fields-${nth + 1}`, kind: 'job', node: node(nth + 4), isPlain: true },
      rule: { is: 'cron', pattern: `${text} * * * * *`, from },
      fields: { schedule_second: text, schedule_start_date: dateOf(from) },
    })),
    {
      ...{
        id: 'everywhere-odd',
        kind: 'job',
        node: 'odd',
        rule: { is: 'cron', pattern: '*/12 * * * * *', from },
      },
      ...{ fields: { schedule_start_date: dateOf(from) }, firn: { pattern: '*/12 * * * * *' } },
    },
    { id: 'qinling-1', kind: 'qinling', node: node(1), pattern: '* * * * *' },
    { id: 'qinling-2', kind: 'qinling', node: node(4), pattern: '*/2 * * * *', count: 3 },
  ]
}

function withPolicies(from: number, node: NodeOf): Wanted[] {
  const job = (
    id: string,
    nth: number,
    seconds: number,
    firn: Readonly<Record<string, unknown>>,
    more: Pick<Extract<Wanted, { kind: 'job' }>, 'work' | 'jitterMs' | 'count'> = {},
  ): Wanted => ({ id, kind: 'job', node: node(nth), ...every(from, seconds), firn, ...more })
  return [
    job('catch-up-all', 0, 8, { catch_up: 'all', catch_up_max: 100 }),
    job('catch-up-none', 1, 9, { catch_up: 'none' }),
    job('overlap-skip', 2, 5, { overlap: 'skip' }, { work: { takes: 7 } }),
    job('overlap-queue', 3, 5, { overlap: 'queue' }, { work: { takes: 6 } }),
    job('overlap-cancel', 4, 6, { overlap: 'cancel' }, { work: { takes: 8 } }),
    job('overlap-allow', 5, 4, { overlap: 'allow' }, { work: { takes: 7 } }),
    job('jitter-1', 0, 9, { jitter: '4 seconds' }, { jitterMs: 4_000 }),
    job('jitter-2', 3, 6, { jitter: '20 seconds', overlap: 'allow' }, { jitterMs: 6_000 }),
    job('deadline', 1, 10, { start_deadline: '3 seconds' }),
    job('counted', 2, 7, { count: 25 }, { count: 25 }),
  ]
}

function sessions(from: number, nodes: number): Wanted[] {
  const members = [0, 1, 2].map((nth) => nth % nodes)
  const continuous = (id: string, nth: number, takes: number): Wanted => ({
    ...{ id, kind: 'job', node: nth % nodes, rule: { is: 'continuous' }, work: { takes } },
    fields: { schedule_interval: 'continuous', schedule_start_date: dateOf(from) },
  })
  return [
    { id: 'session-1', kind: 'session', nodes: [...new Set(members)], ...every(from, 15) },
    {
      id: 'session-2',
      kind: 'session',
      nodes: [...new Set(members.map((n) => (n + 3) % nodes))],
      ...every(from + 5_000, 20),
    },
    continuous('continuous-1', 2, 3),
    continuous('continuous-2', 5, 5),
  ]
}

function once(from: number, lengthMs: number, node: NodeOf): Wanted[] {
  return [0.1, 0.3, 0.45, 0.6, 0.75, 0.9].map((part, nth): Wanted => {
    const at = from + Math.floor((part * lengthMs) / 1_000) * 1_000
    return {
      ...{ id: `once-${nth + 1}`, kind: 'job', node: node(nth), rule: { is: 'once', at } },
      fields: { schedule_date: dateOf(at) },
    }
  })
}
