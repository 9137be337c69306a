// Generated code for proto/: what `npm run gen` writes and `npm run check` compares.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const root = path.join(import.meta.dirname, '..')

/** Folder of the generated code, from the root of the checkout. It holds nothing else. */
const GENERATED = 'proto/gen'

/** Generates proto/gen anew; files of messages that are gone disappear. What was there stays when that fails. */
export function generate(): void {
  withFresh((fresh) => {
    rmSync(path.join(root, GENERATED), { recursive: true, force: true })
    cpSync(fresh, path.join(root, GENERATED), { recursive: true })
  })
}

/** The generated files that are not what the .proto files say: changed, missing or left over. */
export function outdatedGeneratedFiles(): string[] {
  return withFresh((fresh) => {
    const expected = readTree(fresh)
    const actual = readTree(path.join(root, GENERATED))
    const names = new Set([...expected.keys(), ...actual.keys()])
    return [...names]
      .filter((name) => expected.get(name) !== actual.get(name))
      .map((name) => path.join(GENERATED, name))
  })
}

/** Calls `use` with a folder of what the .proto files say, which is gone afterwards. Throws an Error when buf cannot say. */
function withFresh<T>(use: (fresh: string) => T): T {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'firn-proto-'))
  try {
    const { status, error } = spawnSync('buf', ['generate', '--output', dir], {
      cwd: root,
      stdio: 'inherit',
      env: toolEnvironment(),
    })
    if (status !== 0) throw new Error('buf generate failed', { cause: error })
    return use(path.join(dir, GENERATED))
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** The environment in which the programs of both package folders are in PATH. */
export function toolEnvironment(): NodeJS.ProcessEnv {
  const bins = ['node_modules/.bin', 'tools/node_modules/.bin'].map((dir) => path.join(root, dir))
  return { ...process.env, PATH: [...bins, process.env['PATH']].join(path.delimiter) }
}

function readTree(dir: string): Map<string, string> {
  let entries
  try {
    entries = readdirSync(dir, { recursive: true, withFileTypes: true })
  } catch {
    return new Map()
  }
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
  return new Map(files.map((file) => [path.relative(dir, file), readFileSync(file, 'utf8')]))
}
