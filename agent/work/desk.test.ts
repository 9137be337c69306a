import { describe, expect, it } from 'vitest'
import { instant } from '../../core/clock.ts'
import { repositoryId, runId } from '../../core/ids.ts'
import { epoch, type Order } from '../../core/link.ts'
import type { Reason, Report } from '../../core/run.ts'
import {
  backupAction,
  deskRig,
  execAction,
  heldOrder,
  MemoryJournal,
  orderOf,
  taskOf,
  type Rig,
} from '../../test/support/desk-rig.ts'
import { eventually } from '../../test/support/eventually.ts'

const run = runId('r1')
const cancelled: Reason = { code: 'cancelled', text: 'a user asked for it' }
const go = (rig: Rig, atUs: number, more = {}) =>
  rig.desk.received({ type: 'go', run, attempt: 1, atUs, epoch: epoch(7), ...more })
const cancel = (rig: Rig, more = {}) =>
  rig.desk.received({ type: 'cancel', run, attempt: 1, why: cancelled, epoch: epoch(7), ...more })
const commit = (rig: Rig, attempt = 1) => rig.desk.received({ type: 'committed', run, attempt })
const reportOf = (rig: Rig, n = 0): Promise<Report> => eventually(() => rig.published[n])
const backup = (more: Partial<Order> = {}) => orderOf({ tasks: [taskOf(backupAction())], ...more })

describe('an order', () => {
  it('is on disk before it is accepted, begins at once, and its report is published until it is committed', async () => {
    await using rig = deskRig()
    rig.order()
    const call = await rig.call(rig.exec)
    expect(rig.journal.entries[0]).toMatchObject({ type: 'accepted', begun: true })
    expect(rig.of('accepted')).toEqual([{ type: 'accepted', run, attempt: 1, armed: false }])
    expect(rig.desk.hello().held).toEqual([{ run, attempt: 1, state: 'running' }])
    call.end({ result: 'success', stats: { durationMs: 5 } })
    const report = await reportOf(rig)
    expect(report).toMatchObject({
      end: 'ended',
      steps: [{ step: 0, result: 'success', stats: { durationMs: 5 } }],
    })
    expect(rig.desk.hello().held).toEqual([{ run, attempt: 1, state: 'ended' }])
    await rig.settle()
    expect(rig.of('ended')).toHaveLength(1)
    commit(rig)
    await rig.settle()
    expect(rig.desk.hello().held).toEqual([])
    rig.clock.advance(3_600_000)
    await rig.settle()
    expect(rig.published).toHaveLength(1)
  })

  it('says when it began, on the clock of the server', async () => {
    await using rig = deskRig()
    rig.clock.advance(3_000)
    rig.order()
    await rig.call(rig.exec)
    expect(rig.of('started')[0]?.started).toEqual({ serverUs: 8_000_000, errorUs: 200 })
  })

  it('says when it began as soon as the clocks are compared', async () => {
    await using rig = deskRig()
    rig.world.offsetUs = undefined
    rig.order()
    await rig.call(rig.exec)
    rig.clock.advance(1_000)
    await rig.settle()
    expect(rig.of('started')).toEqual([])
    rig.world.offsetUs = 0
    rig.clock.advance(1_000)
    await rig.settle()
    expect(rig.of('started')[0]?.started).toEqual({ serverUs: 0, errorUs: 200 })
  })

  it('leaves nothing secret in the journal and in the events', async () => {
    await using rig = deskRig()
    rig.order(backup({ tasks: [taskOf(backupAction()), taskOf(execAction('/bin/x', '--password=hunter2'))] }))
    ;(await rig.call(rig.restic)).end({})
    ;(await rig.call(rig.exec)).end({})
    await reportOf(rig)
    const written = JSON.stringify([rig.journal.entries, rig.events])
    expect(written).not.toContain('very-secret')
    expect(written).not.toContain('hunter2')
  })

  it('does nothing more when any message comes twice', async () => {
    await using rig = deskRig()
    const order = rig.order()
    rig.order()
    const call = await rig.call(rig.exec)
    rig.order()
    await rig.settle()
    expect(rig.of('accepted')).toHaveLength(3)
    expect(rig.exec.calls).toHaveLength(1)
    call.end({})
    await reportOf(rig)
    rig.desk.received({ type: 'order', order })
    await rig.settle()
    expect(rig.of('accepted')).toHaveLength(4)
    expect(rig.of('ended').length).toBeGreaterThan(1)
    commit(rig)
    commit(rig)
    rig.order()
    await rig.settle()
    expect(rig.of('refused')).toMatchObject([{ final: true, reason: { code: 'older_attempt' } }])
    expect(rig.exec.calls).toHaveLength(1)
    expect(rig.published).toHaveLength(1)
  })

  it('of an older leader is refused, also after a restart', async () => {
    const journal = new MemoryJournal()
    {
      await using rig = deskRig({ journal })
      cancel(rig, { run: runId('other'), epoch: epoch(9) })
      await rig.settle()
    }
    await using rig = deskRig({ journal })
    rig.order({ epoch: epoch(8) })
    await rig.settle()
    expect(rig.of('refused')).toMatchObject([{ final: false, reason: { code: 'stale_epoch' } }])
    rig.order({ epoch: epoch(9) })
    await rig.call(rig.exec)
  })

  it('that the node does not allow is refused for ever, and again when it comes again', async () => {
    await using rig = deskRig({ policy: { commands: [] } })
    rig.order()
    rig.order()
    await rig.settle()
    expect(rig.of('refused')).toMatchObject([
      { final: true, reason: { code: 'policy' } },
      { final: true, reason: { code: 'policy' } },
    ])
    expect(rig.journal.entries.filter(({ type }) => type === 'mark')).toHaveLength(1)
  })

  it('asks an engine that was missing again before it is refused', async () => {
    await using rig = deskRig()
    rig.exec.available = false
    rig.order()
    await rig.settle()
    expect(rig.of('refused')).toMatchObject([{ reason: { code: 'engine_unavailable' } }])
    rig.exec.available = true
    rig.clock.advance(10_000)
    rig.order({ attempt: 2 })
    await rig.call(rig.exec)
  })
})

