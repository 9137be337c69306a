// The npm packages: the product's own, and the checkers in tools/, which are a package of their own because a lock file
// made with a registry that lacks other platforms' builds of them makes `npm ci` fail.
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { SetupError, isAtLeast, npmProblem, root, run, say } from './platform.mjs'

/** The first Node that runs TypeScript sources directly. package.json pins a newer one where the registry has it. */
const OLDEST_NODE_FOR_FIRN = '22.18.0'

const PACKAGE_FOLDERS = [
  { dir: root, what: 'npm packages' },
  { dir: path.join(root, 'tools'), what: 'linter and protobuf compiler' },
]

const DEPENDENCY_FIELDS = ['dependencies', 'devDependencies', 'optionalDependencies', 'overrides']

/** The folders whose node_modules is missing or older than what package.json and the lock file say. */
export function outdatedPackages() {
  return PACKAGE_FOLDERS.filter(({ dir }) => readIfThere(stampFile(dir)) !== fingerprint(dir))
}

/** Installs them. */
export async function installPackages() {
  const outdated = outdatedPackages()
  if (outdated.length === 0) return
  const problem = npmProblem()
  if (problem) throw new SetupError(problem)
  for (const { dir, what } of outdated) {
    say(`installing ${what} ...`)
    // Not `npm ci`: it refuses a lock file without the other platforms' packages and empties node_modules under
    // running programs. --no-save leaves package.json and the lock file as they are. A package's own install script
    // never runs: nothing here needs one.
    const args = ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error']
    const { status, stdout, stderr } = run('npm', [...args, '--include=dev', '--include=optional'], {
      cwd: dir,
      env: environmentForNpm(),
    })
    if (status !== 0) throw new SetupError(`npm install failed in ${dir}:\n${stderr}${stdout}`)
    fs.writeFileSync(stampFile(dir), fingerprint(dir))
  }
}

/** What is wrong with the Node that Firn's own code will run on, or undefined. */
export function pinnedNodeProblem() {
  if (fs.existsSync(path.join(root, 'node_modules/.bin/node'))) return undefined
  if (isAtLeast(process.versions.node, OLDEST_NODE_FOR_FIRN)) return undefined
  return `no pinned Node for ${process.platform} ${process.arch}: install Node ${OLDEST_NODE_FOR_FIRN} or later`
}

function stampFile(dir) {
  return path.join(dir, 'node_modules/.firn-setup')
}

/** Changes when a dependency does, not when a script in package.json does. */
function fingerprint(dir) {
  const manifest = JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8'))
  const hash = createHash('sha256')
  for (const field of DEPENDENCY_FIELDS) hash.update(JSON.stringify(manifest[field] ?? {}))
  hash.update(readIfThere(path.join(dir, 'package-lock.json')) ?? '')
  return `${hash.digest('hex')} ${process.platform}-${process.arch}\n`
}

function readIfThere(file) {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

/** npm started by `npm run` inherits settings of the outer npm, the folder it works in among them. */
function environmentForNpm() {
  const env = { ...process.env }
  for (const name of Object.keys(env)) {
    if (
      name.startsWith('npm_package_') ||
      name.startsWith('npm_lifecycle_') ||
      name === 'npm_config_local_prefix'
    ) {
      delete env[name]
    }
  }
  delete env.NODE_ENV
  return env
}
