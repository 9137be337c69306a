import fs from 'node:fs'
import { utimes } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { runId } from '../../core/ids.ts'
import { manualClock } from '../../test/support/manual-clock.ts'
import { realClock } from '../../test/support/real-clock.ts'
import { tempDir } from '../../test/support/temp.ts'
import { LogFolder, sweep } from './logs.ts'

const bounds = { totalMax: 80_000, ageMax: 2 }
const line = (text: string) => ({ level: 'info', stream: 'stdout', text }) as const

describe("the node's copy of run logs", () => {
  it('has a file of JSON lines for each attempt, for its owner only', async () => {
    await using dir = await tempDir()
    {
      await using logs = new LogFolder(dir.join('logs'), bounds, realClock)
      using log = logs.open(runId('r1'), 2)
      log.write(line('hello'))
    }
    const file = dir.join('logs', 'r1.2.log')
    expect(JSON.parse(fs.readFileSync(file, 'utf8'))).toMatchObject({ level: 'info', text: 'hello' })
    expect(fs.statSync(file).mode & 0o777).toBe(0o600)
  })

  it('cuts a run that says too much, and says how much is missing', async () => {
    await using dir = await tempDir()
    {
      await using logs = new LogFolder(dir.join('logs'), bounds, realClock)
      using log = logs.open(runId('r1'), 1)
      for (let n = 0; n < 500; n++) log.write(line('x'.repeat(100)))
    }
    const text = fs.readFileSync(dir.join('logs', 'r1.1.log'), 'utf8')
    expect(text.length).toBeLessThan(bounds.totalMax / 8 + 200)
    expect(JSON.parse(text.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
      dropped: expect.any(Number) as number,
    })
  })

  it('removes what is too old, then the oldest of what is too much', async () => {
    await using dir = await tempDir()
    const clock = manualClock()
    const files: [string, number, number][] = [
      ['old', 10, 3],
      ['first', 50_000, 1.5],
      ['second', 50_000, 1],
      ['third', 20_000, 0.5],
    ]
    for (const [name, size, days] of files) {
      const file = dir.join(`${name}.log`)
      fs.writeFileSync(file, 'x'.repeat(size))
      const at = (clock.now() - days * 24 * 3_600_000) / 1_000
      await utimes(file, at, at)
    }
    await sweep(dir.path, bounds, clock)
    expect(fs.readdirSync(dir.path).toSorted((a, b) => a.localeCompare(b))).toEqual([
      'second.log',
      'third.log',
    ])
  })

  it('never fails a run: a folder that cannot be written is no reason', async () => {
    await using dir = await tempDir()
    await using logs = new LogFolder(dir.join('logs'), bounds, realClock)
    fs.rmSync(dir.join('logs'), { recursive: true })
    using log = logs.open(runId('r1'), 1)
    log.write(line('into the void'))
  })
})
