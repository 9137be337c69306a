import fs from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Fault } from '../../../core/fault.ts'
import { memoryDatabases } from '../../../test/support/databases.ts'
import { EngineRig, execOf, verifyOf } from '../../../test/support/engine-rig.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { groupLives, liveProcesses } from '../process/proc.ts'
import { createEngines } from '../registry.ts'
import { execEngine } from './engine.ts'

const sh = (script: string): string[] => ['sh', '-c', script]

describe('commands', () => {
  const engine = execEngine({ stateMark: 'exec-test' })
  let rig: EngineRig

  beforeAll(async () => {
    rig = await EngineRig.open()
  })
  afterAll(() => rig[Symbol.asyncDispose]())

  const logged = (from: number): string[] => rig.log.slice(from).map((line) => line.text)

  it('succeed with exit code 0, get their words unchanged, and what they write is in the log', async () => {
    const from = rig.log.length
    const { end, phases } = await rig.run(engine, execOf([['printf', '%s\\n', 'a b', '$HOME', '*', '|']]))
    expect(end).toMatchObject({
      result: 'success',
      retryable: false,
      stats: { durationMs: expect.any(Number) },
    })
    expect(phases).toEqual(['transfer'])
    expect(logged(from)).toEqual(['a b', '$HOME', '*', '|'])
  })

  it('know which run they are for', async () => {
    const from = rig.log.length
    const names = {
      FIRN_RUN: 'run-a',
      FIRN_JOB: 'job-a',
      FIRN_SLOT: 'at:0',
      FIRN_CLIENT: 'node-a',
      FIRN_ATTEMPT: 'forged',
    }
    await rig.run(engine, execOf([['env']], 60_000, names))
    expect(logged(from)).toEqual(
      expect.arrayContaining([
        'FIRN_RUN=run-a',
        'FIRN_SLOT=at:0',
        'FIRN_CLIENT=node-a',
        'FIRN_ATTEMPT=run-a.1',
      ]),
    )
  })

  it.each([
    [[sh('exit 7')], 'exit_code', 'command 1 of 1 (sh) ended with exit code 7', true],
    [[sh('kill -9 $$')], 'killed', 'command 1 of 1 (sh) ended with SIGKILL', true],
    [[['no-such-program']], 'config', 'command 1: no-such-program cannot be run (ENOENT)', false],
    [[['true'], ['/etc/passwd'], ['cat']], 'config', 'command 2: /etc/passwd cannot be run (EACCES)', false],
    [[sh('exit 3'), ['cat']], 'exit_code', 'command 1 of 2 (sh) ended with exit code 3', true],
    [[['true'], sh('cat; exit 4')], 'exit_code', 'command 2 of 2 (sh) ended with exit code 4', true],
    [[['yes'], sh('read x; exit 5')], 'exit_code', 'command 2 of 2 (sh) ended with exit code 5', true],
    [[['yes'], ['head', '-1']], 'killed', 'command 1 of 2 (yes) ended with SIGPIPE', true],
    [[[]], 'config', 'there is no command', false],
    [[], 'config', 'there is no command', false],
  ])('%j fail as %s', async (commands, code, text, retryable) => {
    const { end } = await rig.run(engine, execOf(commands))
    expect(end).toMatchObject({ result: 'failed', retryable, reason: { code, text } })
  })

  it('are joined as a pipe that carries every byte', async () => {
    const from = rig.log.length
    const size = 5_000_000
    const commands = [['head', '-c', String(size), '/dev/zero'], ['cat'], ['wc', '-c']]
    expect((await rig.run(engine, execOf(commands))).end.result).toBe('success')
    expect(logged(from)).toEqual([String(size)])
  })

  it('that fail do not let the next one take half of the data for the whole', async () => {
    const out = rig.dir.join('half')
    const keep = sh(`cat > ${out}.part && mv ${out}.part ${out}`)
    const { end } = await rig.run(engine, execOf([sh('echo half; sleep 0.2; exit 1'), keep]))
    expect(end).toMatchObject({ result: 'failed', reason: { code: 'exit_code' } })
    expect(fs.existsSync(out)).toBe(false)
    expect((await rig.run(engine, execOf([sh('echo whole'), keep]))).end.result).toBe('success')
    expect(fs.readFileSync(out, 'utf8')).toBe('whole\n')
  })

  it('may open their outputs by path, as scripts do', async () => {
    const from = rig.log.length
    const { end } = await rig.run(engine, execOf([sh('echo out > /dev/stdout; echo err > /dev/stderr')]))
    expect(end.result).toBe('success')
    expect(logged(from).toSorted()).toEqual(['err', 'out'])
  })

  it('leave no descriptor open in the agent', async () => {
    const open = (): number => fs.readdirSync('/proc/self/fd').length
    const before = open()
    for (const commands of [
      [['true'], ['cat']],
      [['false'], ['cat']],
      [['true'], ['no-such-program']],
    ])
      await rig.run(engine, execOf(commands))
    await eventually(() => open() <= before)
  })

  it('are stopped at the time limit, with all that they started', async () => {
    const started = new Set<number>()
    const run = rig.run(engine, execOf([sh('trap "" TERM; sleep 600 & sleep 600 & wait'), ['cat']], 500))
    await eventually(() => rig.running.size === 2)
    for (const pid of rig.running.keys()) started.add(pid)
    expect((await run).end).toMatchObject({
      result: 'failed',
      retryable: true,
      reason: { code: 'over_time' },
    })
    for (const pid of started) expect(groupLives(pid)).toBe(false)
  })

  it('are stopped when asked, with all that they started', async () => {
    const stop = new AbortController()
    const run = rig.run(engine, execOf([sh('sleep 600 & sleep 600 & wait')]), { signal: stop.signal })
    const pid = await eventually(() => [...rig.running.keys()].at(-1))
    await eventually(() => liveProcesses().filter((one) => one.group === pid).length === 3)
    stop.abort(new Fault('cancelled', 'enough'))
    expect((await run).end).toMatchObject({
      result: 'aborted',
      reason: { code: 'cancelled', text: 'enough' },
    })
    expect(groupLives(pid)).toBe(false)
    const never = await rig.run(engine, execOf([['true']]), { signal: stop.signal })
    expect(never.end).toMatchObject({ result: 'aborted' })
  })

  it('that flood the log leave its beginning and its end', async () => {
    const from = rig.log.length
    expect((await rig.run(engine, execOf([['seq', '1', '200000']]))).end.result).toBe('success')
    const lines = logged(from)
    expect(lines.length).toBeLessThan(2_200)
    expect(lines[0]).toBe('1')
    expect(lines).toContain('197900 lines of output are left out here')
    expect(lines.at(-1)).toBe('200000')
  })

  it('that write an endless line do not fill the memory', async () => {
    const from = rig.log.length
    const endless = sh('head -c 50000000 /dev/zero | tr "\\0" x')
    expect((await rig.run(engine, execOf([endless]))).end.result).toBe('success')
    expect(logged(from)).toHaveLength(1)
    expect(logged(from)[0]).toHaveLength(64 * 1024 + 2)
  })

  it('are all that it does', async () => {
    expect((await rig.run(engine, verifyOf(rig.access('none')))).end).toMatchObject({ result: 'failed' })
    await expect(engine.browse(rig.access('none'), '', '/', 1, rig.context())).rejects.toMatchObject({
      code: 'unsupported',
    })
  })
})

it('the registry has every engine under its name', () => {
  const engines = createEngines({ stateMark: 'test', databases: memoryDatabases() })
  expect([...engines].map(([name, engine]) => [name, engine.name])).toEqual([
    ['restic', 'restic'],
    ['sqlite', 'sqlite'],
    ['exec', 'exec'],
  ])
})
