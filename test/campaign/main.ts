// `npm run campaign`: see docs/campaign.md.
import { rmSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { campaign } from './campaign.ts'
import { chanceOf, faultNames, rounds, type FaultName } from './rounds.ts'
import { isWrong, summaryOf, textOfSummary } from './summary.ts'
import { noClocks, noFailingFsync, noSmallDisks } from './tools.ts'

const usage = `usage: npm run campaign -- [--minutes N] [--seed N] [--fault NAME]... [--json FILE] [--keep]
  faults: ${faultNames.join(', ')}`

interface Arguments {
  readonly minutes: number
  readonly seed: number
  readonly faults: readonly FaultName[]
  readonly json: string | undefined
  readonly keep: boolean
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
      fault: { type: 'string', multiple: true, default: [...faultNames] },
      json: { type: 'string' },
      keep: { type: 'boolean', default: false },
    },
  })
  const [minutes, seed] = [Number(values.minutes), Number(values.seed)]
  if (!(minutes > 0 && minutes <= 24 * 60)) throw new Error('--minutes must be a number from 0 to 1440')
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error('--seed must be a whole number')
  const faults = values.fault.map((name) => {
    const known = faultNames.find((one) => one === name)
    if (!known) throw new Error(`--fault must be one of ${faultNames.join(', ')}`)
    return known
  })
  return { minutes, seed, faults, json: values.json, keep: values.keep }
}

/** What cannot be made to go wrong on this machine, and why; it is left out, and said. */
async function impossible(): Promise<ReadonlyMap<FaultName, string>> {
  const [clocks, fsync, disks] = [noClocks(), await noFailingFsync(), await noSmallDisks()]
  const all: [FaultName, string | undefined][] = [
    ['clock', clocks],
    ['fsync', fsync],
    ['full-disk', disks],
  ]
  return new Map(all.flatMap(([name, why]) => (why === undefined ? [] : [[name, why] as const])))
}

async function main(): Promise<number> {
  let given: Arguments
  try {
    given = readArguments()
  } catch (error) {
    process.stderr.write(`campaign: ${(error as Error).message}\n${usage}\n`)
    return 2
  }
  const say = (text: string): void => void process.stderr.write(`· ${text}\n`)
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)))
  const left = await impossible()
  for (const [name, why] of left) say(`skipped: ${name}: ${why}`)
  const chance = chanceOf(given.seed)
  const folder = await mkdtemp(path.join(os.tmpdir(), 'firn-campaign-'))
  say(`seed ${given.seed}, ${given.minutes} minutes, in ${folder}`)
  let isKept = true
  try {
    const outcome = await campaign({
      ...{ folder, chance, say, signal: stop.signal, agents: 6, schedules: 40 },
      lengthMs: given.minutes * 60_000,
      rounds: rounds(
        chance,
        given.faults.filter((name) => !left.has(name)),
      ),
      ...{ clocks: !left.has('clock'), disks: !left.has('full-disk') },
    })
    const summary = summaryOf(outcome, { seed: given.seed, skipped: Object.fromEntries(left) })
    process.stdout.write(textOfSummary(summary))
    if (given.json !== undefined) await writeFile(given.json, `${JSON.stringify(summary, undefined, 2)}\n`)
    isKept = given.keep || isWrong(summary)
    return isWrong(summary) ? 1 : 0
  } catch (error) {
    isKept = !stop.signal.aborted
    process.stderr.write(
      `campaign: ${stop.signal.aborted ? String(stop.signal.reason) : String((error as Error).stack)}\n`,
    )
    return 1
  } finally {
    if (isKept) say(`evidence, logs and all data are in ${folder}`)
    else rmSync(folder, { recursive: true, force: true })
  }
}

process.exitCode = await main()
