import { describe, expect, it } from 'vitest'
import { instant } from '../../core/clock.ts'
import type { Action } from '../../core/action.ts'
import { backupId, runId } from '../../core/ids.ts'
import { epoch, type Order } from '../../core/link.ts'
import type { Reason, Report } from '../../core/run.ts'
import { memoryDatabases } from '../../test/support/databases.ts'
import {
  backupAction,
  deskRig,
  execAction,
  heldOrder,
  MemoryJournal,
  orderOf,
  ScriptedEngine,
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

  it('an armed attempt does not begin: a later process would not know that it ran, and it would run again', async () => {
    await using rig = deskRig()
    rig.desk.received({ type: 'order', order: heldOrder() })
    await eventually(() => rig.of('accepted').length === 1)
    rig.journal.full = true
    go(rig, 5_000_000)
    expect(await reportOf(rig)).toMatchObject({ end: 'interrupted', steps: [] })
    expect(rig.exec.calls).toEqual([])
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

it('an order that was late for a wrong clock alone is taken', async () => {
  await using rig = deskRig()
  rig.order({ answerBy: instant(1_900_000_000_000 - 60_000) })
  await rig.call(rig.exec)
})

describe('the databases of the node', () => {
  it('are in the hello, and one that a run has made is told of at its end', async () => {
    const spare = { name: 'spare', datastore: 'sqlite', root: '/data' } as const
    const databases = memoryDatabases([], [spare])
    const sqlite = new ScriptedEngine('sqlite', ['restore'])
    await using rig = deskRig({ databases, engines: [sqlite] })
    expect(rig.desk.hello()).toMatchObject({ instances: [], engines: [{}, {}, { engine: 'sqlite' }] })
    const restore: Action = {
      ...{ do: 'restore', engine: 'sqlite', from: { is: 'backup', id: backupId('b1') }, include: [] },
      ...{ target: '', overwrite: false, repository: { is: 'default' }, limits: {} },
      create: { template: 'spare', instance: 'again', name: 'again' },
    }
    const sources = [{ backup: backupId('b1'), engineRef: 'ref' }]
    rig.order({ tasks: [taskOf(restore, { sources })] })
    const call = await rig.call(sqlite)
    await databases.add({ key: 'again', name: 'again', template: spare, madeBy: { run: 'r1', step: '0' } })
    call.end({})
    const told = await eventually(() => rig.of('instances')[0])
    expect(told.instances).toMatchObject([{ key: 'again' }])
    expect(rig.desk.hello()).toMatchObject({ instances: [{ key: 'again' }], templates: [{ name: 'spare' }] })
  })
})
