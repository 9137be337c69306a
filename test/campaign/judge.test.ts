// The judge of the campaign must find what was planted.
import { describe, expect, it } from 'vitest'
import { judge, quantile, type Line, type RunSeen, type Schedule, type Seen, type Wrong } from './judge.ts'

const t0 = Date.UTC(2027, 0, 15, 10)
const s = 1_000
const rule = { is: 'grid', from: t0, everyMs: 10 * s } as const
const span = [t0, t0 + 30 * s] as const
const schedule: Schedule = {
  ...{ id: 'j', units: ['n1'], retries: 0, isPlain: true },
  versions: [{ rule, must: span, may: span }],
}
const slots = [0, 10, 20].map((seconds) => t0 + seconds * s)

const run = (nth: number, more: Partial<RunSeen> = {}): RunSeen => ({
  ...{ run: `r${nth}`, of: 'j', unit: 'n1', slot: slots[nth] },
  ...{ state: 'finished', attempt: 1, result: 'success', ...more },
})
const line = (nth: number, what: Line['what'], lateMs: number, more: Partial<Line> = {}): Line => ({
  ...{ run: `r${nth}`, attempt: 1, what, at: (slots[nth] ?? 0) + lateMs, client: 'n1', ...more },
})
const both = (nth: number): Line[] => [line(nth, 'begin', 200), line(nth, 'end', 900)]

/** Three slots, three runs, nothing wrong. */
const calm: Seen = {
  schedules: [schedule],
  runs: [run(0), run(1), run(2)],
  lines: [...both(0), ...both(1), ...both(2)],
  skips: [],
  disturbances: [],
}
const wrongs = (more: Partial<Seen>): Wrong[] =>
  judge({ ...calm, ...more }).findings.map(({ wrong }) => wrong)
const withSchedule = (more: Partial<Schedule>): Partial<Seen> => ({ schedules: [{ ...schedule, ...more }] })

