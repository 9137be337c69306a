// The real clients as processes: their command lines, and their Python API one call at a time.
import { execFile, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { promisify } from 'node:util'
import type { Loose } from '../support/stack.ts'

const bin = path.join(import.meta.dirname, '../../.tools/clients/bin')
const callsProgram = path.join(import.meta.dirname, 'calls.py')

/** Generous: a first start of a command line takes a second or two. Milliseconds. */
const commandMs = 60_000

/** What a program of theirs gets: nothing of the caller's environment, so that no proxy and no OS_ variable gets in. */
export function environmentOf(home: string, more: Readonly<Record<string, string>>): Record<string, string> {
  const PATH = [bin, '/usr/local/bin', '/usr/bin', '/bin'].join(':')
  return { PATH, HOME: home, LC_ALL: 'C.UTF-8', NO_PROXY: '*', ...more }
}

/** The path of a program. Throws an Error that says what to do when there is none. */
export function clientProgram(name: string): string {
  const file = path.join(bin, name)
  if (!existsSync(file)) throw new Error(`${file} is not there: node scripts/clients.mjs makes it`)
  return file
}

/** How a command line ended. */
export interface Said {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command line to its end. */
export async function run(
  program: string,
  words: readonly string[],
  env: Record<string, string>,
): Promise<Said> {
  try {
    const options = { env, timeout: commandMs, cwd: env['HOME'] }
    return { code: 0, ...(await promisify(execFile)(clientProgram(program), words, options)) }
  } catch (error) {
    const { code, stdout, stderr } = error as Partial<Said>
    // What was killed, or could not be started, has no exit code.
    if (typeof code !== 'number') throw error
    return { code, stdout: stdout ?? '', stderr: stderr ?? '' }
  }
}

/** A call that the client answered with an exception. */
export class CallFailed extends Error {
  override readonly name = 'CallFailed'
  /** The client's class of it. */
  readonly type: string
  /** HTTP status, where the client knows one. */
  readonly status: number | null

  constructor(call: string, error: { type: string; status: number | null; message: string }) {
    super(`${call}: ${error.type}: ${error.message}`)
    this.type = error.type
    this.status = error.status
  }
}

/** One Python process with one client object. Disposing ends it. */
export class PythonClient implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: Interface
  readonly #answers: AsyncIterator<string>
  #stderr = ''
  #last: Promise<unknown> = Promise.resolve()

  /** `how` is what calls.py is told. */
  constructor(how: object, env: Record<string, string>) {
    this.#child = spawn(clientProgram('python3'), [callsProgram], {
      env: { ...env, FIRN_CALLS: JSON.stringify(how) },
    })
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text))
    this.#child.stdin.on('error', () => undefined) // it has ended: the missing answer tells
    this.#lines = createInterface(this.#child.stdout)
    this.#answers = this.#lines[Symbol.asyncIterator]()
  }

  /** `call('jobs.create', [doc])`, `call('backups.list', [], { limit: 1 })`. Throws CallFailed. */
  call(name: string, args: readonly unknown[] = [], named: object = {}): Promise<Loose> {
    const answered = this.#last.then(async () => {
      this.#child.stdin.write(`${JSON.stringify({ call: name, args, named })}\n`)
      const { value, done } = await this.#answers.next()
      if (done) throw new Error(`the client ended in ${name}:\n${this.#stderr}`)
      const answer: Loose = JSON.parse(value)
      if (answer.error) throw new CallFailed(name, answer.error)
      return answer.value
    })
    this.#last = answered.catch(() => undefined)
    return answered
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'close')
    this.#child.kill('SIGKILL')
    await ended
  }
}

/** One of their command lines with the variables of one user. It takes words as a person types them: `job-show 4f0c`. */
export class CommandLine {
  readonly #program: string
  readonly #env: Record<string, string>
  readonly #first: string

  /** `first` is what stands before all words. */
  constructor(program: string, env: Record<string, string>, first = '') {
    this.#program = program
    this.#env = env
    this.#first = first
  }

  /** Runs it, whatever its exit code. */
  try(words: string): Promise<Said> {
    return run(this.#program, wordsOf(`${this.#first} ${words}`), this.#env)
  }

  /** Runs it and answers what it has said on both streams. Throws an Error with that when the exit code is not 0. */
  async say(words: string): Promise<string> {
    const { stdout, stderr } = await this.#must(words)
    return stdout + stderr
  }

  /** Runs it and answers the JSON that it prints. Throws an Error as `say` does. */
  async parsed(words: string): Promise<Loose> {
    return JSON.parse((await this.#must(words)).stdout)
  }

  /** `parsed` of what it prints with `-f json`: an object by the names of fields, or a list of rows. */
  json(words: string): Promise<Loose> {
    return this.parsed(`${words} -f json`)
  }

  async #must(words: string): Promise<Said> {
    const said = await this.try(words)
    if (said.code !== 0)
      throw new Error(`${this.#program} ${words}: exit code ${said.code}\n${said.stderr}${said.stdout}`)
    return said
  }
}

/** Split at blanks that do not stand between single quotes, which go. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/(?:'[^']*'|[^\s'])+/g)].map(([word]) => word.replaceAll("'", ''))
