// Jobs that count themselves: what was done on a node, by the word of what was done.
import { existsSync, readFileSync } from 'node:fs'
import { chmod, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { processStat } from '../../agent/engines/process/proc.ts'

const program = fileURLToPath(new URL('counted-program.ts', import.meta.url))

/** One line that a counted program wrote. */
export interface CountedLine {
  readonly run: string
  readonly attempt: number
  readonly what: 'start' | 'end' | 'child' | 'overlap'
  readonly pid: number
  readonly startTime: string
}

/** What a server says of a run, as far as it can be held against the count. */
export interface CountedRun {
  readonly run_id: string
  readonly attempt: number
  readonly state: string
  readonly result: string | null
}

export interface CountedOptions {
  /** It leaves a child at work, in its process group or in a session of its own. */
  readonly child?: 'same' | 'own'
  /** The first attempt ends at once and badly. */
  readonly failsFirst?: boolean
}

/** A counter file in a folder, and programs that write to it. */
export class Counter {
  readonly #file: string
  readonly #gate: string

  constructor(folder: string, name = 'count') {
    this.#file = path.join(folder, name)
    this.#gate = path.join(folder, `${name}.gate`)
  }

  /** A command that is over when `release` was called. */
  command({ child, failsFirst = false }: CountedOptions = {}): string[] {
    return [
      ...[process.execPath, program, this.#file, '--until', this.#gate],
      ...(child === undefined ? [] : ['--child', child]),
      ...(failsFirst ? ['--fails-first'] : []),
    ]
  }

  /** A restic that writes down each start of a backup, under its own pid, and is `real` in all else. */
  async restic(real: string): Promise<string> {
    const file = `${this.#file}.restic`
    const quoted = [process.execPath, program, this.#file].map((word) => `'${word}'`).join(' ')
    const text = `#!/bin/sh
for word do [ "$word" = backup ] && { ${quoted} --only-start $$ || exit 1; break; }; done
exec '${real}' "$@"
`
    await writeFile(file, text)
    await chmod(file, 0o755)
    return file
  }

  /** Commands that work end. */
  async release(): Promise<void> {
    await writeFile(this.#gate, '')
  }

  /** Commands that begin from now on work until the next `release`. */
  async hold(): Promise<void> {
    await rm(this.#gate, { force: true })
  }

  lines(): CountedLine[] {
    if (!existsSync(this.#file)) return []
    const whole = readFileSync(this.#file, 'utf8').split('\n').slice(0, -1)
    return whole.map((line) => {
      const [run = '', attempt, what, , pid, startTime = ''] = line.split(' ')
      return {
        ...{ run, attempt: Number(attempt), pid: Number(pid), startTime },
        what: what as CountedLine['what'],
      }
    })
  }

  /** The lines of one run, like `1 start`. */
  all(run: string): string[] {
    return this.lines()
      .filter((line) => line.run === run)
      .map(({ attempt, what }) => `${attempt} ${what}`)
  }

  /** Those of the commands themselves, without their children. */
  of(run: string): string[] {
    return this.all(run).filter((line) => !line.endsWith('child'))
  }

  /** Processes that wrote (or were written of) and still live. */
  living(run?: string): number[] {
    return this.lines()
      .filter((line) => run === undefined || line.run === run)
      .filter(({ pid, startTime }) => {
        const stat = processStat(pid)
        return stat !== undefined && stat.state !== 'Z' && stat.startTime.endsWith(`/${startTime}`)
      })
      .map(({ pid }) => pid)
  }

  /** Fails unless every start was ordered, happened once, and nothing of its run was still at work then. */
  expectNothingTwice(runs: readonly CountedRun[]): void {
    const attempts = new Map(runs.map((run) => [run.run_id, run.attempt]))
    const starts = this.lines().filter(({ what }) => what === 'start')
    const names = starts.map(({ run, attempt }) => `${run}.${attempt}`)
    expect(names, 'an attempt began twice').toEqual([...new Set(names)])
    expect(this.lines().filter(({ what }) => what === 'overlap')).toEqual([])
    for (const { run, attempt } of starts)
      expect(attempt, `of run ${run}, which nobody ordered`).toBeLessThanOrEqual(attempts.get(run) ?? 0)
  }
}
