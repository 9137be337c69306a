import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Engine, EngineTask } from '../../ports/engine.ts'
import type { RepositoryAccess } from '../../../core/link.ts'
import { Fault } from '../../../core/fault.ts'
import {
  backupOf,
  EngineRig,
  forgetOf,
  resticPrograms,
  restoreOf,
  verifyOf,
} from '../../../test/support/engine-rig.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { skipWhen, skipWhenKernelCannot } from '../../../test/support/skip.ts'
import { realClock } from '../../../test/support/real-clock.ts'
import { endOrphans, findOrphans } from '../process/orphans.ts'
import { groupLives } from '../process/proc.ts'
import { resticEngine } from './engine.ts'

/** Of this process alone: other tests' children are not to be taken for orphans of these. */
const mark = `trouble-${process.pid}`

/** Whole ones: half a lock file of an interrupted restic has another name and holds nobody up. */
const locksOf = (access: RepositoryAccess): string[] =>
  fs.readdirSync(`${access.location}/locks`).filter((name) => /^[0-9a-f]{64}$/.test(name))

const system = (program: string, ...args: string[]) => spawnSync(program, args)

/** Slow enough to be met in the middle, also on a busy machine. */
const crawl = { uploadKiBs: 300 }

describe.each(resticPrograms())('when something goes wrong under %s', (program) => {
  const engine = resticEngine({ stateMark: mark, program })
  let rig: EngineRig
  let small: string
  let big: string

  beforeAll(async () => {
    rig = await EngineRig.open()
    small = rig.dir.join('small')
    big = rig.dir.join('big')
    for (const folder of [small, big]) fs.mkdirSync(folder)
    fs.writeFileSync(`${small}/file`, 'small')
    fs.writeFileSync(`${big}/noise`, randomBytes(20_000_000))
  })
  afterAll(() => rig[Symbol.asyncDispose]())

  /** Runs a slow backup and calls `act` with the pid of restic once it holds its lock and sends data. */
  async function inTheMiddle(access: RepositoryAccess, act: (pid: number) => void, stallMs = 120_000) {
    await rig.run(engine, backupOf([small], access), { tags: {} })
    const run = rig.run(engine, backupOf([big], access, { limits: crawl }), { stallMs, tags: {} })
    const pid = await eventually(
      () => {
        const [child] = [...rig.running.values()].filter(({ pid }) => isBackup(pid))
        return child !== undefined && locksOf(access).length > 0 ? child.pid : undefined
      },
      { withinMs: 30_000 },
    )
    act(pid)
    return { pid, ...(await run) }
  }

  it('a wrong password is told as such, and trying again is no use', async () => {
    const access = rig.access('secret')
    await rig.run(engine, backupOf([small], access))
    const wrong = { ...access, password: 'wrong horse' }
    const { end } = await rig.run(engine, backupOf([small], wrong))
    expect(end).toMatchObject({ result: 'failed', retryable: false, reason: { code: 'auth' } })
    expect(JSON.stringify(rig.log)).not.toContain('horse')
  })

  it('a repository that is not there is made for a backup only, and never in place of one that was', async () => {
    const access = rig.access('nowhere')
    const tasks: EngineTask[] = [
      verifyOf(access),
      forgetOf(['deadbeef'.repeat(8)], access),
      restoreOf('deadbeef'.repeat(8), rig.dir.join('none'), access),
      backupOf([small], { ...access, expectedId: 'deadbeef'.repeat(8) }),
    ]
    for (const task of tasks) {
      const { end } = await rig.run(engine, task)
      expect({ ...end, of: task.do }).toMatchObject({
        result: 'failed',
        retryable: false,
        reason: { code: 'no_repository' },
      })
    }
    expect(fs.existsSync(access.location)).toBe(false)
  })

  it('a repository that was exchanged is refused', async () => {
    const access = rig.access('exchanged')
    const { end } = await rig.run(engine, backupOf([small], access))
    const known = { ...access, expectedId: end.repositoryId ?? '' }
    expect((await rig.run(engine, backupOf([small], known), { tags: {} })).end.result).toBe('success')
    const other = { ...access, expectedId: 'deadbeef'.repeat(8) }
    expect((await rig.run(engine, backupOf([small], other))).end).toMatchObject({
      result: 'failed',
      reason: { code: 'config', text: expect.stringContaining('another repository') },
    })
  })

  // restic from 0.17 on tries for long, so that here the bound on questions decides.
  it(
    'a server that does not answer is unreachable, and its password stays out of the log',
    { timeout: 150_000 },
    async () => {
      const access = rig.access('far', { location: 'rest:http://user:letmein99@127.0.0.1:9/' })
      const { end } = await rig.run(engine, backupOf([small], access))
      expect(end).toMatchObject({ result: 'failed', retryable: true, reason: { code: 'unreachable' } })
      expect(JSON.stringify([end, rig.log])).not.toContain('letmein99')
    },
  )

  it('two first backups at once make one repository', async () => {
    const access = rig.access('race')
    const tries = ['0', '1'].map((step) =>
      rig.run(engine, backupOf([small], access), { tags: { run: 'race', step } }),
    )
    const [one, two] = await Promise.all(tries)
    expect([one?.end.result, two?.end.result]).toEqual(['success', 'success'])
    expect(one?.end.repositoryId).toBe(two?.end.repositoryId)
  })

  it('a cancelled backup is aborted, with no process and no lock left', async () => {
    const access = rig.access('cancelled')
    const stop = new AbortController()
    await rig.run(engine, backupOf([small], access), { tags: {} })
    const run = rig.run(engine, backupOf([big], access, { limits: crawl }), { signal: stop.signal, tags: {} })
    const pid = await eventually(() => [...rig.running.keys()].find(isBackup), { withinMs: 30_000 })
    await eventually(() => locksOf(access).length > 0, { withinMs: 30_000 })
    stop.abort(new Fault('cancelled', 'the operator asked for it'))
    const { end } = await run
    expect(end).toMatchObject({
      result: 'aborted',
      retryable: false,
      reason: { code: 'cancelled', text: 'the operator asked for it' },
    })
    expect(groupLives(pid)).toBe(false)
    expect(locksOf(access)).toEqual([])
  })

  it('a signal that has aborted before lets nothing start', async () => {
    const access = rig.access('never')
    const { end } = await rig.run(engine, backupOf([small], access), { signal: AbortSignal.abort() })
    expect(end).toMatchObject({ result: 'aborted' })
    expect(fs.existsSync(access.location)).toBe(false)
  })

  it('a killed restic is a failure to try again, and its lock goes', async () => {
    const access = rig.access('killed')
    const { end } = await inTheMiddle(access, (pid) => process.kill(pid, 'SIGKILL'))
    expect(end).toMatchObject({ result: 'failed', retryable: true, reason: { code: 'killed' } })
    expect(locksOf(access)).toEqual([])
  })

  it('a restic that outlived its agent is found and ends without leaving its lock', async () => {
    const access = rig.access('orphan')
    const ending: Promise<unknown>[] = []
    const { end } = await inTheMiddle(access, () => {
      const orphans = findOrphans({ stateMark: mark, ledger: [], attempts: new Set(['run-a.1']) })
      expect(orphans).toMatchObject([{ tidies: true }])
      ending.push(endOrphans(orphans, realClock))
    })
    expect(await Promise.all(ending)).toEqual([[]])
    expect(end).toMatchObject({ result: 'failed', retryable: true, reason: { code: 'killed' } })
    expect(locksOf(access)).toEqual([])
  })

  it('a restic that gets nowhere is stopped as stalled', async () => {
    const access = rig.access('stalled')
    const { end, pid } = await inTheMiddle(access, (pid) => process.kill(pid, 'SIGSTOP'), 8_000)
    expect(end).toMatchObject({ result: 'failed', retryable: true, reason: { code: 'stalled' } })
    expect(groupLives(pid)).toBe(false)
    expect(locksOf(access)).toEqual([])
  })

  it('a reader that leaves takes restic with it', async () => {
    const access = rig.access('left')
    await rig.run(engine, backupOf([small], access), { tags: {} })
    const before = new Set(rig.running.keys())
    let pid: number | undefined
    for await (const event of engine.run(
      backupOf([big], access, { limits: crawl }),
      rig.context({ tags: {} }),
    )) {
      pid = [...rig.running.keys()].find((one) => !before.has(one) && isBackup(one))
      if (event.type === 'progress' && pid !== undefined) break
    }
    expect(pid).toBeDefined()
    expect(groupLives(pid ?? 0)).toBe(false)
    expect(locksOf(access)).toEqual([])
  })

  it('a repository that somebody has locked is to be tried again; cleaning up removes the lock only of the dead', async () => {
    const access = rig.access('locked')
    fs.writeFileSync(`${small}/more`, randomBytes(2_000_000))
    await rig.run(engine, backupOf([small], access), { tags: {} })
    const holder = await exclusiveHolder(program, access)
    const { end } = await rig.run(engine, backupOf([small], access), { tags: {} })
    expect(end).toMatchObject({ result: 'failed', retryable: true, reason: { code: 'locked' } })
    expect(locksOf(access)).toHaveLength(1)
    holder.kill('SIGKILL')
    await eventually(() => holder.signalCode !== null)
    await engine.cleanUp(access, rig.context())
    expect(locksOf(access)).toEqual([])
    expect((await rig.run(engine, backupOf([small], access), { tags: {} })).end.result).toBe('success')
  })

  it('a lock that goes soon does not keep data from being removed', async () => {
    const access = rig.access('soon')
    const { end } = await rig.run(engine, backupOf([small], access))
    fs.writeFileSync(`${small}/more`, randomBytes(2_000_000))
    await rig.run(engine, backupOf([small], access), { tags: {} })
    const holder = await exclusiveHolder(program, access)
    const run = rig.run(engine, forgetOf([end.saved?.engineRef ?? ''], access, { free: true }))
    await eventually(() => rig.log.some(({ text }) => text.includes('already locked')))
    for (const signal of ['SIGINT', 'SIGCONT'] as const) holder.kill(signal)
    expect((await run).end).toMatchObject({ result: 'success' })
    fs.rmSync(`${small}/more`)
  })

  it('a repository that keeps what it is told to forget fails the forgetting', async () => {
    const access = rig.access('keeper')
    const { end } = await rig.run(engine, backupOf([small], access))
    const id = end.saved?.engineRef ?? ''
    const script = rig.dir.join('append-only-restic')
    const refusing = `#!/bin/sh\ncase "$1" in forget) echo "unable to remove" >&2; exit 0;; esac\nexec ${program} "$@"\n`
    fs.writeFileSync(script, refusing, { mode: 0o755 })
    const refused = await rig.run(resticEngine({ stateMark: mark, program: script }), forgetOf([id], access))
    expect(refused.end).toMatchObject({ result: 'failed', retryable: false, reason: { code: 'auth' } })
    expect(refused.items).toMatchObject([{ path: id }])
  })

  it('a full disk under the repository or the target is told as such', async (context) => {
    skipWhen(context, 'needs root to mount a small file system', process.getuid?.() !== 0)
    const disk = rig.dir.join('disk')
    fs.mkdirSync(disk)
    await skipWhenKernelCannot(context, 'cannot mount a tmpfs', () => {
      const { status, stderr } = system('mount', '-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', disk)
      return status === 0 ? undefined : stderr.toString()
    })
    try {
      const full = rig.access('full', { location: `${disk}/repository` })
      const { end } = await rig.run(engine, backupOf([big], full))
      expect(end).toMatchObject({ result: 'failed', retryable: false, reason: { code: 'no_space' } })
      expect(locksOf(full)).toEqual([])

      fs.rmSync(full.location, { recursive: true })
      const roomy = rig.access('roomy')
      const saved = (await rig.run(engine, backupOf([big], roomy))).end.saved?.engineRef ?? ''
      const restored = await rig.run(engine, restoreOf(saved, `${disk}/target`, roomy))
      expect(restored.end).toMatchObject({ result: 'failed', retryable: false, reason: { code: 'no_space' } })
    } finally {
      system('umount', '-l', disk)
    }
  })

  function isBackup(pid: number): boolean {
    try {
      return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('\0backup\0')
    } catch {
      return false
    }
  }
})

