// `npm run check`: everything that can be said about the sources without running the product, each check by its name.
// `npm run check -- lint types` runs only these.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { outdatedGeneratedFiles, toolEnvironment } from './proto.ts'

/** The linter of the OpenAPI document would ask the network for a newer one of itself. */
const quiet = { ...toolEnvironment(), REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }

/** What earlier checks found of files that are still the same; a fresh clone has none. */
const cache = 'node_modules/.cache'

/** A check prints what it finds and answers whether all is well. */
type Check = () => boolean

const CHECKS: Record<string, Check> = {
  types: () =>
    succeeds('tsc', '--noEmit', '--incremental', '--tsBuildInfoFile', `${cache}/types.tsbuildinfo`),
  lint: () => succeeds('oxlint', '--deny-warnings'),
  format: () =>
    succeeds('prettier', '--check', '--log-level=warn', '--cache', `--cache-location=${cache}/format`, '.'),
  dependencies: () => succeeds('vitest', 'run', '--reporter=dot', 'test/architecture.test.ts'),
  unused: () => succeeds('knip', '--no-progress', '--no-config-hints'),
  proto: () => succeeds('buf', 'lint'),
  breaking: () => succeeds('buf', 'breaking', '--against', 'test/recorded/protocol-1.binpb'),
  openapi: openApiLintsClean,
  generated: generatedCodeIsUpToDate,
}

const root = path.join(import.meta.dirname, '..')

function succeeds(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { cwd: root, stdio: 'inherit', env: quiet }).status === 0
}

/** The document that a server answers, held against redocly.yaml. */
function openApiLintsClean(): boolean {
  const made = spawnSync(process.execPath, ['scripts/openapi.ts'], {
    ...{ cwd: root, stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 64 * 1024 * 1024 },
  })
  if (made.status !== 0) return false
  const dir = mkdtempSync(path.join(tmpdir(), 'firn-openapi-'))
  try {
    const file = path.join(dir, 'openapi.json')
    writeFileSync(file, made.stdout)
    return succeeds('redocly', 'lint', file, '--config', path.join(root, 'redocly.yaml'))
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function generatedCodeIsUpToDate(): boolean {
  const outdated = outdatedGeneratedFiles()
  if (outdated.length > 0) console.error(`run "npm run gen"; not up to date:\n  ${outdated.join('\n  ')}`)
  return outdated.length === 0
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(CHECKS)
const failed: string[] = []
for (const name of wanted) {
  const check = CHECKS[name]
  if (check === undefined)
    throw new Error(`no check is called ${name}; there are ${Object.keys(CHECKS).join(', ')}`)
  const start = performance.now()
  const ok = check()
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`)
  if (!ok) failed.push(name)
}
if (failed.length > 0) {
  console.error(`\n${failed.length} of ${wanted.length} checks failed: ${failed.join(', ')}`)
  process.exitCode = 1
}