describe('when the disk is full', () => {
  it('an order is not accepted, and is when there is room again', async () => {
    await using rig = deskRig()
    rig.journal.full = true
    rig.order()
    await rig.settle()
    expect(rig.of('accepted')).toEqual([])
    expect(rig.of('refused')).toMatchObject([{ final: false, reason: { code: 'disk' } }])
    expect(rig.desk.hello().held).toEqual([])
    rig.journal.full = false
    rig.order()
    await rig.call(rig.exec)
  })

  it('running work goes on, its report is published, and the disk gets it when it can', async () => {
    await using rig = deskRig()
    rig.order()
    const call = await rig.call(rig.exec)
    rig.journal.full = true
    call.end({})
    await reportOf(rig)
    expect(rig.journal.entries.some(({ type }) => type === 'outcome')).toBe(false)
    const { snapshotOf } = await import('./journal-state.ts')
    rig.journal.snapshot = () => snapshotOf(rig.book.state)
    rig.journal.full = false
    rig.clock.advance(60_000)
    await eventually(() => rig.journal.entries.some(({ type }) => type === 'outcome'))
  })

  it('a cancel of an unknown attempt is not answered: the answer would be a promise', async () => {
    await using rig = deskRig()
    rig.journal.full = true
    cancel(rig)
    await rig.settle()
    expect(rig.of('absent')).toEqual([])
  })
})

