import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { instant } from '../../core/clock.ts'
import { clientId, jobId, repositoryId, runId, slotAt } from '../../core/ids.ts'
import { epoch } from '../../core/link.ts'
import type { Report, StepReport } from '../../core/run.ts'
import type { JournalEntry } from '../ports/journal.ts'
import { foldEntries, isMarked, marksMax, snapshotOf, stateOf, apply, emptyState } from './journal-state.ts'

const run = runId('r1')
const at = instant(1_000)
const stepOf = (step: number, result: StepReport['result'] = 'success'): StepReport => ({
  ...{ step, result, itemErrors: [], itemErrorCount: 0, startedAt: at, endedAt: at },
})
const accepted = (attempt = 1, begun = true, id = run): JournalEntry => ({
  type: 'accepted',
  begun,
  at,
  order: {
    run: id,
    attempt,
    job: jobId('j'),
    client: clientId('node-a'),
    slot: slotAt(1),
    epoch: epoch(attempt),
    before: [{ tries: 0 }, { tries: 0 }],
    tasks: [
      { mandatory: false, maxRetries: 0 },
      { mandatory: false, maxRetries: 0 },
    ],
  },
})
const reportOf = (attempt = 1, id = run): Report => ({
  ...{ run: id, attempt, client: clientId('node-a'), steps: [stepOf(0)], end: 'ended', at },
})
const outcome = (attempt = 1, id = run): JournalEntry => ({
  ...{ type: 'outcome', job: jobId('j'), report: reportOf(attempt, id) },
})
const mark = (attempt = 1, id = run): JournalEntry => ({ type: 'mark', run: id, attempt, why: 'committed' })

/** Any entries about few runs, in any order: more than an agent would ever write. */
const anyEntry: fc.Arbitrary<JournalEntry> = fc
  .tuple(fc.constantFrom('a', 'b', 'c').map(runId), fc.integer({ min: 1, max: 3 }), fc.nat(9), fc.nat(1))
  .map(([id, attempt, kind, n]): JournalEntry => {
    const of = { run: id, attempt }
    const kinds: JournalEntry[] = [
      accepted(attempt, n === 0, id),
      { type: 'begun', ...of, at },
      { type: 'child', ...of, child: { pid: 10 + n, startTime: `t${n}`, command: 'restic' } },
      { type: 'child_ended', ...of, pid: 10 + n },
      { type: 'step', ...of, report: stepOf(n, n ? 'failed' : 'success'), retry: n === 1 },
      outcome(attempt, id),
      mark(attempt, id),
      { type: 'epoch', epoch: epoch(attempt * 5) },
      { type: n ? 'dirty' : 'clean', repository: repositoryId('repo') },
      { type: 'mark', ...of, why: 'absent', reason: { code: 'cancelled', text: 'no' } },
    ]
    return kinds[kind] ?? mark(attempt, id)
  })

describe('what a journal says', () => {
  it('holds an accepted attempt until it is committed, and refuses it afterwards', () => {
    const held = foldEntries([accepted(), outcome()])
    expect([...held.attempts.keys()]).toEqual(['r1.1'])
    const over = foldEntries([accepted(), outcome(), mark()])
    expect(over.attempts.size).toBe(0)
    expect(isMarked(over, run, 1)).toBe(true)
    expect(isMarked(over, run, 2)).toBe(false)
  })

  it('knows which children, steps and repositories a cut-off attempt left', () => {
    const state = foldEntries([
      accepted(1, false),
      { type: 'begun', run, attempt: 1, at },
      { type: 'child', run, attempt: 1, child: { pid: 7, startTime: 't', command: 'restic' } },
      { type: 'child', run, attempt: 1, child: { pid: 8, startTime: 't', command: 'restic' } },
      { type: 'child_ended', run, attempt: 1, pid: 7 },
      { type: 'step', run, attempt: 1, report: stepOf(0), retry: false },
      { type: 'dirty', repository: repositoryId('repo') },
    ])
    const held = state.attempts.get('r1.1')
    expect(held?.begunAt).toBe(at)
    expect([...(held?.children.keys() ?? [])]).toEqual([8])
    expect(held?.steps.map(({ step }) => step)).toEqual([0])
    expect([...state.dirty]).toEqual(['repo'])
  })

  it('keeps a report whose acceptance stood on a damaged line', () => {
    expect(foldEntries([outcome()]).attempts.get('r1.1')?.outcome).toEqual(reportOf())
  })

  it('refuses what damaged lines seem to have been about, unless the rest of the journal knows it', () => {
    const read = {
      torn: false,
      damaged: [2],
      doubtful: [
        { run, attempt: 1 },
        { run: runId('r2'), attempt: 4 },
      ],
    }
    const state = stateOf({ ...read, entries: [accepted()] })
    expect(state.attempts.has('r1.1')).toBe(true)
    expect(isMarked(state, runId('r2'), 4)).toBe(true)
  })

  it('remembers the highest epoch', () => {
    expect(foldEntries([{ type: 'epoch', epoch: epoch(9) }, accepted(3)]).epoch).toBe(9)
  })

  it('forgets the oldest marks beyond its bound', () => {
    const state = emptyState()
    for (let i = 0; i <= marksMax; i++) apply(state, mark(1, runId(`r${i}`)))
    expect(state.marks.size).toBe(marksMax)
    expect(isMarked(state, runId('r0'), 1)).toBe(false)
    expect(isMarked(state, runId(`r${marksMax}`), 1)).toBe(true)
  })
})

describe('for any journal', () => {
  const entries = fc.array(anyEntry, { maxLength: 40 })

  it('a compacted one says the same', () => {
    fc.assert(
      fc.property(entries, (some) => {
        const state = foldEntries(some)
        const again = foldEntries(snapshotOf(state))
        expect(again.attempts).toEqual(state.attempts)
        expect([...again.marks].map(([id, it]) => [id, it.attempt, it.why])).toEqual(
          [...state.marks].map(([id, it]) => [id, it.attempt, it.why]),
        )
        expect([again.epoch, again.dirty]).toEqual([state.epoch, state.dirty])
      }),
    )
  })

  it('an entry read twice changes nothing', () => {
    fc.assert(
      fc.property(entries, (some) => {
        const twice = foldEntries(some.flatMap((entry) => [entry, entry]))
        expect(twice).toEqual(foldEntries(some))
      }),
    )
  })

  it('every prefix leaves each attempt either held or marked, never both, and the epoch never falls', () => {
    fc.assert(
      fc.property(entries, (some) => {
        let before = 0
        for (let length = 0; length <= some.length; length++) {
          const state = foldEntries(some.slice(0, length))
          for (const { run: id, attempt } of state.attempts.values())
            expect(state.marks.get(id)?.attempt).not.toBe(attempt)
          expect(state.epoch).toBeGreaterThanOrEqual(before)
          before = state.epoch
        }
      }),
    )
  })
})
