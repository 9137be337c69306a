import { describe, expect, it } from 'vitest'
import { aBackup, aRun, hourMs, noon, states, trouble } from '../../test/support/builders.ts'
import { anInstance, anInstanceBackup, backupNumber } from '../../test/support/instance-builders.ts'
import { later } from '../../core/clock.ts'
import type { RunId } from '../../core/ids.ts'
import type { Run } from '../../core/run.ts'
import {
  begunAt,
  built,
  closed,
  hasBegun,
  missingBackup,
  released,
  settleBackup,
  settleRemoval,
  settleRestore,
} from './instance-backups.ts'

const now = later(noon, hourMs)
const ended = (...args: Parameters<typeof states.finished>): Run => aRun({ state: states.finished(...args) })
const entry = aBackup({ stats: { bytesProcessed: 5_000, durationMs: 1 } })

describe('whether the work of a run has begun', () => {
  it('is not said before its node works on it', () => {
    for (const state of [
      states.waiting(),
      states.offered(),
      states.armed(),
      states.unknown(states.offered()),
      // Cancelled before anything began.
      states.cancelling(),
      states.unknown(states.cancelling()),
      states.finished('aborted'),
    ])
      expect(hasBegun(aRun({ state }))).toBe(false)
  })

  it('is said from then on, also between two attempts', () => {
    const running = states.running()
    for (const state of [running, states.unknown(running)]) expect(hasBegun(aRun({ state }))).toBe(true)
    for (const state of [states.cancelling(), states.waiting(), states.finished('lost')])
      expect(hasBegun(aRun({ state, begunAt: noon }))).toBe(true)
    expect(hasBegun(aRun({ startedAt: noon }))).toBe(true)
    expect(hasBegun(aRun({ steps: [{ tries: 1 }] }))).toBe(true)
  })

  it('is dated by the measured start, else by the state, else by the run', () => {
    expect(begunAt(aRun({ startedAt: now }))).toBe(now)
    expect(begunAt(aRun({ begunAt: now, state: states.cancelling() }))).toBe(now)
    expect(begunAt(aRun({ state: states.running({ since: now }) }))).toBe(now)
    expect(begunAt(aRun({ state: states.cancelling(), createdAt: noon }))).toBe(noon)
  })
})

describe('an open backup', () => {
  it('waits for its run', () => {
    expect(settleBackup(aRun({ state: states.running() }), undefined)).toEqual({ do: 'wait' })
    expect(settleBackup(undefined, undefined)).toEqual({ do: 'missing' })
  })

  it('is completed by a success that the catalogue has', () => {
    expect(settleBackup(ended('success'), entry)).toEqual({ do: 'close', state: { is: 'completed' } })
    expect(settleBackup(ended('success'), undefined)).toMatchObject({
      state: { is: 'failed', reason: { code: 'not_kept' } },
    })
  })

  it('is never called whole when it is partial, though what was saved is kept', () => {
    const partial = aBackup({ result: 'partial' })
    expect(settleBackup(ended('partial'), partial)).toMatchObject({
      state: { is: 'failed', reason: { code: 'partial' } },
    })
  })

  it('fails for the reason of its run', () => {
    expect(settleBackup(ended('failed', trouble), undefined)).toEqual({
      do: 'close',
      state: { is: 'failed', reason: trouble },
    })
    expect(settleBackup(ended('lost'), undefined)).toMatchObject({
      state: { reason: { code: 'lost' } },
    })
  })
})

describe('a backup that has ended', () => {
  const record = anInstanceBackup()
  const instance = anInstance({ busy: record.id, bytes: 9_000, fault: { at: noon, text: 'before' } })
  const place = { instance, location: 'firn://x', now }

  it('has a size and a place when it is completed', () => {
    expect(closed(record, { is: 'completed' }, { ...place, entry })).toMatchObject({
      ...{ backup: entry.id, bytes: 5_000, location: 'firn://x', updatedAt: now },
    })
    expect(closed(record, { is: 'completed' }, { ...place, entry: aBackup() }).bytes).toBe(9_000)
  })

  it('has no place when it failed, and a size where one is known', () => {
    const failed = closed(record, missingBackup, { ...place, entry: undefined })
    expect(failed).toMatchObject({ bytes: 9_000, state: { is: 'failed' } })
    expect(failed).not.toHaveProperty('location')
    const unknown = closed(record, missingBackup, { ...place, instance: undefined, entry: undefined })
    expect(unknown).not.toHaveProperty('bytes')
  })

  it('frees its instance, and tells it what went wrong', () => {
    const failed = { ...record, state: { is: 'failed', reason: trouble } } as const
    const after = released(instance, failed, now)
    expect(after).not.toHaveProperty('busy')
    expect(after.fault).toEqual({
      at: now,
      text: `backup ${record.id} failed: the disk is full`,
      details: 'no_space',
    })
    const well = released(instance, { ...record, state: { is: 'completed' } }, now)
    expect(well).not.toHaveProperty('fault')
    expect(well).not.toHaveProperty('busy')
  })

  it('does not free its instance of another backup', () => {
    const other = { ...instance, busy: backupNumber(2) }
    expect(released(other, { ...record, state: { is: 'completed' } }, now).busy).toBe(backupNumber(2))
    const { busy: _, ...free } = instance
    expect(released(free, record, now)).not.toHaveProperty('busy')
  })
})

describe('a removal', () => {
  it('is over with its run, well or not', () => {
    expect(settleRemoval(undefined)).toEqual({ do: 'missing' })
    expect(settleRemoval(aRun())).toEqual({ do: 'wait' })
    expect(settleRemoval(ended('success'))).toEqual({ do: 'close' })
    expect(settleRemoval(ended('failed', trouble))).toEqual({ do: 'close', failed: trouble })
    expect(settleRemoval(ended('partial'))).toMatchObject({ failed: { code: 'partial' } })
  })
})

describe('a restore into a new instance', () => {
  const instance = anInstance({ state: { is: 'building', run: 'r' as RunId } })

  it('makes it active, or says why not', () => {
    expect(settleRestore(undefined)).toEqual({ do: 'missing' })
    expect(settleRestore(aRun())).toEqual({ do: 'wait' })
    expect(settleRestore(ended('success'))).toEqual({ do: 'close', state: { is: 'active' } })
    expect(settleRestore(ended('failed', trouble))).toMatchObject({
      state: { is: 'error', why: 'the disk is full' },
    })
    expect(settleRestore(ended('lost'))).toMatchObject({ state: { is: 'error' } })
  })

  it('leaves a fault when it failed', () => {
    expect(built(instance, { is: 'active' }, now)).toEqual({
      ...instance,
      ...{ state: { is: 'active' }, builtAt: now, updatedAt: now },
    })
    expect(built(instance, { is: 'error', why: 'no space' }, now)).toMatchObject({
      fault: { at: now, text: 'the restore failed: no space' },
    })
  })
})
