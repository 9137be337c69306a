// Notices that the launcher's launcher was killed: npm, or the older Node that runs the newer one.
import { readFileSync } from 'node:fs'
import { lives, nameOf, type ProcessName } from './processes.ts'

const lookEveryMs = 250

/**
 * Calls `gone` once when a process that this one was started through, and that would end with it, is no more. Somebody who
 * starts the launcher from a shell may leave that: only npm and firn's own first step count.
 */
export function onAncestorGone(gone: () => void): Disposable {
  const watched = ancestors()
  if (watched.length === 0) return { [Symbol.dispose]: () => {} }
  const timer = setInterval(() => {
    if (watched.every(lives)) return
    clearInterval(timer)
    gone()
  }, lookEveryMs)
  timer.unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

function ancestors(): ProcessName[] {
  const found: ProcessName[] = []
  for (let pid = process.ppid; pid > 1;) {
    const name = nameOf(pid)
    const words = wordsOf(pid)
    const isFirstStep = words.some((word) => word.endsWith('cli/firn.mjs'))
    const isNpm = process.env['npm_lifecycle_event'] !== undefined && /\bnpm\b|\bnpx\b/.test(words.join(' '))
    const isShellOfNpm = process.env['npm_lifecycle_event'] !== undefined && words[1] === '-c'
    if (name === undefined || !(isFirstStep || isNpm || isShellOfNpm)) break
    found.push(name)
    if (isNpm) break
    pid = parentOf(pid)
  }
  return found
}

function wordsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
