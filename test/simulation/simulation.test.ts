// Servers, agents and the store in simulated worlds: two thousand of them, each with its own troubles, and no rule broken in any.
import { spawn } from 'node:child_process'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { mutants } from './mutants.ts'
import { simulate } from './simulate.ts'

/** A bound for what hangs: two thousand worlds take a minute of two processors. */
const withinMs = 600_000

/** As `npm run simulate` does, in processes of its own: there the sources can be counted and changed while they are loaded. */
async function run(...args: string[]): Promise<{ readonly code: number | null; readonly said: string }> {
  const program = path.join(import.meta.dirname, 'main.ts')
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
  return { said: await text(child.stdout), code: await ended }
}

describe('simulated worlds', () => {
  it(
    'go by every rule, two thousand of them',
    async () => {
      const { code, said } = await run('--seeds', '2000')
      console.log(said)
      expect(said).not.toContain('VIOLATION')
      expect(code).toBe(0)
    },
    withinMs,
  )

  it('are the same each time that they are run from the same seed', async () => {
    const tell = async () => {
      const lines: string[] = []
      for (const seed of [1, 2, 3, 4, 5]) await simulate(seed, (...line) => void lines.push(line.join(' ')))
      return lines
    }
    const first = await tell()
    expect(first.length).toBeGreaterThan(300)
    expect(await tell()).toEqual(first)
  })

  it('differ from seed to seed', async () => {
    const [one, other] = [await simulate(11), await simulate(12)]
    expect(one.events).not.toBe(other.events)
  })
})

describe('the checker finds', () => {
  it.each(Object.keys(mutants))(
    'a product with the mistake %s',
    async (mutant) => {
      const { code, said } = await run('--seeds', '2000', '--mutant', mutant)
      expect(said).toContain('VIOLATION')
      expect(said).toContain(`--mutant ${mutant}`)
      expect(code).toBe(1)
    },
    withinMs,
  )
})
