// `npm test`: every test, with branch coverage enforced for the pure folders, and at the end one line that counts them.
// `npm test -- path ...` runs only what vitest finds under these arguments, without coverage. With `--with-clients` in front,
// the real clients of the published APIs follow, and count as well; with `--clients`, only these are run.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { PROVEN_SKIP } from '../test/support/skip.ts'

const root = path.join(import.meta.dirname, '..')
const vitest = path.join(root, 'node_modules/vitest/vitest.mjs')

/** Folders of pure decisions, whose branches must be covered by their own tests; the same as in vitest.config.ts. */
const PURE_FOLDERS = ['core', 'controller/plan']

/** The part of vitest's JSON report that is read here. */
interface Report {
  testResults: { name: string; status: string; assertionResults: TestResult[] }[]
}

interface TestResult {
  fullName: string
  status: string
  meta: Record<string, unknown>
}

interface Counts {
  passed: number
  failed: number
  skipped: number
}

interface Ran {
  ok: boolean
  counts: Counts
}

function runVitest(args: string[]): Ran {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'firn-report-'))
  const file = path.join(dir, 'report.json')
  try {
    const reporting = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
    const { status } = spawnSync(process.execPath, [vitest, 'run', ...reporting, ...args], {
      cwd: root,
      stdio: 'inherit',
    })
    return { ok: status === 0, counts: count(readReport(file)) }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** A vitest that could not run at all writes no report, and said why. */
function readReport(file: string): Report {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Report) : { testResults: [] }
}

/** With CI=true a skipped test counts as failed, unless it proved that the kernel cannot do what it needs. */
function count({ testResults }: Report): Counts {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const file of testResults) {
    for (const test of file.assertionResults) {
      if (test.status === 'passed') counts.passed++
      else if (test.status === 'failed') counts.failed++
      else if (process.env['CI'] !== 'true' || test.meta[PROVEN_SKIP] !== undefined) counts.skipped++
      else {
        console.error(`skipped without proof: ${file.name}: ${test.fullName}`)
        counts.failed++
      }
    }
    // A file that does not even load has no tests.
    if (file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'))
      counts.failed++
  }
  return counts
}

function runAll(): Ran[] {
  return [
    runVitest([...PURE_FOLDERS.map((folder) => path.join(root, folder, '/')), '--coverage']),
    runVitest(PURE_FOLDERS.map((folder) => `--exclude=${folder}/**`)),
  ]
}

const runClients = (args: string[]): Ran => runVitest(['--config', 'vitest.clients.config.ts', ...args])

const [first, ...rest] = process.argv.slice(2)
const runs =
  first === undefined
    ? runAll()
    : first === '--clients'
      ? [runClients(rest)]
      : first === '--with-clients'
        ? [...runAll(), runClients(rest)]
        : [runVitest([first, ...rest])]

const sum = (what: keyof Counts) => runs.reduce((total, { counts }) => total + counts[what], 0)
const skipped = sum('skipped') > 0 ? `, ${sum('skipped')} skipped` : ''
console.log(`\n${sum('passed')} passed, ${sum('failed')} failed${skipped}`)
if (sum('failed') > 0 || runs.some(({ ok }) => !ok)) process.exitCode = 1
