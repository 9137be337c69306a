// `npm run bench`: our figures beside the limits of the parts, from one run on one machine.
// `npm run bench -- NAME…` runs only these; `--quick`, `--json FILE`, `--markdown FILE`, `--list`.
import { mkdtempSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import type { Benchmark, Findings } from './figures.ts'
import { freezer } from './freezer.ts'
import { large } from './large.ts'
import { orders } from './orders.ts'
import { postJobs } from './post-jobs.ts'
import { reads } from './reads.ts'
import { results } from './results.ts'
import { schedules } from './schedules.ts'
import { sessions } from './sessions.ts'
import { starts } from './starts.ts'
import { storm } from './storm.ts'
import { machineFacts } from './machine.ts'
import { tableOf, updateMarkdown, type Results } from './table.ts'

const benchmarks: readonly Benchmark[] = [
  starts,
  postJobs,
  reads,
  freezer,
  large,
  orders,
  sessions,
  results,
  schedules,
  storm,
]

const usage = `npm run bench [-- [--quick] [--json FILE] [--markdown FILE] [NAME…]]
Names: ${benchmarks.map(({ name }) => name).join(', ')}`

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      markdown: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return tell(usage, 0)
  if (values.list)
    return tell(benchmarks.map(({ name, about }) => `${name.padEnd(12)}${about}`).join('\n'), 0)
  const unknown = positionals.find((wanted) => !benchmarks.some(({ name }) => name === wanted))
  if (unknown !== undefined) return tell(`no benchmark is called ${unknown}\n${usage}`, 2)

  const wanted = benchmarks.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  const done: Results['benchmarks'][number][] = []
  for (const { name, run } of wanted) {
    const from = performance.now()
    const say = (text: string): void => console.error(`${name}: ${text}`)
    const findings = await run({ quick: values.quick, say }).catch((error: unknown): Findings => ({
      figures: [],
      wrong: [error instanceof Error ? (error.stack ?? error.message) : String(error)],
    }))
    done.push({ name, seconds: Math.round((performance.now() - from) / 100) / 10, ...findings })
  }
  const results: Results = { machine: await machineFacts(), benchmarks: done }
  console.log(tableOf(results))
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(results, undefined, 2)}\n`)
  if (values.markdown !== undefined) await updateMarkdown(values.markdown, results)
  const wrong = done.flatMap((one) => one.wrong.map((text) => `${one.name}: ${text}`))
  for (const text of wrong) console.error(`WRONG ${text}`)
  return wrong.length > 0 ? 1 : 0
}

function tell(text: string, code: number): number {
  console.log(text)
  return code
}

// Everything that benchmarks write lies in one folder, which goes with this process. What they start goes, too, by handlers of
// theirs that come first: so a signal must be an exit, not a death.
const folder = mkdtempSync(path.join(os.tmpdir(), 'firn-bench-'))
process.env['TMPDIR'] = folder
process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1))
process.exit(await main())
