import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { describe, expect, it, type TestContext } from 'vitest'
import { eventually } from './eventually.ts'
import { freePort, freePorts } from './ports.ts'
import { PROVEN_SKIP, skipWhen, skipWhenKernelCannot } from './skip.ts'
import { tempDir } from './temp.ts'

describe('eventually', () => {
  it('looks again after false, undefined and a failure, and returns what it found', async () => {
    const answers = [false, undefined, new Error('not yet'), 'there']
    const look = () => {
      const answer = answers.shift()
      if (answer instanceof Error) throw answer
      return answer
    }
    expect(await eventually(look, { everyMs: 1 })).toBe('there')
  })

  it('takes 0 and the empty string for found', async () => {
    expect(await eventually(() => 0)).toBe(0)
    expect(await eventually(() => '')).toBe('')
  })

  it('gives up at its bound and says what it saw last', async () => {
    const never = () => Promise.reject(new Error('3 of 4 runs'))
    await expect(eventually(never, { withinMs: 5, everyMs: 1 })).rejects.toThrow('3 of 4 runs')
    await expect(eventually(() => undefined, { withinMs: 0 })).rejects.toThrow('answered undefined')
  })
})

it('a temporary folder is gone with all it holds', async () => {
  let dir: string
  {
    await using temp = await tempDir()
    dir = temp.path
    writeFileSync(temp.join('file'), '')
  }
  expect(existsSync(dir)).toBe(false)
})

it('free ports are different and can be listened on', async () => {
  expect(new Set(await freePorts(20)).size).toBe(20)
  const server = createServer().listen(await freePort(), '127.0.0.1')
  await once(server, 'listening')
  server.close()
})

describe('a skip', () => {
  /** A test's context as far as skipping uses it. */
  function contextStub() {
    const skipped: unknown[] = []
    const context = {
      task: { meta: {} as Record<string, unknown> },
      skip: (note?: string) => skipped.push(note),
    }
    return { context: context as unknown as TestContext, meta: context.task.meta, skipped }
  }

  it('for want of something on this machine fails in CI', () => {
    const { context, skipped } = contextStub()
    const ci = process.env['CI']
    try {
      process.env['CI'] = 'true'
      expect(() => skipWhen(context, 'needs root', true)).toThrow('needs root')
      process.env['CI'] = ''
      skipWhen(context, 'needs root', true)
    } finally {
      if (ci === undefined) delete process.env['CI']
      else process.env['CI'] = ci
    }
    expect(skipped).toEqual(['needs root'])
  })

  it('with the proof that the kernel cannot do it is marked with the proof', async () => {
    const { context, meta, skipped } = contextStub()
    await skipWhenKernelCannot(context, 'no XFS', () => undefined)
    expect(skipped).toEqual([])
    await skipWhenKernelCannot(context, 'no XFS', () => 'mount: unknown filesystem type')
    expect(skipped).toEqual(['no XFS (mount: unknown filesystem type)'])
    expect(meta).toEqual({ [PROVEN_SKIP]: 'mount: unknown filesystem type' })
  })
})