describe('the judge', () => {
  it('finds nothing where each slot has its run', () => {
    const verdict = judge(calm)
    expect(verdict).toMatchObject({ findings: [], slots: 3, runs: 3, attempts: 3, skipped: {}, cutShort: 0 })
    expect(verdict.starts.map(({ lateMs }) => lateMs)).toEqual([200, 200, 200])
  })

  it('finds an attempt that began twice', () => {
    expect(wrongs({ lines: [...calm.lines, line(1, 'begin', 700)] })).toEqual(['double'])
  })

  it('finds two attempts at work at the same time', () => {
    expect(wrongs({ lines: [...calm.lines, line(1, 'overlap', 700)] })).toEqual(['double'])
  })

  it('finds a second try where a run has none, and takes it where it has', () => {
    const runs = [run(0), run(1, { attempt: 2 }), run(2)]
    const again = [line(1, 'begin', 2_000, { attempt: 2 }), line(1, 'end', 2_500, { attempt: 2 })]
    const lines = [...calm.lines, ...again]
    expect(wrongs({ runs, lines })).toEqual(['double'])
    expect(wrongs({ runs, lines, ...withSchedule({ retries: 1 }) })).toEqual([])
  })

  it('finds a second run for a slot', () => {
    const twin = run(1, { run: 'r9' })
    const lines = [...calm.lines, ...both(1).map((one) => ({ ...one, run: 'r9' }))]
    expect(wrongs({ runs: [...calm.runs, twin], lines })).toEqual(['double'])
  })

  it('finds a run that no server knows, an attempt that none ordered, and one elsewhere', () => {
    expect(wrongs({ lines: [...calm.lines, line(1, 'begin', 0, { run: 'r9' })] })).toEqual(['extra'])
    const second = [line(1, 'begin', 1_000, { attempt: 2 }), line(1, 'end', 1_500, { attempt: 2 })]
    expect(wrongs({ lines: [...calm.lines, ...second], ...withSchedule({ retries: 1 }) })).toEqual(['extra'])
    const elsewhere = calm.lines.map((one) => (one.run === 'r1' ? { ...one, client: 'n2' } : one))
    expect(wrongs({ lines: elsewhere })).toEqual(['extra'])
  })

  it('finds a run for an instant that is no slot', () => {
    const runs = [...calm.runs, run(0, { run: 'r9', slot: t0 + 5 * s })]
    const lines = [...calm.lines, ...both(0).map((one) => ({ ...one, run: 'r9', at: one.at + 5 * s }))]
    expect(wrongs({ runs, lines })).toEqual(['extra'])
  })

  it('finds a success that never ran', () => {
    expect(wrongs({ lines: [...both(0), ...both(2)] })).toEqual(['missing'])
  })

  it('finds a start before its slot, unless a clock of a server was ahead', () => {
    const lines = [...both(0), line(1, 'begin', -4_000), line(1, 'end', -3_000), ...both(2)]
    expect(wrongs({ lines })).toEqual(['early'])
    const stepped = { what: 'clock', target: 'server-1', from: t0, to: t0 + 20 * s, aheadMs: 90 * s }
    expect(judge({ ...calm, lines, disturbances: [stepped] })).toMatchObject({
      findings: [],
      earlyByClock: 1,
    })
    expect(wrongs({ lines, disturbances: [{ ...stepped, to: t0 }] })).toEqual(['early'])
  })

  it('finds an attempt that did not end, unless its end is known to be another', () => {
    const lines = [...both(0), line(1, 'begin', 100), ...both(2)]
    expect(wrongs({ lines })).toEqual(['incomplete'])
    const runs = [run(0), run(1, { result: 'failed' }), run(2)]
    expect(judge({ ...calm, lines, runs })).toMatchObject({ findings: [], cutShort: 1 })
  })

  it('finds a run that is still open', () => {
    expect(wrongs({ runs: [run(0), run(1), run(2, { state: 'unknown', result: undefined })] })).toEqual([
      'unfinished',
    ])
  })

  it('finds a slot without a run and without a reason', () => {
    const without = { runs: [run(0), run(2)], lines: [...both(0), ...both(2)] }
    expect(wrongs(without)).toEqual(['unexplained'])
    const skips = [{ of: 'j', from: slots[1] ?? 0, to: slots[1] ?? 0, reason: 'overlap' }]
    expect(judge({ ...calm, ...without, skips })).toMatchObject({ findings: [], skipped: { overlap: 1 } })
    expect(wrongs({ skips }), 'both').toEqual(['unexplained'])
  })

  it('finds a client that a slot has left out', () => {
    expect(wrongs(withSchedule({ units: ['n1', 'n2'] }))).toEqual([
      'unexplained',
      'unexplained',
      'unexplained',
    ])
  })

  it('lets a schedule fire as often as it may, and asks for nothing after that', () => {
    const two = { runs: [run(0), run(1)], lines: [...both(0), ...both(1)] }
    expect(wrongs({ ...two, ...withSchedule({ count: 2 }) })).toEqual([])
    expect(wrongs({ ...two, ...withSchedule({ count: 3 }) })).toEqual(['unexplained'])
    expect(wrongs(withSchedule({ count: 2 }))).toEqual(['extra'])
  })

  it('takes either rule while a schedule is being changed, and only the new one afterwards', () => {
    const next = { is: 'grid', from: t0 + 15 * s, everyMs: 15 * s } as const
    const changed = withSchedule({
      versions: [
        { rule, must: [t0, t0 + 10 * s - 50], may: [t0, t0 + 10 * s + 100] },
        { rule: next, must: [t0 + 11 * s, t0 + 30 * s], may: [t0 + 10 * s, t0 + 30 * s] },
      ],
    })
    const fired = (last: number): Partial<Seen> => ({
      runs: [run(0), run(1), run(2, { slot: t0 + last * s })],
      lines: [...both(0), ...both(1), ...both(2)].map((one) =>
        one.run === 'r2' ? { ...one, at: t0 + 21 * s } : one,
      ),
    })
    expect(wrongs({ ...changed, ...fired(15) })).toEqual([])
    expect(wrongs({ ...changed, ...fired(20) })).toEqual(['extra', 'unexplained'])
  })

  it('accounts for a member of a session by the start that it belongs to', () => {
    const start = run(0, { run: 's.1', of: 's', unit: 'start', attempt: 0, result: undefined })
    const member = run(1, { of: 's', slot: undefined })
    const session: Schedule = {
      ...schedule,
      id: 's',
      units: ['start'],
      versions: [{ rule, must: [t0, t0 + 1], may: span }],
    }
    const seen = { ...calm, schedules: [session], runs: [start, member], lines: both(1) }
    expect(judge(seen).findings).toEqual([])
    expect(judge({ ...seen, lines: [...both(1), line(1, 'begin', 500)] }).findings).toHaveLength(1)
  })

  it('measures the first start of each plain schedule after the leader was lost', () => {
    const lost = { what: 'kill', target: 'server-1', from: t0 + 8 * s, to: t0 + 20 * s, isLeaderLost: true }
    const late = calm.lines.map((one) => (one.run === 'r1' ? { ...one, at: one.at + 3_000 } : one))
    expect(judge({ ...calm, lines: late, disturbances: [lost] }).failovers).toEqual([
      { of: 'j', slot: slots[1], lateMs: 3_200, what: 'kill' },
    ])
  })

  it('knows that with jitter a start is not late', () => {
    expect(judge({ ...calm, ...withSchedule({ jitterMs: 5_000 }) }).starts).toEqual([])
  })
})

it('takes quantiles of what there is', () => {
  expect(quantile([], 0.5)).toBe(0)
  expect(quantile([5, 1, 3], 0.5)).toBe(3)
  expect(quantile([5, 1, 3], 0.99)).toBe(5)
})
