// Three of everything, six agents, and the network between them: what the faults of a campaign are made on.
import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { startStack, type Stack } from '../../scripts/up/stack.ts'
import { eventually } from '../support/eventually.ts'
import { SmallDisk } from '../support/small-disk.ts'
import { Network } from './network.ts'
import { faketimeFile } from './tools.ts'

/** A document of whatever shape. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Loose = any

export interface StageOptions {
  readonly folder: string
  readonly agents: number
  readonly servers?: number
  readonly etcdMembers?: number
  /** Clocks can be stepped; else every process has the machine's own. */
  readonly clocks: boolean
  /** Some processes keep their data on file systems that can be filled. */
  readonly disks: boolean
  readonly signal?: AbortSignal
  readonly say?: (text: string) => void
}

/** What a process that nobody meant to end said last. */
export interface Ended {
  readonly name: string
  readonly how: string
  readonly tail: readonly string[]
}

/** The agent and the member of etcd whose disks can be filled. */
export const smallDisks = { agent: 'agent-1', etcd: 'etcd-3' } as const
/** An agent's journal is small; etcd sets 64 MB of its log aside at once, twice. Mebibytes. */
const [agentDiskMib, etcdDiskMib] = [16, 256]

const askMs = 5_000
/** Until all is well again after a fault. Bounds what hangs, not what is slow. Milliseconds. */
const wellMs = 120_000

export class Stage implements AsyncDisposable {
  readonly stack: Stack
  readonly network: Network
  readonly disks: ReadonlyMap<string, SmallDisk>
  readonly evidence: string
  readonly program: string
  /** Ended by themselves, since it was last asked. */
  #ended: Ended[] = []
  readonly #clocks: string
  readonly #pids = new Set<number>()

  static async open(options: StageOptions): Promise<Stage> {
    const { folder, agents, clocks, disks: hasDisks } = options
    const at = (name: string): string => path.join(folder, name)
    for (const name of ['evidence', 'clocks']) await mkdir(at(name), { recursive: true })
    // Jobs run from here: the checkout may be on a disk that is slow, or be closed to others.
    cpSync(path.join(import.meta.dirname, 'job.sh'), at('job.sh'))
    const network = new Network()
    const disks = new Map<string, SmallDisk>()
    const ended: Ended[] = []
    const faketime = clocks ? faketimeFile() : undefined
    try {
      if (hasDisks) {
        const data = at('data')
        disks.set(smallDisks.agent, await SmallDisk.mount(path.join(data, 'agents/node-1'), agentDiskMib))
        disks.set(smallDisks.etcd, await SmallDisk.mount(path.join(data, 'etcd/etcd-3'), etcdDiskMib))
      }
      const clock = (name: string): string => path.join(at('clocks'), name)
      for (const kind of ['server', 'agent'])
        for (let nth = 1; nth <= agents; nth++) await writeFile(clock(`${kind}-${nth}`), '+0\n')
      const stack = await startStack({
        ...{ dataDir: at('data'), servers: options.servers ?? 3, etcdMembers: options.etcdMembers ?? 3 },
        agents: Array.from({ length: agents }, (_, nth) => ({
          ...{ commands: 'any' as const, drainSeconds: 2, labels: { side: nth % 2 === 0 ? 'even' : 'odd' } },
          config: { limits: { parallel: 32, parallel_commands: 64 } },
        })),
        // Many processes are started again and again: what was compiled once is kept.
        env: { NODE_COMPILE_CACHE: at('compiled') },
        through: (what, port) => network.through(what, port),
        envOf: (name) => (faketime && /^(server|agent)-/.test(name) ? clockEnv(faketime, clock(name)) : {}),
        crashed: ({ process, how, tail }) => ended.push({ name: process.name, how, tail }),
        ...(options.signal ? { signal: options.signal } : {}),
        ...(options.say ? { say: options.say } : {}),
      })
      return new Stage(stack, network, disks, folder, ended)
    } catch (error) {
      for (const disk of disks.values()) disk[Symbol.dispose]()
      await network[Symbol.asyncDispose]()
      throw error
    }
  }