describe('a held order', () => {
  it('waits for its go, then begins at that instant of the server', async () => {
    await using rig = deskRig()
    rig.desk.received({ type: 'order', order: heldOrder() })
    await eventually(() => rig.of('accepted').length === 1)
    expect(rig.of('accepted')[0]?.armed).toBe(true)
    expect(rig.desk.hello().held).toEqual([{ run, attempt: 1, state: 'armed' }])
    go(rig, 6_000_000) // 1 s from now: the server's clock reads 5 s
    go(rig, 6_000_000)
    await rig.settle()
    rig.clock.advance(999)
    await rig.settle()
    expect(rig.exec.calls).toEqual([])
    rig.clock.advance(1)
    await rig.call(rig.exec)
    expect(rig.of('started')).toMatchObject([{ started: { serverUs: 6_000_000, errorUs: 200 } }])
    expect(rig.journal.entries.map(({ type }) => type)).toContain('begun')
  })

  it('begins at once when its instant is over, or when the clocks are not compared yet', async () => {
    await using rig = deskRig()
    rig.desk.received({ type: 'order', order: heldOrder() })
    rig.world.offsetUs = undefined
    go(rig, 123)
    await rig.call(rig.exec)
    expect(rig.of('started')).toMatchObject([{ started: { serverUs: 123, errorUs: 1_000_000 } }])
  })

  it('does not begin on the word of an older leader', async () => {
    await using rig = deskRig()
    rig.desk.received({ type: 'order', order: heldOrder() })
    go(rig, 0, { epoch: epoch(6) })
    await rig.settle()
    expect(rig.exec.calls).toEqual([])
  })

  it('keeps a place free for it', async () => {
    await using rig = deskRig({ capacity: { parallel: 1 } })
    rig.desk.received({ type: 'order', order: heldOrder({ tasks: [taskOf(backupAction())] }) })
    rig.order(backup({ run: runId('r2'), repositories: backup().repositories }))
    await rig.settle()
    expect(rig.of('accepted')).toHaveLength(2)
    expect(rig.restic.calls).toEqual([])
    go(rig, 0)
    await rig.call(rig.restic)
    await rig.settle()
    expect(rig.restic.calls).toHaveLength(1)
  })

  it('asks its engines anew when the last answer is old', async () => {
    await using rig = deskRig()
    rig.order()
    ;(await rig.call(rig.exec)).end({})
    rig.clock.advance(120_000)
    const asked = rig.exec.probes
    rig.desk.received({ type: 'order', order: heldOrder({ run: runId('r2') }) })
    await rig.settle()
    expect(rig.exec.probes).toBe(asked + 1)
  })

  it('ends by itself when no server ever starts or cancels it', async () => {
    await using rig = deskRig()
    rig.desk.received({ type: 'order', order: heldOrder() })
    await rig.settle()
    rig.clock.advance(3_600_000)
    expect(await reportOf(rig)).toMatchObject({ end: 'aborted', steps: [] })
  })
})

describe('limits', () => {
  it('more runs than there are places wait their turn', async () => {
    await using rig = deskRig({ capacity: { light: 2 } })
    for (const n of [1, 2, 3]) rig.order({ run: runId(`r${n}`) })
    await rig.settle()
    expect(rig.of('accepted')).toHaveLength(3)
    expect(rig.exec.calls).toHaveLength(2)
    expect(rig.desk.running()).toBe(2)
    rig.exec.calls[0]?.end({})
    await rig.call(rig.exec, 2)
  })

  it('one run at a time writes to a repository', async () => {
    await using rig = deskRig()
    rig.order(backup())
    rig.order(backup({ run: runId('r2') }))
    await rig.settle()
    expect(rig.restic.calls).toHaveLength(1)
    rig.restic.calls[0]?.end({})
    await rig.call(rig.restic, 1)
  })

  it('a full queue refuses for now', async () => {
    await using rig = deskRig({ capacity: { light: 1, queue: 1 } })
    for (const n of [1, 2, 3]) rig.order({ run: runId(`r${n}`) })
    await rig.settle()
    expect(rig.of('refused')).toMatchObject([{ run: 'r3', final: false, reason: { code: 'queue_full' } }])
  })
})

