import { describe, expect, it } from 'vitest'
import { repositoryId, runId } from '../../core/ids.ts'
import { epoch, type Order } from '../../core/link.ts'
import type { Reason, Report } from '../../core/run.ts'
import {
  backupAction,
  deskRig,
  heldOrder,
  MemoryJournal,
  orderOf,
  taskOf,
  type Rig,
} from '../../test/support/desk-rig.ts'
import { eventually } from '../../test/support/eventually.ts'

const run = runId('r1')
const cancelled: Reason = { code: 'cancelled', text: 'a user asked for it' }
const cancel = (rig: Rig, more = {}) =>
  rig.desk.received({ type: 'cancel', run, attempt: 1, why: cancelled, epoch: epoch(7), ...more })
const commit = (rig: Rig, attempt = 1) => rig.desk.received({ type: 'committed', run, attempt })
const reportOf = (rig: Rig, n = 0): Promise<Report> => eventually(() => rig.published[n])
const backup = (more: Partial<Order> = {}) => orderOf({ tasks: [taskOf(backupAction())], ...more })

describe('cancel', () => {
  it('stops a running attempt', async () => {
    await using rig = deskRig()
    rig.order()
    const call = await rig.call(rig.exec)
    cancel(rig)
    cancel(rig)
    const report = await reportOf(rig)
    expect(call.signal.aborted).toBe(true)
    expect(report).toMatchObject({ end: 'aborted', steps: [{ result: 'aborted', reason: cancelled }] })
    expect(rig.of('absent')).toEqual([])
  })

  it('does not undo a success that came first', async () => {
    await using rig = deskRig()
    rig.order()
    const call = await rig.call(rig.exec)
    call.end({ result: 'success' })
    cancel(rig)
    expect(await reportOf(rig)).toMatchObject({ end: 'ended', steps: [{ result: 'success' }] })
  })

  it.each([
    ['queued', orderOf()],
    ['armed', heldOrder()],
  ])('of a %s attempt ends it without anything having begun', async (_, order) => {
    await using rig = deskRig({ capacity: { light: 1 } })
    rig.order({ run: runId('first') })
    await rig.call(rig.exec)
    rig.desk.received({ type: 'order', order })
    cancel(rig)
    expect(await reportOf(rig)).toMatchObject({ run, end: 'aborted', steps: [] })
    rig.exec.calls[0]?.end({})
    await reportOf(rig, 1)
    expect(rig.exec.calls).toHaveLength(1)
  })

  it('of an unknown attempt is remembered: the order is refused when it comes, also after a restart', async () => {
    const journal = new MemoryJournal()
    {
      await using rig = deskRig({ journal })
      cancel(rig)
      cancel(rig)
      await rig.settle()
      expect(rig.of('absent')).toHaveLength(2)
      expect(journal.entries.filter(({ type }) => type === 'mark')).toHaveLength(1)
    }
    await using rig = deskRig({ journal })
    rig.order()
    await rig.settle()
    expect(rig.of('refused')).toMatchObject([{ final: true, reason: { code: 'cancelled' } }])
    expect(rig.exec.calls).toEqual([])
  })

  it('of an ended attempt is answered with that it ended; of an older leader not at all', async () => {
    await using rig = deskRig()
    rig.order()
    const call = await rig.call(rig.exec)
    cancel(rig, { epoch: epoch(6) })
    await rig.settle()
    expect(call.signal.aborted).toBe(false)
    call.end({})
    await reportOf(rig)
    const before = rig.of('ended').length
    cancel(rig)
    await rig.settle()
    expect(rig.of('ended').length).toBeGreaterThan(before)
  })

  it('comes by itself when the attempt takes longer than it may', async () => {
    await using rig = deskRig()
    rig.order({ runMs: 5_000 })
    await rig.call(rig.exec)
    rig.clock.advance(5_000)
    expect(await reportOf(rig)).toMatchObject({ end: 'aborted', steps: [{ reason: { code: 'over_time' } }] })
  })
})

