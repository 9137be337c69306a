// The whole product on real processes, for tests that do something to one of them.
import { existsSync, readFileSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect } from 'vitest'
import { parseJournal } from '../../agent/disk/journal-lines.ts'
import { foldEntries } from '../../agent/work/journal-state.ts'
import { startStack, type Stack, type StackOptions } from '../../scripts/up/stack.ts'
import { toolPath } from '../../scripts/tools.ts'
import { Counter, type CountedOptions, type CountedRun } from './counted.ts'
import { eventually } from './eventually.ts'
import { tempDir, type TempDir } from './temp.ts'

/** A document of whatever shape: a test that looks for what is not there fails. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Loose = any

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly json: Loose
}

/** Generous: it only costs time when the test fails anyway. Milliseconds. */
const waitMs = 90_000

/** How an action of a job is tried: Freezer's names. */
export interface Tries {
  readonly max_retries?: number
  readonly max_retries_interval?: number
  readonly mandatory?: boolean
}

/** A stack with a counter: its agents run any command, and a restic that counts its backups. */
export class TestStack implements AsyncDisposable {
  readonly stack: Stack
  readonly dir: TempDir
  readonly counter: Counter
  /** The restic behind the one that counts. */
  readonly restic: string
  readonly #made = new Set<string>()
  #names = 0

  private constructor(stack: Stack, dir: TempDir, counter: Counter, restic: string) {
    this.stack = stack
    this.dir = dir
    this.counter = counter
    this.restic = restic
  }

