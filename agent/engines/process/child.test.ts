import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { describe, expect, it } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { realClock } from '../../../test/support/real-clock.ts'
import { tempDir } from '../../../test/support/temp.ts'
import type { ChildLedger } from '../../ports/engine.ts'
import { launch, type Child, type Launch } from './child.ts'
import { childEnvironment } from './environment.ts'
import { commandLadder, resticLadder } from './ladder.ts'
import { follow } from './lines.ts'
import { endOrphans, findOrphans } from './orphans.ts'
import { bytesReadBy, groupLives, liveProcesses, parseStat, processStat } from './proc.ts'
import { lastingOutputs } from './pipes.ts'
import { findProgram, priorityPrefix } from './program.ts'

function ledger() {
  const entries: { pid: number; startTime: string; command: string }[] = []
  const ended: number[] = []
  const children: ChildLedger = {
    started: (child) => void entries.push(child),
    ended: (pid) => void ended.push(pid),
  }
  return { entries, ended, children }
}

const identity = { attemptId: `run-${process.pid}.1`, stateMark: `mark-${process.pid}` }

function shell(script: string, more: Partial<Launch> = {}): Launch {
  const env = childEnvironment(identity, '/nowhere')
  return { program: 'sh', args: ['-c', script], env, ...more }
}

async function start(what: Launch, children = ledger().children): Promise<Child> {
  const launched = await launch(what, { clock: realClock, children })
  if (!launched.ok) throw new Error(launched.text)
  return launched.child
}

async function outputOf(child: Child): Promise<string[]> {
  return (await Array.fromAsync(follow(child.outputs, 10_000))).map((line) => line.text)
}

describe('a child process', () => {
  it('can write to lasting outputs when nobody reads them any more', async () => {
    await using dir = await tempDir('pipes')
    const start_ = async (lasting: boolean) => {
      using outputs = lasting ? await lastingOutputs(dir.path) : undefined
      // Only when its outputs are torn away it says so, by the way it ends.
      const script = 'read go < "$1"; echo one; echo two; exit 7'
      const args = ['-c', script, 'sh', dir.join(`go-${lasting}`)]
      execFileSync('mkfifo', [dir.join(`go-${lasting}`)])
      return start({ ...shell(''), args, ...(outputs === undefined ? {} : { pipes: outputs.pipes }) })
    }
    for (const [lasting, exit] of [
      [true, { is: 'exited', code: 7 }],
      [false, { is: 'signalled', signal: 'SIGPIPE' }],
    ] as const) {
      const child = await start_(lasting)
      for (const { stream } of child.outputs) stream.destroy()
      fs.writeFileSync(dir.join(`go-${lasting}`), 'go\n')
      expect(await child.ended).toEqual(exit)
    }
  })

  it('has a group of its own, no input, a small environment, and is in the ledger before it is read', async () => {
    process.env['RESTIC_PASSWORD'] = 'inherited'
    process.env['AWS_SECRET_ACCESS_KEY'] = 'inherited'
    const book = ledger()
    const child = await start(shell('cat; env; echo group $(ps -o pgid= -p $$)'), book.children)
    delete process.env['RESTIC_PASSWORD']
    delete process.env['AWS_SECRET_ACCESS_KEY']
    expect(book.entries).toEqual([
      { pid: child.pid, startTime: expect.stringMatching(/^.+\/\d+$/), command: 'sh' },
    ])
    const lines = await outputOf(child)
    expect(lines).toContain(`FIRN_ATTEMPT=${identity.attemptId}`)
    expect(lines).toContain(`FIRN_STATE=${identity.stateMark}`)
    expect(lines).toContain('LC_ALL=C.UTF-8')
    expect(lines.join('\n')).not.toContain('inherited')
    expect(await child.ended).toEqual({ is: 'exited', code: 0 })
    await eventually(() => book.ended.includes(child.pid))
  })

  it('reads its secrets from descriptors, and none of them is in its arguments or environment', async () => {
    const child = await start(
      shell('cat /dev/fd/3 /dev/fd/4; tr "\\0" " " < /proc/self/environ; tr "\\0" " " < /proc/$$/cmdline', {
        secrets: ['first pass', ' second\n'],
      }),
    )
    const [first, rest = ''] = await outputOf(child)
    expect(first).toBe('first pass second')
    expect(rest).not.toContain('pass')
  })

  it.each([
    ['/no/such/program', 'ENOENT'],
    ['no-such-program', 'ENOENT'],
    ['/etc/passwd', 'EACCES'],
  ])('that cannot be started is an answer: %s gives %s', async (program, code) => {
    const launched = await launch(shell('', { program }), { clock: realClock, children: ledger().children })
    expect(launched).toMatchObject({ ok: false, code })
  })

  it('whose arguments are too many is an answer, too', async () => {
    const launched = await launch(shell('', { args: ['x'.repeat(300_000)] }), {
      clock: realClock,
      children: ledger().children,
    })
    expect(launched).toMatchObject({ ok: false, code: 'E2BIG' })
  })

  it('is killed when the ledger cannot take it down', async () => {
    let pid = 0
    const children = {
      started: (child: { pid: number }): never => {
        pid = child.pid
        throw new Error('disk full')
      },
      ended: () => {},
    }
    const launched = await launch(shell('sleep 600'), { clock: realClock, children })
    expect(launched).toMatchObject({ ok: false, text: expect.stringContaining('disk full') })
    expect(groupLives(pid)).toBe(false)
  })

  it('is stopped with its grandchildren when the signal aborts', async () => {
    const child = await start(shell('sleep 600 & sleep 600 & echo up; wait'))
    const asked = new AbortController()
    using _ = child.stopOn(asked.signal, commandLadder)
    const lines = outputOf(child)
    await eventually(() => liveProcesses().filter((one) => one.group === child.pid).length === 3)
    asked.abort()
    expect(await child.ended).toEqual({ is: 'signalled', signal: 'SIGTERM' })
    await child.stop(commandLadder)
    expect(groupLives(child.pid)).toBe(false)
    expect(await lines).toEqual(['up'])
  })

  it('is killed in the end when it ignores the milder signals, also while it is stopped', async () => {
    const child = await start(shell('trap "" TERM; echo up; while :; do sleep 1; done'))
    await follow(child.outputs, 100).next()
    process.kill(-child.pid, 'SIGSTOP')
    await child.stop([
      { signal: 'SIGTERM', waitMs: 300 },
      { signal: 'SIGKILL', waitMs: 5_000 },
    ])
    expect(await child.ended).toEqual({ is: 'signalled', signal: 'SIGKILL' })
    expect(child.stoppedBy).toBe('SIGKILL')
  })

  it('that leaves others behind in its group takes them with it, and its output ends', async () => {
    const child = await start(shell('sleep 600 & echo done'))
    expect(await outputOf(child)).toEqual(['done'])
    expect(await child.ended).toEqual({ is: 'exited', code: 0 })
    await eventually(() => !groupLives(child.pid))
  })

  it('whose output somebody outside the group holds open does not keep the reader waiting', async () => {
    const child = await start(shell('setsid sleep 20 & echo done'))
    expect(await outputOf(child)).toEqual(['done'])
    const left = findOrphans({ stateMark: identity.stateMark, ledger: [] }).filter(
      (one) => one.group !== child.pid,
    )
    expect(left).toHaveLength(1)
    for (const { pid } of left) process.kill(pid, 'SIGKILL')
  })

  it('does not lose what it wrote before its end, however late it is read', async () => {
    const child = await start(shell('i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done'))
    const lines = follow(child.outputs, 100)
    await lines.next()
    await child.ended
    expect(await Array.fromAsync(lines)).toHaveLength(2_999)
  })
})