describe('a report', () => {
  it('is published again and again while NATS is away, with pauses that grow to a bound', async () => {
    await using rig = deskRig()
    rig.world.feed = false
    rig.order()
    ;(await rig.call(rig.exec)).end({})
    await eventually(() => rig.events.some(({ event }) => event === 'report.unpublished'))
    for (let i = 0; i < 30; i++) {
      rig.clock.advance(30_000)
      await rig.settle()
    }
    const pauses = rig.events.flatMap((it) => ('retryInMs' in it ? [it.retryInMs as number] : []))
    expect(pauses.length).toBeGreaterThan(20)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(30_000)
    rig.world.feed = true
    rig.clock.advance(30_000)
    await reportOf(rig)
  })

  it('is said to be there every half minute, and published again later, until a server has stored it', async () => {
    await using rig = deskRig()
    rig.order()
    ;(await rig.call(rig.exec)).end({})
    await reportOf(rig)
    for (let i = 0; i < 10; i++) {
      rig.clock.advance(30_000)
      await rig.settle()
    }
    expect(rig.of('ended').length).toBeGreaterThanOrEqual(10)
    expect(rig.published.length).toBeGreaterThanOrEqual(2)
    expect(new Set(rig.published.map((report) => JSON.stringify(report))).size).toBe(1)
    commit(rig)
    await rig.settle()
    const before = rig.said.length
    rig.clock.advance(120_000)
    await rig.settle()
    expect(rig.said.length).toBe(before)
  })

  it('of an earlier process is published by the next one', async () => {
    const journal = new MemoryJournal()
    {
      await using rig = deskRig({ journal })
      rig.world.feed = false
      rig.order()
      ;(await rig.call(rig.exec)).end({})
      await eventually(() => rig.journal.entries.some(({ type }) => type === 'outcome'))
    }
    await using rig = deskRig({ journal })
    expect(rig.desk.hello().held).toEqual([{ run, attempt: 1, state: 'ended' }])
    expect(await reportOf(rig)).toMatchObject({ run, end: 'ended' })
  })

  it('of a stopped step makes the next attempt clean the repository first', async () => {
    await using rig = deskRig()
    rig.order(backup())
    await rig.call(rig.restic)
    cancel(rig)
    await reportOf(rig)
    expect(rig.restic.cleaned).toEqual([])
    rig.order(backup({ run: runId('r2') }))
    await rig.call(rig.restic, 1)
    expect(rig.restic.cleaned).toEqual([repositoryId('repo')])
    rig.restic.calls[1]?.end({})
    rig.order(backup({ run: runId('r3') }))
    await rig.call(rig.restic, 2)
    expect(rig.restic.cleaned).toHaveLength(1)
  })
})

describe('when the agent is asked to stop', () => {
  const never = new AbortController().signal

  it('it takes no more orders and lets running work end', async () => {
    await using rig = deskRig()
    rig.order()
    const call = await rig.call(rig.exec)
    const drained = rig.desk.drain(30_000, never)
    rig.order({ run: runId('r2') })
    await rig.settle()
    expect(rig.of('refused')).toMatchObject([{ final: false, reason: { code: 'stopping' } }])
    expect(rig.desk.hello().slots).toBe(0)
    call.end({})
    await drained
    expect(await reportOf(rig)).toMatchObject({ end: 'ended' })
  })

  it('what does not end in time is interrupted, and so is what has not begun', async () => {
    await using rig = deskRig({ capacity: { light: 1 } })
    rig.order()
    await rig.call(rig.exec)
    rig.order({ run: runId('queued') })
    rig.desk.received({ type: 'order', order: heldOrder({ run: runId('armed') }) })
    await rig.settle()
    const drained = rig.desk.drain(30_000, never)
    await eventually(() => rig.published.length === 2)
    rig.clock.advance(30_000)
    await drained
    await reportOf(rig, 2)
    const ends = rig.published.map(({ run: of, end, steps }) => [of, end, ...steps.map((it) => it.result)])
    expect(new Set(ends)).toEqual(
      new Set([
        ['armed', 'interrupted'],
        ['queued', 'interrupted'],
        ['r1', 'interrupted', 'lost'],
      ]),
    )
  })

  it('and in a hurry, running work is stopped at once', async () => {
    await using rig = deskRig()
    rig.order()
    await rig.call(rig.exec)
    const hurry = new AbortController()
    const drained = rig.desk.drain(30_000, hurry.signal)
    hurry.abort()
    await drained
    expect(await reportOf(rig)).toMatchObject({ end: 'interrupted' })
  })
})

describe('questions about a repository', () => {
  const ask = (rig: Rig, id: string, location: string) =>
    rig.desk.received({
      type: 'ask',
      ask: {
        ...{ id, about: 'browse', engineRef: 'abc', path: '/', limit: 10 },
        repository: { id: repositoryId('repo'), engine: 'restic', location, password: 'x' },
      },
    })

  it('are answered, if the node allows the repository', async () => {
    await using rig = deskRig()
    ask(rig, 'allowed', '/backup/repo')
    ask(rig, 'other', '/etc')
    await eventually(() => rig.of('answer').length === 2)
    const answers = rig.of('answer').map(({ answer }) => answer)
    expect(answers).toContainEqual({ id: 'allowed', ok: true, entries: [], more: false })
    expect(answers.find(({ id }) => id === 'other')).toMatchObject({ ok: false, reason: { code: 'policy' } })
  })
})
