#!/usr/bin/env node
// The `firn` command's first step. Firn's sources are TypeScript that Node runs directly, so this file, plain JavaScript,
// makes sure that a Node runs them that can: this one, or the one that the set-up installed.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import os from 'node:os'
import { fileURLToPath } from 'node:url'

/** The first Node that runs TypeScript sources without a flag. */
const OLDEST_NODE = [22, 18]

const installedNode = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url))
const installedPackages = fileURLToPath(new URL('../node_modules', import.meta.url))

/** Runs the same command line on another Node, and ends as it ends. */
function runOn(node) {
  const child = spawn(node, process.argv.slice(1), { stdio: 'inherit' })
  // A terminal sends Ctrl-C to the child as well: passing it on would tell the child twice.
  const forwarded = process.stdin.isTTY ? ['SIGTERM', 'SIGHUP'] : ['SIGTERM', 'SIGHUP', 'SIGINT']
  for (const signal of forwarded) process.on(signal, () => child.kill(signal))
  if (process.stdin.isTTY) process.on('SIGINT', () => {})
  child.on('error', (error) => fail(`${node} does not start (${error.message})`))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (os.constants.signals[signal] ?? 0)))
}

function fail(problem) {
  console.error(`firn: ${problem}`)
  process.exit(1)
}

function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])
}

if (!existsSync(installedPackages) && existsSync(new URL('../scripts/setup.mjs', import.meta.url))) {
  fail('this checkout is not set up yet: run "npm run setup"')
} else if (isNewEnough(process.versions.node)) {
  await import('./main.ts')
} else if (existsSync(installedNode)) {
  runOn(installedNode)
} else {
  fail(
    `Node ${OLDEST_NODE.join('.')} or later is needed, this is ${process.versions.node}: https://nodejs.org`,
  )
}
