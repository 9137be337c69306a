// The command line as a process of its own, and what it leaves behind.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { eventually } from './eventually.ts'

const firn = path.join(import.meta.dirname, '../../cli/firn.mjs')

/** `firn …` that was started. Disposing kills it. */
export interface Launched extends AsyncDisposable {
  readonly child: ChildProcess
  readonly pid: number
  /** What it has written so far, on both streams. */
  readonly output: string
  /** On standard output alone. */
  readonly stdout: string
  /** Resolves with the exit code once it has ended: 128 and more for a signal. Throws after `withinMs`. */
  ended(withinMs?: number): Promise<number>
}

/** Runs `firn` with these words. */
export function launchFirn(words: readonly string[], env: Record<string, string> = {}): Launched {
  const child = spawn(process.execPath, [firn, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', ...env },
  })
  let output = ''
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
  const end = once(child, 'close')
  return {
    child,
    pid: child.pid ?? 0,
    get output() {
      return output
    },
    get stdout() {
      return stdout
    },
    async ended(withinMs = 60_000) {
      await eventually(() => child.exitCode !== null || child.signalCode !== null, { withinMs })
      await end
      return child.exitCode ?? 128
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await end
    },
  }
}

/** Living processes whose command line or environment names a folder. */
export function processesNaming(folder: string): { pid: number; command: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      try {
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8')
        const environment = readFileSync(`/proc/${name}/environ`, 'utf8')
        const state = /^State:\s+(\w)/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1]
        const isIt = state !== 'Z' && `${command}\0${environment}`.includes(folder)
        return isIt ? [{ pid: Number(name), command: command.replaceAll('\0', ' ') }] : []
      } catch {
        return []
      }
    })
}

/** Whether a process lives, not counting what waits to be reaped. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** The living children of a process. */
export function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isAlive(Number(name)))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/status`, 'utf8').includes(`\nPPid:\t${parent}\n`)
      } catch {
        return false
      }
    })
    .map(Number)
}