  /** `before` is told where the data will lie. */
  static async start(
    options: Omit<StackOptions, 'dataDir' | 'agents'> & {
      readonly agents: number
      /** Laid over every agent's configuration. */
      readonly agentConfig?: object
      readonly before?: (dataDir: string) => Promise<void>
    },
  ): Promise<TestStack> {
    const dir = await tempDir('faults')
    const counter = new Counter(dir.path)
    const restic = toolPath('restic')
    try {
      await options.before?.(dir.join('data'))
      const counting = await counter.restic(restic)
      const agents = Array.from({ length: options.agents }, () => ({
        ...({ commands: 'any', restic: counting, drainSeconds: 2 } as const),
        config: { limits: { parallel: 4 }, ...options.agentConfig },
      }))
      const stack = await startStack({ ...options, dataDir: dir.join('data'), agents })
      return new TestStack(stack, dir, counter, restic)
    } catch (error) {
      await dir[Symbol.asyncDispose]()
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.stop()
    await this.dir[Symbol.asyncDispose]()
  }

  process(name: string) {
    return this.stack.process(name)
  }

  /** Kills processes as a crash does, all at once. */
  async crash(...names: string[]): Promise<void> {
    await Promise.all(names.map((name) => this.process(name).crash()))
  }

  /** Starts processes and waits until they are ready. */
  async start(...names: string[]): Promise<void> {
    const starts = names.map((name) =>
      this.process(name)
        .start()
        .catch((cause: unknown) => {
          throw new Error([String(cause), ...this.process(name).tail()].join('\n'), { cause })
        }),
    )
    await Promise.all(starts)
  }

  /** One request to one of the servers, the first one when nothing else is said. */
  async ask(method: string, where: string, body?: unknown, server = 0): Promise<Answer> {
    const response = await fetch(`${this.stack.urls[server]}${where}`, {
      method,
      headers: { 'x-auth-token': this.stack.token, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    })
    const text = await response.text()
    const json: Loose = text === '' ? undefined : JSON.parse(text)
    return { status: response.status, headers: response.headers, json }
  }

  /** As `ask`, for what must be done. Throws an Error with the answer when it was not. */
  async must(method: string, where: string, body?: unknown, server = 0): Promise<Loose> {
    const answer = await this.ask(method, where, body, server)
    if (answer.status >= 300)
      throw new Error(`${method} ${where}: ${answer.status} ${JSON.stringify(answer.json)}`)
    return answer.json
  }

  /** A job of one client. Answers its id. */
  async job(client: string, actions: readonly object[], server = 0): Promise<string> {
    const id = `job-${++this.#names}`
    await this.must(
      'POST',
      `/v1/jobs/${id}`,
      { client_id: client, job_actions: actions, firn: { autostart: false } },
      server,
    )
    return id
  }

  /** A job that runs the counted command. */
  commandJob(client: string, tries: Tries & CountedOptions = {}, server = 0): Promise<string> {
    const { child, failsFirst = false, ...more } = tries
    const command = this.counter.command({ failsFirst, ...(child === undefined ? {} : { child }) })
    return this.job(client, [{ freezer_action: { action: 'exec', command }, ...more }], server)
  }

  /** A job that saves a folder, so slowly that it takes a while. KiB a second. */
  backupJob(client: string, folder: string, kibPerSecond: number, tries: Tries = {}): Promise<string> {
    const action = { action: 'backup', path_to_backup: folder, upload_limit: `${kibPerSecond}K` }
    return this.job(client, [{ freezer_action: { ...action, backup_name: folder.slice(-40) }, ...tries }])
  }

  /** Starts a job now. Answers the id of its run. */
  async run(job: string, server = 0): Promise<string> {
    const { runs } = await this.must('POST', '/v1/runs', { job_id: job }, server)
    const id = String(runs[0].run_id)
    this.#made.add(id)
    return id
  }

  /** Runs that a session has made count as well. */
  expect(...runs: string[]): void {
    for (const run of runs) this.#made.add(run)
  }

  async look(run: string, server = 0): Promise<Loose> {
    return (await this.must('GET', `/v1/runs/${run}`, undefined, server)) as Loose
  }

  /** Waits until a run is in one of these states. */
  untilState(run: string, states: string | readonly string[], server = 0): Promise<Loose> {
    const wanted = typeof states === 'string' ? [states] : states
    return eventually(
      async () => {
        const found = await this.look(run, server)
        if (!wanted.includes(found.state)) throw new Error(JSON.stringify(found))
        return found
      },
      { withinMs: waitMs, everyMs: 50 },
    )
  }

  /** Waits until the counted command of a run has begun its `attempt`. */
  untilBegun(run: string, attempt = 1): Promise<unknown> {
    return eventually(() => this.counter.of(run).includes(`${attempt} start`), { withinMs: waitMs })
  }

  /** Waits until the counted command of a run has written this, like `1 child`. */
  untilCounted(run: string, what: string): Promise<unknown> {
    return eventually(() => this.counter.all(run).includes(what), { withinMs: waitMs })
  }

  /** Waits until a backup writes to its repository. */
  untilSaving(run: string, server = 0): Promise<unknown> {
    return eventually(
      async () => {
        const { progress } = await this.look(run, server)
        if (!(progress?.done > 0)) throw new Error(JSON.stringify(progress))
        return true
      },
      { withinMs: waitMs, everyMs: 50 },
    )
  }

  /** Starts whatever does not run, and waits until all servers take requests and all agents have their lines. */
  async heal(): Promise<void> {
    for (const process of this.stack.processes.values()) {
      process.kill('SIGCONT')
      await this.start(process.name)
    }
    for (const server of this.stack.urls.keys()) {
      await eventually(
        async () => {
          const { json } = await this.ask('GET', '/readyz', undefined, server)
          return (
            (json.status === 'ok' && json.nats === 'ok') || Promise.reject(new Error(JSON.stringify(json)))
          )
        },
        { withinMs: waitMs },
      )
      for (const client of this.stack.clients) await this.untilLine(client, 'up', server)
    }
  }

  async untilLine(client: string, line: 'up' | 'down', server = 0): Promise<Loose> {
    return await eventually(
      async () => {
        const found = await this.must('GET', `/v1/clients/${client}`, undefined, server)
        return found.firn.line === line && found
      },
      { withinMs: waitMs, everyMs: 50 },
    )
  }

  /** Waits until no agent keeps a report that a server has not called committed. */
  async untilDelivered(): Promise<void> {
    for (const client of this.stack.clients)
      await eventually(
        () => {
          const left = this.undelivered(client)
          if (left.length > 0) throw new Error(`${client} keeps the reports of ${left.join()}`)
          return true
        },
        { withinMs: waitMs },
      )
  }

  /** Attempts of which an agent's journal has the outcome, and no word that a server has it. */
  undelivered(client: string): string[] {
    const file = path.join(this.stateDir(client), 'journal')
    const parsed = parseJournal(existsSync(file) ? readFileSync(file) : Buffer.alloc(0))
    if (parsed.is === 'unknown') throw new Error(`${file} has another format`)
    const { attempts } = foldEntries(parsed.entries)
    return [...attempts].filter(([, { outcome }]) => outcome).map(([key]) => key)
  }

  /** Where the first server takes agents. */
  agentAddress(): { readonly port: number } {
    const config = readFileSync(path.join(this.stack.layout.servers, 'server-1.yaml'), 'utf8')
    return (JSON.parse(config) as { agents: { port: number } }).agents
  }

  /** Starts an agent anew, with these settings in its configuration. */
  async reconfigure(name: string, settings: object): Promise<void> {
    const client = this.stack.clients[Number(name.split('-')[1]) - 1] ?? ''
    const file = path.join(this.stateDir(client), 'agent.yaml')
    await this.process(name).stop()
    const config: object = JSON.parse(await readFile(file, 'utf8'))
    await writeFile(file, JSON.stringify({ ...config, ...settings }))
    await this.start(name)
  }

  /** Locks that lie in the repositories of a client, by the word of restic itself. */
  async locks(client: string): Promise<string[]> {
    const own = path.join(this.stack.layout.repositories, client, 'restic')
    const folders = existsSync(path.join(own, 'config')) ? [own] : []
    expect(folders, `a repository in ${own}`).not.toEqual([])
    return (await readdir(path.join(own, 'locks'))).sort()
  }

  /** The state directory of a client's agent. */
  stateDir(client: string): string {
    return path.join(this.stack.layout.agents, client)
  }

  /** The node's own copy of a run's log: what to read when a run did not end as expected. */
  async log(client: string, run: string): Promise<string> {
    const folder = path.join(this.stateDir(client), 'logs')
    const names = (await readdir(folder, { recursive: true })).filter((name) => name.includes(run))
    const texts = await Promise.all(
      names.map((name) => readFile(path.join(folder, name), 'utf8').catch(() => '')),
    )
    return texts.join('\n').slice(-10_000)
  }

  /** The number of the server that leads, from 0 on. */
  async leader(): Promise<number> {
    const found = await eventually(async () => {
      for (const server of this.stack.urls.keys()) {
        const ready = await this.ask('GET', '/readyz', undefined, server)
        if (ready.json.leader === 'this') return { server }
      }
      return undefined
    })
    return found.server
  }

  /**
   * What has to hold when a fault is over: every run is in a final state, nothing ran twice, no agent keeps a result.
   * Answers the runs.
   */
  async expectAllSettled(server = 0): Promise<CountedRun[]> {
    const runs: CountedRun[] = []
    for (const run of this.#made) runs.push((await this.untilState(run, 'finished', server)) as CountedRun)
    this.counter.expectNothingTwice(runs)
    await this.untilDelivered()
    return runs
  }
}
