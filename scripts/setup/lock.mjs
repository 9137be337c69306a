// One set-up at a time in a checkout, so that two commands started at once do not install into each other's files.
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SetupError, say, toolsDir } from './platform.mjs'

const LOCK_FILE = path.join(toolsDir, 'lock')

/** A first set-up takes half a minute; a slow network many times that. After this the waiting one gives up. */
const LONGEST_WAIT_MS = 15 * 60_000

/**
 * Runs `body` while no other process of this checkout is in a set-up.
 * @param {() => Promise<void>} body
 */
export async function withLock(body) {
  fs.mkdirSync(toolsDir, { recursive: true })
  await acquire()
  const release = () => fs.rmSync(LOCK_FILE, { force: true })
  const onSignal = () => {
    release()
    process.exit(130)
  }
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
  try {
    await body()
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
    release()
  }
}

async function acquire() {
  const giveUpAt = performance.now() + LONGEST_WAIT_MS
  for (let told = false; !tryAcquire(); told = true) {
    if (performance.now() > giveUpAt)
      throw new SetupError(`another set-up runs for too long; see ${LOCK_FILE}`)
    if (!told) say('waiting for another set-up in this folder')
    await sleep(200)
  }
}

/** Takes the lock if nobody has it, or its owner is dead. The file appears whole (link), so a reader sees a pid. */
function tryAcquire() {
  const mine = `${LOCK_FILE}.${process.pid}`
  fs.writeFileSync(mine, String(process.pid))
  try {
    fs.linkSync(mine, LOCK_FILE)
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    // The next attempt, after what was left behind is gone, comes at once.
    return removeIfOwnerIsDead() && tryAcquire()
  } finally {
    fs.rmSync(mine, { force: true })
  }
}

/** Removes a lock whose owner died; whether it did. */
function removeIfOwnerIsDead() {
  const owner = ownerOf(LOCK_FILE)
  if (owner === undefined || isAlive(owner)) return false
  // Moved aside first and read again: of two that found the owner dead, the slower one may have taken a new lock.
  const aside = `${LOCK_FILE}.dead.${process.pid}`
  try {
    fs.renameSync(LOCK_FILE, aside)
  } catch {
    return false
  }
  if (ownerOf(aside) !== owner) {
    fs.renameSync(aside, LOCK_FILE)
    return false
  }
  fs.rmSync(aside, { force: true })
  return true
}

function ownerOf(file) {
  try {
    return Number(fs.readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
