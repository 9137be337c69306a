// A new agent process after a crash: it ends what the old one left running before it says anything to a server.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { FileJournal, readJournal } from '../../agent/disk/journal.ts'
import { childEnvironment } from '../../agent/engines/process/environment.ts'
import { processStat } from '../../agent/engines/process/proc.ts'
import type { JournalEntry } from '../../agent/ports/journal.ts'
import type { Survivor } from '../../agent/ports/orphans.ts'
import { orphansOf } from '../../agent/start.ts'
import { Book, keptOf } from '../../agent/work/book.ts'
import { foldEntries, snapshotOf, stateOf } from '../../agent/work/journal-state.ts'
import { recover, recoverRest } from '../../agent/work/recover.ts'
import { instant } from '../../core/clock.ts'
import { repositoryId, runId } from '../../core/ids.ts'
import { backupAction, orderOf, taskOf } from '../support/desk-rig.ts'
import { eventually } from '../support/eventually.ts'
import { realClock } from '../support/real-clock.ts'
import { tempDir } from '../support/temp.ts'

const run = runId('r1')
const order = orderOf({ tasks: [taskOf(backupAction())] })
const accepted = (begun: boolean): JournalEntry => ({
  ...{ type: 'accepted', order: keptOf(order), begun, at: instant(1_000) },
})

const pids: number[] = []
afterEach(() => {
  for (const pid of pids.splice(0))
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // Gone, as it should be.
    }
})

const lives = (pid: number): boolean => {
  const stat = processStat(pid)
  return stat !== undefined && stat.state !== 'Z'
}

/** A shell script as an engine's child: in a group of its own, with the marks of an attempt. */
function child(script: string, stateMark: string, attemptId = 'r1.1'): number {
  const env = childEnvironment({ attemptId, stateMark }, '/tmp')
  const spawned = spawn('/bin/sh', ['-c', script], { detached: true, stdio: 'ignore', env })
  const { pid } = spawned
  if (pid === undefined) throw new Error('not started')
  pids.push(pid)
  return pid
}

/** The journal as an earlier process left it, opened by the next one. */
async function left(folder: string, entries: readonly JournalEntry[]) {
  const before = foldEntries(entries)
  {
    await using journal = new FileJournal(folder, () => snapshotOf(before))
    await journal.repair()
  }
  const state = stateOf(readJournal(folder))
  const events: string[] = []
  const journal = new FileJournal(folder, () => snapshotOf(state))
  const book = new Book(state, journal, realClock, (event) => void events.push(event))
  await book.begin()
  return { book, events, record: (event: string) => void events.push(event) }
}

describe('after a crash', () => {
  it('children are ended, grandchildren in groups of their own too, and only then has the attempt an outcome', async () => {
    await using dir = await tempDir()
    const file = dir.join('grandchild')
    const pid = child(`setsid sh -c 'echo $$ > ${file}; exec sleep 1000' & sleep 1000; true`, dir.path)
    const grandchild = await eventually(() => Number(readFileSync(file, 'utf8')) || undefined)
    pids.push(grandchild)
    const startTime = processStat(pid)?.startTime ?? ''
    const { book, record } = await left(dir.path, [
      accepted(true),
      { type: 'child', run, attempt: 1, child: { pid, startTime, command: 'restic' } },
    ])
    await using _ = book
    const survivors = await recover({
      book,
      record,
      clock: realClock,
      orphans: orphansOf(dir.path, realClock),
    })
    expect(survivors).toEqual([])
    expect([lives(pid), lives(grandchild)]).toEqual([false, false])
    expect(book.state.attempts.get('r1.1')?.outcome).toMatchObject({
      end: 'interrupted',
      steps: [{ step: 0, result: 'lost', reason: { code: 'interrupted' } }],
    })
    expect([...book.state.dirty]).toEqual([repositoryId('repo')])
    // And it is on disk: another crash changes nothing.
    expect(stateOf(readJournal(dir.path)).attempts.get('r1.1')?.outcome?.end).toBe('interrupted')
  })

  it('a process that only has the pid of a child is left alone', async () => {
    await using dir = await tempDir()
    const pid = child('sleep 1000', '/another/agent')
    const { book, record } = await left(dir.path, [
      accepted(true),
      { type: 'child', run, attempt: 1, child: { pid, startTime: 'another-boot/1', command: 'restic' } },
    ])
    await using _ = book
    await recover({ book, record, clock: realClock, orphans: orphansOf(dir.path, realClock) })
    expect(lives(pid)).toBe(true)
    expect(book.state.attempts.get('r1.1')?.outcome?.end).toBe('interrupted')
  })

  it('children are found by their marks when the journal lost them', async () => {
    await using dir = await tempDir()
    const pid = child('sleep 1000', dir.path, 'forgotten.7')
    const { book, record } = await left(dir.path, [])
    await using _ = book
    await recover({ book, record, clock: realClock, orphans: orphansOf(dir.path, realClock) })
    expect(lives(pid)).toBe(false)
  })

  it('an attempt that had not begun has used up no try', async () => {
    await using dir = await tempDir()
    const { book, record } = await left(dir.path, [accepted(false)])
    await using _ = book
    await recover({ book, record, clock: realClock, orphans: orphansOf(dir.path, realClock) })
    expect(book.state.attempts.get('r1.1')?.outcome).toMatchObject({ end: 'interrupted', steps: [] })
    expect(book.state.dirty.size).toBe(0)
  })

  it('an attempt whose child cannot be ended has no outcome until it is gone', async () => {
    await using dir = await tempDir()
    const { book, record, events } = await left(dir.path, [accepted(true)])
    await using _ = book
    let stuck: Survivor[] = [{ pid: 1, attemptId: 'r1.1' }]
    const tools = {
      book,
      record,
      clock: { ...realClock, sleep: async () => undefined },
      orphans: { end: async () => stuck },
    }
    await recover(tools)
    expect(events).toContain('orphans.stuck')
    expect(book.state.attempts.get('r1.1')?.outcome).toBeUndefined()
    const settled: string[] = []
    const rest = recoverRest(tools, (held) => settled.push(held.run), new AbortController().signal)
    stuck = []
    await rest
    expect(settled).toEqual(['r1'])
    expect(book.state.attempts.get('r1.1')?.outcome?.end).toBe('interrupted')
  })
})