describe('steps', () => {
  const three = [taskOf(execAction()), taskOf(execAction()), taskOf(execAction(), { mandatory: true })]

  it('a step that failed and may be tried again ends the attempt', async () => {
    await using rig = deskRig()
    rig.order({ tasks: [taskOf(execAction(), { maxRetries: 1 }), taskOf(execAction())] })
    ;(await rig.call(rig.exec)).end({ result: 'failed', retryable: true })
    expect(await reportOf(rig)).toMatchObject({ end: 'retry', steps: [{ step: 0, result: 'failed' }] })
    expect(rig.exec.calls).toHaveLength(1)
  })

  it('is not tried again when it cannot help, or when its tries are used up', async () => {
    await using rig = deskRig()
    rig.order({ tasks: [taskOf(execAction(), { maxRetries: 5 })] })
    ;(await rig.call(rig.exec)).end({ result: 'failed', retryable: false })
    expect((await reportOf(rig)).end).toBe('ended')
    const again = { tasks: [taskOf(execAction(), { maxRetries: 1 })], before: [{ tries: 1 }] }
    rig.order({ run: runId('r2'), attempt: 2, ...again })
    ;(await rig.call(rig.exec, 1)).end({ result: 'failed', retryable: true })
    expect((await reportOf(rig, 1)).end).toBe('ended')
  })

  it('after a failed one only mandatory ones are done', async () => {
    await using rig = deskRig()
    rig.order({ tasks: three })
    ;(await rig.call(rig.exec)).end({ result: 'failed' })
    ;(await rig.call(rig.exec, 1)).end({})
    const { end, steps } = await reportOf(rig)
    expect([end, ...steps.map(({ step, result }) => `${step} ${result}`)]).toEqual([
      'ended',
      '0 failed',
      '2 success',
    ])
  })

  it('what an earlier attempt has done is not done again', async () => {
    await using rig = deskRig()
    rig.order({
      tasks: three,
      before: [{ tries: 1, result: 'success' }, { tries: 1 }, { tries: 0 }],
      attempt: 2,
    })
    ;(await rig.call(rig.exec)).end({})
    ;(await rig.call(rig.exec, 1)).end({})
    expect((await reportOf(rig)).steps.map(({ step }) => step)).toEqual([1, 2])
  })

  it('each end is in the journal before the next begins', async () => {
    await using rig = deskRig()
    rig.order({ tasks: three })
    ;(await rig.call(rig.exec)).end({})
    await rig.call(rig.exec, 1)
    expect(rig.journal.entries.at(-1)).toMatchObject({ type: 'step', report: { step: 0 } })
  })

  it('unreadable files are counted and listed, and progress is told at most once a second', async () => {
    await using rig = deskRig()
    rig.order(backup())
    const call = await rig.call(rig.restic)
    rig.clock.advance(250)
    call.say({ type: 'item_error', error: { path: '/srv/x', code: 'EACCES', message: 'permission denied' } })
    for (let done = 1; done <= 10; done++)
      call.say({ type: 'progress', progress: { phase: 'transfer', done, total: 10, errors: 0 } })
    await rig.settle()
    expect(rig.of('progress')).toHaveLength(1)
    rig.clock.advance(1_000)
    await rig.settle()
    expect(rig.of('progress').map(({ progress }) => progress.done)).toEqual([1, 10])
    call.end({ result: 'partial' })
    expect((await reportOf(rig)).steps[0]).toMatchObject({
      ...{ result: 'partial', itemErrorCount: 1, itemErrors: [{ path: '/srv/x', code: 'EACCES' }] },
    })
  })

  it('a tool that somebody else stopped has failed', async () => {
    await using rig = deskRig()
    rig.order()
    ;(await rig.call(rig.exec)).end({ result: 'aborted', reason: { code: 'killed', text: 'killed' } })
    expect((await reportOf(rig)).steps[0]).toMatchObject({ result: 'failed', reason: { code: 'killed' } })
  })
})

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
    expect(ends.toSorted()).toEqual([
      ['armed', 'interrupted'],
      ['queued', 'interrupted'],
      ['r1', 'interrupted', 'lost'],
    ])
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

it('an order that was late for a wrong clock alone is taken', async () => {
  await using rig = deskRig()
  rig.order({ answerBy: instant(1_900_000_000_000 - 60_000) })
  await rig.call(rig.exec)
})
