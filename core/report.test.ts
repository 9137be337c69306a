import { describe, expect, it } from 'vitest'
import {
  aReport,
  aRun,
  aStepReport,
  aTask,
  anExecAction,
  noon,
  saved,
  states,
  trouble,
  why,
} from '../test/support/builders.ts'
import { backupIdOf, type BackupId, type SessionId } from './ids.ts'
import type { Run } from './run.ts'
import { backupsOf, foldAborted, foldGone, foldLost, foldReport } from './report.ts'

const running = (over: Parameters<typeof aRun>[0] = {}) => aRun({ state: states.running(), ...over })

describe('a folded report', () => {
  it('leaves a step that an earlier attempt has done as it was: its first word counts', () => {
    const run = running({ tasks: [aTask(), aTask()], steps: [{ tries: 1, result: 'success' }, { tries: 0 }] })
    const { run: after } = foldReport(
      run,
      aReport(run, { steps: [aStepReport(0, 'failed'), aStepReport(1)] }),
    )
    expect(after.steps).toMatchObject([{ tries: 1, result: 'success' }, { result: 'success' }])
  })

  it('leaves open only the last step: the node went on after the others, so those are final', () => {
    const run = running({ tasks: [aTask({ maxRetries: 3 }), aTask({ maxRetries: 3, mandatory: true })] })
    const steps = [aStepReport(0, 'failed'), aStepReport(1, 'failed')]
    const { run: after } = foldReport(run, aReport(run, { end: 'retry', steps }))
    expect(after.steps.map((step) => step.result)).toEqual(['failed', undefined])
  })

  it('keeps what was measured, and how many items had errors', () => {
    const run = running()
    const stats = { bytesProcessed: 7, durationMs: 5 }
    const part = aStepReport(0, 'partial', { stats, itemErrorCount: 3 })
    const { run: after, why: reason } = foldReport(run, aReport(run, { steps: [part] }))
    expect(after.steps[0]).toMatchObject({ stats, itemErrorCount: 3, startedAt: noon })
    expect(reason).toEqual(trouble)
  })

  it('names a backup for a step exactly when the catalogue gets one', () => {
    const exec = aTask({ action: anExecAction() })
    const { repository: _none, ...nowhere } = aTask()
    for (const [task, result, kept] of [
      [aTask(), 'success', true],
      [aTask(), 'partial', true],
      [aTask(), 'failed', true],
      [aTask(), 'aborted', false],
      [aTask(), 'lost', false],
      [exec, 'success', false],
      [nowhere, 'success', false],
    ] as const) {
      const run = running({ tasks: [task] })
      const report = aReport(run, { steps: [aStepReport(0, result, { saved })] })
      const id = kept ? backupIdOf(run.id, 0) : undefined
      expect(foldReport(run, report).run.steps[0]?.backup, result).toBe(id)
      expect(
        backupsOf(run, report).map((backup) => backup.id),
        result,
      ).toEqual(id ? [id] : [])
    }
  })
})

describe('an attempt without a report', () => {
  it('loses the step that was next, or uses up one of its tries', () => {
    expect(foldLost(running()).steps).toMatchObject([{ tries: 1, result: 'lost' }])
    const again = foldLost(running({ tasks: [aTask({ maxRetries: 1 })] }))
    expect(again.steps[0]).toEqual({ tries: 1, reason: { code: 'interrupted', text: expect.any(String) } })
  })

  it('loses nothing when nothing was left to do', () => {
    const done = running({ steps: [{ tries: 1, result: 'success' }] })
    expect(foldLost(done)).toBe(done)
    expect(foldGone(done, why)).toBe(done)
    expect(foldAborted(done, why)).toBe(done)
  })

  it('loses the step for good when its node is gone, whatever tries it has', () => {
    const run = running({ tasks: [aTask({ maxRetries: 9 }), aTask()] })
    expect(foldGone(run, trouble).steps).toEqual([
      { tries: 0, result: 'lost', reason: trouble },
      { tries: 0 },
    ])
  })
})

describe('the catalogue entries of a report', () => {
  it('say what was saved, by which run, where, and on which parent', () => {
    const parent = { backup: 'b0' as BackupId, engineRef: 'snapshot-0' }
    const session = { id: 's1' as SessionId, tag: 3 }
    const run = running({ tasks: [aTask({ level: 2, parent })], session })
    const stats = { bytesAdded: 1, durationMs: 2 }
    const report = aReport(run, { steps: [aStepReport(0, 'success', { saved, stats })] })
    const [backup, ...more] = backupsOf(run, report)
    expect(more).toEqual([])
    expect(backup).toMatchObject({
      id: backupIdOf(run.id, 0),
      run: run.id,
      client: run.client,
      backupName: 'etc',
      engineRef: 'snapshot-1',
      repository: 'r1',
      level: 2,
      parent: 'b0',
      result: 'success',
      session,
      stats,
    })
    expect(backupsOf(run, report)).toEqual([backup])
  })

  it('are level 0 without a parent unless the run says otherwise', () => {
    const { level: _unset, ...task } = aTask()
    const run = running({ tasks: [task] })
    const [backup] = backupsOf(run, aReport(run, { steps: [aStepReport(0, 'success', { saved })] }))
    expect(backup).toMatchObject({ level: 0 })
    expect(backup).not.toHaveProperty('parent')
  })

  it('leave out steps that an earlier report has settled, but not those that were lost or only failed for now', () => {
    const report = (run: Run) => aReport(run, { steps: [aStepReport(0, 'success', { saved })] })
    for (const result of ['success', 'partial', 'failed'] as const) {
      const run = running({ steps: [{ tries: 1, result }] })
      expect(backupsOf(run, report(run)), result).toEqual([])
    }
    for (const step of [
      { tries: 1 },
      { tries: 1, result: 'lost' as const },
      { tries: 0, result: 'skipped' as const },
    ]) {
      const run = running({ steps: [step] })
      expect(backupsOf(run, report(run))).toHaveLength(1)
    }
  })

  it('leave out steps that saved nothing, and steps that the run does not have', () => {
    const run = running()
    expect(
      backupsOf(run, aReport(run, { steps: [aStepReport(0), aStepReport(5, 'success', { saved })] })),
    ).toEqual([])
  })
})
