#!/usr/bin/env node
// Makes a fresh clone ready: `node scripts/setup.mjs`. Plain JavaScript without any package, because it runs before
// there are packages and on the machine's own Node (20 or later). Safe to run at any time and twice at once; when all
// is there it only looks.
import { fileURLToPath } from 'node:url'
import { installBinaries, missingBinaries } from './setup/binaries.mjs'
import { withLock } from './setup/lock.mjs'
import { installPackages, outdatedPackages, pinnedNodeProblem } from './setup/packages.mjs'
import { SetupError, platformProblem } from './setup/platform.mjs'

/**
 * Installs whatever is missing: the pinned npm packages and the external programs that Firn runs.
 * @returns {Promise<void>}
 * @throws {SetupError} with one line that says what to do, when this machine cannot run Firn
 */
export async function setup() {
  const problem = platformProblem()
  if (problem) throw new SetupError(problem)
  if (isReady()) return
  await withLock(async () => {
    await installPackages()
    await installBinaries()
  })
  const nodeProblem = pinnedNodeProblem()
  if (nodeProblem) throw new SetupError(nodeProblem)
}

function isReady() {
  return (
    outdatedPackages().length === 0 && missingBinaries().length === 0 && pinnedNodeProblem() === undefined
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await setup()
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    console.error(`setup: ${error.message}`)
    process.exitCode = 1
  }
}