describe('orphans', () => {
  it('are found by attempt and state mark, and by the ledger only while pid and start time agree', async () => {
    const child = await start(shell('exec sleep 600'))
    const at = processStat(child.pid)
    if (at === undefined) throw new Error('it does not run')
    const find = (query: Partial<Parameters<typeof findOrphans>[0]>) =>
      findOrphans({ stateMark: 'another', ledger: [], ...query }).map((one) => one.pid)
    const mark = identity.stateMark
    expect(find({ stateMark: mark, attempts: new Set([identity.attemptId]) })).toEqual([child.pid])
    expect(find({ stateMark: mark, attempts: new Set(['other.1']) })).toEqual([])
    expect(find({})).toEqual([])
    expect(find({ ledger: [at] })).toEqual([child.pid])
    expect(find({ ledger: [{ pid: child.pid, startTime: 'boot/1' }] })).toEqual([])

    const orphans = findOrphans({ stateMark: 'another', ledger: [at] })
    expect(await endOrphans(orphans, realClock)).toEqual([])
    expect(await child.ended).toEqual({ is: 'signalled', signal: 'SIGTERM' })
  })

  it('that tidy up on SIGINT are asked that way', async () => {
    const env = childEnvironment(identity, '/nowhere', { FIRN_TIDY: '1' })
    const child = await start(shell('exec sleep 600', { env }))
    const orphans = findOrphans({ stateMark: identity.stateMark, ledger: [] })
    expect(orphans).toMatchObject([{ pid: child.pid, attemptId: identity.attemptId, tidies: true }])
    expect(await endOrphans(orphans, realClock)).toEqual([])
    expect(await child.ended).toEqual({ is: 'signalled', signal: 'SIGINT' })
  })
})

describe('what /proc says', () => {
  it('is read past a command name with blanks and brackets', () => {
    const stat = `7 (a) b (c) S 1 5 5 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 424242 1 1`
    expect(parseStat(7, stat, 'boot')).toEqual({ pid: 7, state: 'S', group: 5, startTime: 'boot/424242' })
    expect(parseStat(7, 'garbage', 'boot')).toBeUndefined()
  })

  it('shows how much a process has read', () => {
    const before = bytesReadBy(process.pid) ?? 0
    fs.readFileSync(process.execPath)
    expect(bytesReadBy(process.pid)).toBeGreaterThan(before + 1_000_000)
    expect(bytesReadBy(2 ** 22 + 1)).toBeUndefined()
  })
})

describe('priorities', () => {
  const dirs = '/usr/bin:/bin'
  it('become nice and ionice before the command, where the node has them', () => {
    const nice = findProgram('nice', dirs)
    const ionice = findProgram('ionice', dirs)
    expect(priorityPrefix({ nice: 10, ioClass: 'best-effort', ioLevel: 7 }, dirs)).toEqual([
      ...(nice.ok ? [nice.file, '-n', '10'] : []),
      ...(ionice.ok ? [ionice.file, '-c', '2', '-n', '7'] : []),
    ])
    expect(priorityPrefix({ nice: 10, ioClass: 'idle' }, '/nowhere')).toEqual([])
    expect(priorityPrefix({}, dirs)).toEqual([])
  })

  it('reach the process', async () => {
    const child = await start(shell('ps -o ni= -p $$', { limits: { nice: 7, ioClass: 'idle' } }))
    expect((await outputOf(child)).map((line) => line.trim())).toEqual(['7'])
  })
})

it('restic is asked to stop by SIGINT first, so that it removes its lock', () => {
  expect(resticLadder.map((rung) => [rung.signal, rung.waitMs])).toEqual([
    ['SIGINT', 20_000],
    ['SIGTERM', 10_000],
    ['SIGKILL', 5_000],
  ])
})
