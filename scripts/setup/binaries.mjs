// The external programs that Firn runs: from PATH where the version will do, else out of Debian's packages, unpacked
// inside the checkout without root. `.tools/paths.json` says where each one is.
import fs from 'node:fs'
import path from 'node:path'
import { fetchDebianPackages, hasApt } from './debian.mjs'
import { SetupError, isAtLeast, run, say, toolsDir } from './platform.mjs'

const PATHS_FILE = path.join(toolsDir, 'paths.json')
const BIN_DIR = path.join(toolsDir, 'bin')

/**
 * Each program with the oldest version that will do (the oldest that Firn's tests have run with, or that has what it
 * needs), how it tells its version, and Debian's package for it.
 */
const PROGRAMS = [
  { name: 'etcd', oldest: '3.4', versionArgs: ['--version'], debian: 'etcd-server' },
  { name: 'etcdctl', oldest: '3.4', versionArgs: ['version'], debian: 'etcd-client' },
  { name: 'nats-server', oldest: '2.9', versionArgs: ['--version'], debian: 'nats-server' },
  { name: 'restic', oldest: '0.14', versionArgs: ['version'], debian: 'restic' },
]

/** The programs without a known and existing path. */
export function missingBinaries() {
  const paths = knownPaths()
  return PROGRAMS.filter(({ name }) => !paths[name] || !fs.existsSync(paths[name]))
}

/** Finds or fetches the missing ones and writes down where they are. */
export async function installBinaries() {
  const missing = missingBinaries()
  if (missing.length === 0) return
  const paths = knownPaths()
  const absent = []
  for (const program of missing) {
    const found = findInPath(program)
    if (found) paths[program.name] = found
    else absent.push(program)
  }
  if (absent.length > 0) Object.assign(paths, fetchPrograms(absent))
  const temporary = `${PATHS_FILE}.${process.pid}`
  fs.writeFileSync(temporary, `${JSON.stringify(paths, null, 2)}\n`)
  fs.renameSync(temporary, PATHS_FILE)
}

function knownPaths() {
  try {
    return JSON.parse(fs.readFileSync(PATHS_FILE, 'utf8'))
  } catch {
    return {}
  }
}

function findInPath(program) {
  // Debian keeps nats-server in /usr/sbin, which only root has in PATH.
  for (const dir of [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin']) {
    const file = path.resolve(dir, program.name)
    if (dir !== '' && fs.existsSync(file) && isUsable(program, file)) return file
  }
  return undefined
}

function isUsable({ oldest, versionArgs }, file) {
  const version = run(file, versionArgs, { env: { ...process.env, ETCDCTL_API: '3' }, timeout: 10_000 })
  const number = /\d+\.\d+(\.\d+)?/.exec(version.stdout + version.stderr)?.[0]
  return number !== undefined && isAtLeast(number, oldest)
}

function fetchPrograms(programs) {
  const names = programs.map(({ name }) => name).join(', ')
  if (!hasApt()) throw new SetupError(howToInstall(programs))
  say(`fetching ${names} from Debian's packages ...`)
  fs.mkdirSync(BIN_DIR, { recursive: true })
  const unpacked = fetchDebianPackages(programs.map(({ debian }) => debian))
  const paths = {}
  try {
    for (const program of programs) {
      const file = path.join(BIN_DIR, program.name)
      fs.copyFileSync(packagedFile(unpacked, program), `${file}.new`)
      fs.chmodSync(`${file}.new`, 0o755)
      fs.renameSync(`${file}.new`, file)
      if (!isUsable(program, file)) {
        throw new SetupError(`this Debian's ${program.debian} is too old; ${howToInstall([program])}`)
      }
      paths[program.name] = file
    }
  } finally {
    fs.rmSync(unpacked, { recursive: true, force: true })
  }
  return paths
}

function packagedFile(unpacked, { name, debian }) {
  const file = ['usr/bin', 'usr/sbin']
    .map((dir) => path.join(unpacked, dir, name))
    .find((it) => fs.existsSync(it))
  if (!file) throw new SetupError(`Debian's package ${debian} has no ${name}`)
  return file
}

function howToInstall(programs) {
  const list = programs.map(({ name, oldest }) => `${name} ${oldest} or later`).join(', ')
  const how = process.platform === 'darwin' ? ' (brew install etcd nats-server restic)' : ''
  return `install ${list} in PATH${how}, then run this again`
}
