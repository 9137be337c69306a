// `npm run check`: everything that can be said about the sources without running the product, each check by its name.
// `npm run check -- lint types` runs only these.
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { outdatedGeneratedFiles, toolEnvironment } from './proto.ts'

/** A check prints what it finds and answers whether all is well. */
type Check = () => boolean

const CHECKS: Record<string, Check> = {
  types: () => succeeds('tsc', '--noEmit'),
  lint: () => succeeds('oxlint', '--deny-warnings'),
  format: () => succeeds('prettier', '--check', '--log-level', 'warn', '.'),
  dependencies: () => succeeds('vitest', 'run', '--reporter=dot', 'test/architecture.test.ts'),
  unused: () => succeeds('knip', '--no-progress', '--no-config-hints'),
  proto: () => succeeds('buf', 'lint'),
  generated: generatedCodeIsUpToDate,
}

function succeeds(program: string, ...args: string[]): boolean {
  const cwd = path.join(import.meta.dirname, '..')
  return spawnSync(program, args, { cwd, stdio: 'inherit', env: toolEnvironment() }).status === 0
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
