// `npm run simulate -- --seed S` replays one world and tells all that happens in it; `--seeds N [--from F]` runs that many,
// on all processors, and stops at the first that goes wrong. `--mutant NAME` puts a mistake into the product first.
import { spawn } from 'node:child_process'
import os from 'node:os'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { addTo, counting, coverageOf, seen, type Counts } from './coverage.ts'
import { mutants, type Mutant } from './mutants.ts'
import type { Outcome } from './simulate.ts'
import { swapping } from './swaps.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    mutant: { type: 'string' },
    workers: { type: 'string' },
    /** Runs seeds one after the other and tells of them as JSON lines, for the process that started this one. */
    worker: { type: 'boolean', default: false },
  },
})

/** What is told of a world that went wrong: the last of it. Lines. */
const traceShown = 60

interface Told extends Omit<Outcome, 'violation'> {
  readonly violation?: string
}

async function load() {
  const mutant = values.mutant === undefined ? [] : mutants[values.mutant as Mutant]
  if (mutant === undefined) throw new Error(`mutants are ${Object.keys(mutants).join(', ')}`)
  swapping([...counting, ...mutant])
  return import('./simulate.ts')
}

/** What nobody awaits is a mistake of the product, in whichever world it is. */
function noticingRejections(seed: () => number): void {
  process.on('unhandledRejection', (error) => {
    console.error(`seed ${seed()}: a rejection that nobody handles`, error)
    process.exit(1)
  })
}

async function replay(seed: number): Promise<boolean> {
  const { simulate } = await load()
  noticingRejections(() => seed)
  const { violation, ...rest } = await simulate(seed, (at, who, what) =>
    console.log(`${at}  ${who.padEnd(9)} ${what}`),
  )
  console.log(rest)
  if (violation) console.log(`VIOLATION ${violation.message}`)
  return violation === undefined
}

async function work(from: number, count: number, step: number): Promise<void> {
  const { simulate } = await load()
  let now = from
  noticingRejections(() => now)
  for (let n = 0; n < count; n++, now += step) {
    const { violation, ...rest } = await simulate(now)
    console.log(
      JSON.stringify({ ...rest, ...(violation ? { violation: violation.message } : {}) } satisfies Told),
    )
  }
  console.log(JSON.stringify({ seen }))
}

/** Runs many seeds in some processes; stops them all at the first that goes wrong. */
async function runMany(from: number, count: number, workers: number): Promise<boolean> {
  const sum = { worlds: 0, events: 0, starts: 0, simulatedMs: 0 }
  const slots: Counts = {}
  const all: typeof seen = { events: {}, claims: {} }
  const bad: Told[] = []
  const since = performance.now()
  const children = Array.from({ length: workers }, (_, index) => {
    const own = Math.ceil((count - index) / workers)
    const args = ['--worker', '--from', `${from + index}`, '--seeds', `${own}`, '--workers', `${workers}`]
    if (values.mutant !== undefined) args.push('--mutant', values.mutant)
    return spawn(process.execPath, [import.meta.filename, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  })
  const ends = children.map(async (child) => {
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
    for await (const line of createInterface({ input: child.stdout })) {
      const told = JSON.parse(line) as Told | { seen: typeof seen }
      if ('seen' in told) {
        addTo(all.events, told.seen.events)
        addTo(all.claims, told.seen.claims)
        continue
      }
      sum.worlds++
      sum.events += told.events
      sum.starts += told.starts
      sum.simulatedMs += told.simulatedMs
      addTo(slots, told.slots)
      if (told.violation === undefined) continue
      bad.push(told)
      for (const other of children) other.kill()
    }
    const code = await ended
    return code === 0 || bad.length > 0
  })
  const allEnded = (await Promise.all(ends)).every(Boolean)
  const seconds = (performance.now() - since) / 1_000
  console.log(
    `${sum.worlds} worlds, ${Math.round(sum.simulatedMs / 3_600_000)} hours of theirs in ${seconds.toFixed(1)} s: ` +
      `${sum.events} events, ${sum.starts} starts; due slots: ${JSON.stringify(slots)}`,
  )
  const [first] = bad.toSorted((a, b) => a.seed - b.seed)
  if (first) return explain(first)
  console.log(coverageOf(all))
  return allEnded
}

/** A world that went wrong, once more, with the last that happened in it. */
async function explain({ seed, violation }: Told): Promise<false> {
  console.log(`seed ${seed}: VIOLATION ${violation}`)
  const { simulate } = await load()
  const lines: string[] = []
  await simulate(seed, (at, who, what) => {
    lines.push(`${at}  ${who.padEnd(9)} ${what}`)
    if (lines.length > traceShown) lines.shift()
  })
  console.log(lines.join('\n'))
  const mutant = values.mutant === undefined ? '' : ` --mutant ${values.mutant}`
  console.log(`all of it: npm run simulate -- --seed ${seed}${mutant}`)
  return false
}

const seeds = Number(values.seeds ?? 100)
const workers = Math.max(1, Math.min(seeds, Number(values.workers ?? os.availableParallelism())))
if (values.worker) await work(Number(values.from), seeds, workers)
else if (values.seed !== undefined) process.exitCode = (await replay(Number(values.seed))) ? 0 : 1
else process.exitCode = (await runMany(Number(values.from), seeds, workers)) ? 0 : 1
