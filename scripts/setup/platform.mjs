// What the machine must be, and the places and small helpers that the other set-up steps share.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import path from 'node:path'

/** The oldest Node that can run the set-up. Firn itself runs on the one that the set-up installs. */
const OLDEST_NODE_FOR_SETUP = '20.0.0'

/** npm 9 is what Node 20 came with first; older ones ignore `os` and `cpu` of optional packages in a lock file. */
const OLDEST_NPM = '9.0.0'

/** Root of the checkout. */
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')

/** Folder that the set-up owns: programs it fetched, where all programs are, its lock. Ignored by git. */
export const toolsDir = path.join(root, '.tools')

/** A reason why this machine cannot be set up, in one line that says what to do about it. */
export class SetupError extends Error {
  name = 'SetupError'
}

/** What is wrong with the platform or the running Node, or undefined. Asks no other program: it runs every time. */
export function platformProblem() {
  if (process.platform !== 'linux' && process.platform !== 'darwin') {
    return `Firn runs on Linux (and, for development, macOS); this is ${process.platform}`
  }
  if (!isAtLeast(process.versions.node, OLDEST_NODE_FOR_SETUP)) {
    return `Node ${OLDEST_NODE_FOR_SETUP} or later is needed, this is ${process.versions.node}: https://nodejs.org`
  }
  return undefined
}

/** What is wrong with npm, or undefined. */
export function npmProblem() {
  const { status, stdout } = run('npm', ['--version'])
  if (status !== 0) return 'npm is not in PATH; it comes with Node: https://nodejs.org'
  const version = stdout.trim()
  return isAtLeast(version, OLDEST_NPM)
    ? undefined
    : `npm ${OLDEST_NPM} or later is needed, this is ${version}`
}

/**
 * Whether a version is not older than another; both as "1.2.3", of which as many numbers count as `oldest` has.
 * @param {string} version
 * @param {string} oldest
 */
export function isAtLeast(version, oldest) {
  const have = version.split('.').map(Number)
  for (const [i, want] of oldest.split('.').map(Number).entries()) {
    const number = have[i] ?? 0
    if (number !== want) return number > want
  }
  return true
}

/** Runs a program to its end without a shell, its output captured. A program that is not there has status null. */
export function run(program, args, options = {}) {
  const result = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 26, ...options })
  return { status: result.status, stdout: result.stdout ?? '', stderr: result.stderr ?? '' }
}

/** Tells the person who waits. On stderr: the output of a command that sets up first stays clean. */
export function say(line) {
  process.stderr.write(`setup: ${line}\n`)
}