  private constructor(
    stack: Stack,
    network: Network,
    disks: ReadonlyMap<string, SmallDisk>,
    folder: string,
    ended: Ended[],
  ) {
    this.stack = stack
    this.network = network
    this.disks = disks
    this.evidence = path.join(folder, 'evidence')
    this.program = path.join(folder, 'job.sh')
    this.#clocks = path.join(folder, 'clocks')
    this.#ended = ended
    network.know(() => this.stack.pids())
    this.#notePids()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#notePids()
    this.network.heal()
    for (const process of this.stack.processes.values()) process.kill('SIGCONT')
    await this.stack.stop()
    await this.network[Symbol.asyncDispose]()
    for (const disk of this.disks.values()) disk[Symbol.dispose]()
    removeClockLeftovers(this.#pids)
  }

  /** Names of the processes of a kind. */
  names(kind: 'etcd' | 'nats' | 'server' | 'agent'): string[] {
    return [...this.stack.processes.values()].filter((it) => it.kind === kind).map(({ name }) => name)
  }

  /** What has ended by itself since the last call. */
  takeEnded(): Ended[] {
    return this.#ended.splice(0)
  }

  /** The clock of a server or an agent is so far ahead of the machine's from now on (within a second). */
  async setClock(name: string, aheadMs: number): Promise<void> {
    const seconds = aheadMs / 1_000
    await writeFile(path.join(this.#clocks, name), `${seconds < 0 ? '' : '+'}${seconds}\n`)
  }

  /** One request to one server. Throws when it does not answer in time. */
  async ask(
    server: number,
    method: string,
    where: string,
    body?: unknown,
  ): Promise<{ status: number; json: Loose }> {
    const response = await fetch(`${this.stack.urls[server]}${where}`, {
      method,
      headers: { 'x-auth-token': this.stack.token, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(askMs),
    })
    const text = await response.text()
    return { status: response.status, json: text === '' ? undefined : JSON.parse(text) }
  }

  /** What must be done, at whichever server does it; a request may be made again. Throws once it is refused for good. */
  must(method: string, where: string, body?: unknown): Promise<Loose> {
    let turn = 0
    return eventually(
      async () => {
        const answer = await this.ask(turn++ % this.stack.urls.length, method, where, body)
        if (answer.status < 300) return { json: answer.json }
        throw new Error(`${method} ${where}: ${answer.status} ${JSON.stringify(answer.json)}`)
      },
      { withinMs: wellMs, everyMs: 100 },
    ).then(({ json }) => json as Loose)
  }

  /** The name of the server that leads; undefined when none says so. */
  async leader(): Promise<string | undefined> {
    for (const server of this.stack.urls.keys()) {
      const ready = await this.ask(server, 'GET', '/readyz').catch(() => undefined)
      if (ready?.json?.leader === 'this') return `server-${server + 1}`
    }
    return undefined
  }

  /** Starts whatever does not run. Throws when it does not start. */
  async startAll(): Promise<void> {
    const { processes } = this.stack
    // Those that others wait for first; members of etcd together, as one alone does not get ready.
    for (const kind of ['etcd', 'nats', 'server', 'agent'] as const)
      await Promise.all([...processes.values()].filter((it) => it.kind === kind).map((it) => it.start()))
    this.#notePids()
  }

  /** Waits until every server takes requests and sees every agent's line. Throws after a long while. */
  async untilWell(): Promise<void> {
    for (const server of this.stack.urls.keys())
      await eventually(
        async () => {
          const { json } = await this.ask(server, 'GET', '/readyz')
          if (json.status !== 'ok' || json.nats !== 'ok') throw new Error(JSON.stringify(json))
          const { json: listed } = await this.ask(server, 'GET', '/v1/clients')
          const down = listed.clients.filter(({ firn }: Loose) => firn?.line !== 'up')
          if (down.length > 0)
            throw new Error(
              `server-${server + 1} does not see ${JSON.stringify(down.map((it: Loose) => it.client?.client_id))}`,
            )
          return true
        },
        { withinMs: wellMs, everyMs: 200 },
      )
  }

  #notePids(): void {
    for (const pid of Object.values(this.stack.pids())) this.#pids.add(pid)
  }
}

const clockEnv = (library: string, file: string): Record<string, string> => ({
  LD_PRELOAD: library,
  FAKETIME_TIMESTAMP_FILE: file,
  // The file is read again every second; with each call it would cost too much.
  FAKETIME_CACHE_DURATION: '1',
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
  NO_FAKE_STAT: '1',
})

/** What libfaketime leaves in shared memory of processes that were killed. */
function removeClockLeftovers(pids: ReadonlySet<number>): void {
  const folder = '/dev/shm'
  for (const name of readdirSync(folder)) {
    const [, pid] = /^(?:sem\.)?faketime_\w+?_(\d+)$/.exec(name) ?? []
    if (pid !== undefined && pids.has(Number(pid))) rmSync(path.join(folder, name), { force: true })
  }
}

/** The text of a file, empty when there is none. */
export function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