/** A restic that holds the exclusive lock and lives: a check, stopped once it has it. */
async function exclusiveHolder(program: string, access: RepositoryAccess): Promise<ChildProcess> {
  const env = { RESTIC_REPOSITORY: access.location, RESTIC_PASSWORD: access.password, HOME: access.location }
  const args = ['--no-cache', '--limit-download', '50', 'check', '--read-data']
  const holder = spawn(program, args, { env, stdio: 'ignore' })
  await eventually(() => locksOf(access).length > 0)
  holder.kill('SIGSTOP')
  return holder
}

describe('a restic that is none', () => {
  const makeEngine = (rig: EngineRig, script: string): Engine => {
    const program = rig.dir.join('strange-restic')
    fs.writeFileSync(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    return resticEngine({ stateMark: mark, program })
  }

  it.each([
    ['does not exist', '', 'config'],
    ['is too old', 'echo restic 0.12.1', 'version'],
    ['says nothing', 'exit 0', 'version'],
    [
      'pours out garbage and is content',
      'case $1 in version) echo restic 0.18.0;; *) head -c 300000 /dev/urandom;; esac',
      'unknown',
    ],
    ['claims a snapshot that nobody can find', claiming('[]'), 'unknown'],
    ['fails without a word', 'case $1 in version) echo restic 0.18.0;; *) exit 1;; esac', 'unknown'],
    [
      'writes one endless line',
      'case $1 in version) echo restic 0.18.0;; *) yes | head -c 90000000 | tr -d "\\n";; esac',
      'unknown',
    ],
  ])('because it %s saves nothing, says why, and brings nothing down', async (_what, script, code) => {
    await using rig = await EngineRig.open()
    const engine =
      script === '' ? resticEngine({ stateMark: mark, program: '/no/restic' }) : makeEngine(rig, script)
    const access = rig.access('repository')
    const { end } = await rig.run(engine, backupOf(['/etc/hostname'], access))
    expect(end).toMatchObject({ result: 'failed', reason: { code } })
    for (const task of [verifyOf(access), forgetOf(['deadbeef'.repeat(8)], access)])
      expect((await rig.run(engine, task)).end.result).toMatch(/^(success|failed)$/)
    expect((await engine.probe(rig.abort.signal)).available).toBe(code === 'unknown')
    await engine.cleanUp(access, rig.context())
  })
})

function claiming(snapshots: string): string {
  const id = 'deadbeef'.repeat(8)
  return `case $* in version) echo restic 0.18.0;; *config*) echo '{"id":"${id}"}';; *snapshots*) echo '${snapshots}';;
    *) echo '{"message_type":"summary","snapshot_id":"${id}"}';; esac`
}
