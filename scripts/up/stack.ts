// Everything that Firn needs, on this machine: etcd, NATS, servers and agents as processes of their own.
import { randomBytes } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Api } from '../../cli/http.ts'
import { openAuthority } from '../../controller/security/ca.ts'
import { systemClock } from '../../core/clock-system.ts'
import { toolPath, type Tool } from '../tools.ts'
import { agentRecipe, clientOf, enrolOnce, stateDirOf, type AgentBase, type AgentOptions } from './agents.ts'
import { clientAccess, etcdRecipes, type Door, type EtcdAccess, type EtcdMember } from './etcd.ts'
import { Guard } from './guard.ts'
import { openLayout, ownToken, rememberedPorts, type Layout } from './layout.ts'
import { natsRecipe } from './nats.ts'
import { freePort, isFree } from './ports.ts'
import { Problem } from './problem.ts'
import { endProcesses, stackVariable, type Marks } from './processes.ts'
import { StackProcess, type Crash, type Recipe } from './process.ts'
import { removeFolder } from './remove.ts'
import { allWritten, replaceFile } from './replace.ts'
import { serverRecipe } from './server.ts'
import { together } from './together.ts'

export interface StackOptions {
  /** Where everything lies; made when it is not there. */
  readonly dataDir: string
  /** Of the first server, on 127.0.0.1; any free one when left out. */
  readonly restPort?: number
  /** 1 when left out. */
  readonly servers?: number
  /** Members of etcd; 1 when left out. Several are called `etcd-1`, `etcd-2` … */
  readonly etcdMembers?: number
  /** How many, or each as it should be; 3 when left out. */
  readonly agents?: number | readonly AgentOptions[]
  /** The project that token and agents belong to; `main` when left out. */
  readonly project?: string
  /** Of servers and agents; `info` when left out. */
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error'
  /** Laid over every server's configuration. */
  readonly serverConfig?: Readonly<Record<string, unknown>>
  /** More arguments for etcd. */
  readonly etcdArgs?: readonly string[]
  /** More variables for every process. */
  readonly env?: Readonly<Record<string, string>>
  /** Still more variables for one process. */
  readonly envOf?: (name: string) => Readonly<Record<string, string>>
  /**
   * Told a port that others are to reach, by what listens there (`etcd-1 peer`, `nats`, `server-1 agents`): answers the port
   * that they are given instead, a proxy's for example. REST is reached directly.
   */
  readonly through?: (what: string, port: number) => Promise<number>
  /** A folder that goes when the stack does, also when this process is killed. */
  readonly remove?: string
  /** Gives up the start. */
  readonly signal?: AbortSignal
  /** Told what is being done, a few words at a time. */
  readonly say?: (text: string) => void
  /** Told when a process ended that nobody asked to; what then is the caller's choice. */
  readonly crashed?: (crash: Crash) => void
}

/** A running stack. Disposing stops it. */
export interface Stack extends AsyncDisposable {
  /** REST API of the first server. */
  readonly url: string
  /** Of all servers. */
  readonly urls: readonly string[]
  /** The administrator's. */
  readonly token: string
  readonly project: string
  /** Ids of the agents' clients. */
  readonly clients: readonly string[]
  readonly etcd: EtcdAccess
  readonly nats: string
  readonly layout: Layout
  /** By name: `etcd` (or `etcd-1` …), `nats`, `server-1` …, `agent-1` … */
  readonly processes: ReadonlyMap<string, StackProcess>
  /** Environment for a helper process that has to go with the stack. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Name → pid of everything that runs, the watchdog included. */
  pids(): Record<string, number>
  /** One of `processes`. Throws an Error when there is none. */
  process(name: string): StackProcess
  /** Ends everything in order, each with a bounded wait. May be called again. */
  stop(say?: (text: string) => void): Promise<void>
}

const requestMs = 10_000

/**
 * Brings a stack up and resolves when everything is ready, agents connected. Data that is there already is used. Throws a
 * Problem; then nothing is left running.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { signal, say = () => {} } = options
  const stack = await OpenStack.open(options)
  try {
    await stack.bringUp(say, signal)
    return stack
  } catch (error) {
    await stack.stop(say)
    throw error
  }
}

class OpenStack implements Stack {
  readonly urls: string[] = []
  readonly project: string
  readonly clients: string[] = []
  readonly processes = new Map<string, StackProcess>()
  readonly env: Readonly<Record<string, string | undefined>>
  readonly layout: Layout
  etcd: EtcdAccess = { endpoints: [], ca: '', certificate: '', key: '' }
  nats = ''
  token = ''
  readonly #options: StackOptions
  readonly #lock: Disposable
  readonly #mark = randomBytes(12).toString('hex')
  readonly #tools: Readonly<Record<Tool, string>>
  readonly #ports: Map<string, number>
  readonly #guard: Guard
  #api: Api | undefined
  #stopping: Promise<void> | undefined

  static async open(options: StackOptions): Promise<OpenStack> {
    const tools = findTools()
    const isShared = agentsOf(options).some(({ uid }) => uid !== undefined)
    const { layout, lock } = await openLayout(path.resolve(options.dataDir), isShared)
    // Not before what an earlier launcher left running is gone.
    if (options.restPort !== undefined && !(await isFree(options.restPort))) {
      lock[Symbol.dispose]()
      throw new Problem(`port ${options.restPort} of 127.0.0.1 is in use: choose another with --port`)
    }
    return new OpenStack(options, layout, lock, tools, await rememberedPorts(layout))
  }

  private constructor(
    options: StackOptions,
    layout: Layout,
    lock: Disposable,
    tools: Readonly<Record<Tool, string>>,
    ports: Map<string, number>,
  ) {
    this.#options = options
    this.layout = layout
    this.#lock = lock
    this.#tools = tools
    this.#ports = ports
    this.project = options.project ?? 'main'
    this.env = { ...process.env, ...options.env, [stackVariable]: this.#mark }
    this.#guard = new Guard(this.#charge(), path.join(layout.logs, 'watchdog.log'))
  }

  get url(): string {
    return this.urls[0] ?? ''
  }

  process(name: string): StackProcess {
    const found = this.processes.get(name)
    if (!found) throw new Error(`no process ${name}: there are ${[...this.processes.keys()].join(', ')}`)
    return found
  }

  pids(): Record<string, number> {
    const running = [...this.processes.values()].flatMap(({ name, pid }): [string, number][] =>
      pid === undefined ? [] : [[name, pid]],
    )
    const { pid } = this.#guard
    return Object.fromEntries([...running, ...(pid === undefined ? [] : [['watchdog', pid] as const])])
  }

  async bringUp(say: (text: string) => void, signal: AbortSignal | undefined): Promise<void> {
    const { layout } = this
    const { servers: serverCount = 1, etcdMembers = 1 } = this.#options
    this.token = await ownToken(layout)
    const taken = new Set<number>(this.#options.restPort === undefined ? [] : [this.#options.restPort])
    const port = async (name: string): Promise<number> => {
      const free = await freePort(this.#ports.get(name), taken)
      taken.add(free)
      this.#ports.set(name, free)
      return free
    }
    const door = async (name: string): Promise<Door> => {
      const own = await port(name)
      return { port: own, reachedAt: (await this.#options.through?.(name, own)) ?? own }
    }
    const members: EtcdMember[] = []
    for (let nth = 1; nth <= etcdMembers; nth++) {
      const name = etcdMembers === 1 ? 'etcd' : `etcd-${nth}`
      members.push({ name, client: await door(name), peer: await door(`${name} peer`) })
    }
    const etcd = await this.#addEtcd(members)
    const nats = await this.#addNats(await door('nats'))
    const servers: StackProcess[] = []
    const addresses: string[] = []
    for (let nth = 1; nth <= serverCount; nth++) {
      const name = `server-${nth}`
      const own = nth === 1 ? this.#options.restPort : undefined
      const restPort = own ?? (await port(name))
      const agents = await door(`${name} agents`)
      addresses.push(`127.0.0.1:${agents.reachedAt}`)
      servers.push(await this.#addServer(name, restPort, agents))
    }
    await replaceFile(layout.portsFile, JSON.stringify(Object.fromEntries(this.#ports)))
    // Servers wait for etcd themselves; their own start takes as long as etcd's.
    say(`starting etcd, NATS and ${serverCount === 1 ? 'the server' : `${serverCount} servers`}`)
    await together(
      [...etcd, nats, ...servers].map((it) => (either) => it.start(either)),
      signal,
    )
    await this.#startAgents(addresses, say, signal)
  }

  stop(say: (text: string) => void = () => {}): Promise<void> {
    this.#stopping ??= this.#stop(say)
    return this.#stopping
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #addEtcd(members: readonly EtcdMember[]): Promise<StackProcess[]> {
    const { recipes, access } = await etcdRecipes(this.layout, members, {
      program: this.#tools.etcd,
      env: this.env,
      moreArgs: this.#options.etcdArgs ?? [],
    })
    this.etcd = access
    return recipes.map((recipe) => this.#add(recipe))
  }

  async #addNats({ port, reachedAt }: Door): Promise<StackProcess> {
    this.nats = `nats://127.0.0.1:${reachedAt}`
    return this.#add(
      await natsRecipe(this.layout, port, { program: this.#tools['nats-server'], env: this.env }),
    )
  }

  async #addServer(name: string, restPort: number, agents: Door): Promise<StackProcess> {
    const { layout } = this
    const authority = await openAuthority(layout.controlCa, 'control', systemClock.now())
    const etcdPorts = this.etcd.endpoints.map((endpoint) => Number(new URL(endpoint).port))
    const recipe = await serverRecipe(
      layout,
      {
        ...{ name, restPort, agentPort: agents.port, project: this.project, natsUrl: this.nats },
        ...(agents.port === agents.reachedAt ? {} : { advertise: `127.0.0.1:${agents.reachedAt}` }),
        etcd: await clientAccess(layout, authority, name, etcdPorts),
        logLevel: this.#options.logLevel ?? 'info',
        config: this.#options.serverConfig ?? {},
      },
      { firn: ownFirn, env: this.env },
    )
    this.urls.push(`http://127.0.0.1:${restPort}`)
    return this.#add(recipe)
  }

  async #startAgents(
    servers: readonly string[],
    say: (text: string) => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const wanted = agentsOf(this.#options)
    if (wanted.length === 0) return
    this.#api = new Api({
      ...{ server: this.url, token: this.token, timeoutMs: requestMs, retryMs: 100 },
      signal: new AbortController().signal,
      note: () => {},
    })
    const base: AgentBase = {
      ...{ env: this.env, firn: ownFirn, restic: this.#tools.restic, servers, natsUrl: this.nats },
      ...{ restUrl: this.url, api: this.#api, logLevel: this.#options.logLevel ?? 'info' },
    }
    say(`starting ${wanted.length === 1 ? 'the agent' : `${wanted.length} agents`}`)
    const agents: StackProcess[] = []
    for (const [index, options] of wanted.entries()) {
      agents.push(this.#add(await agentRecipe(this.layout, index + 1, options, base)))
      this.clients.push(clientOf(options, index + 1))
    }
    this.#tellGuard()
    await together(
      agents.map((agent, index) => async (either: AbortSignal) => {
        await enrolOnce(this.layout, index + 1, wanted[index] ?? {}, base)
        await agent.start(either)
      }),
      signal,
    )
  }

  #add(recipe: Recipe): StackProcess {
    const added = new StackProcess(
      { ...recipe, env: { ...recipe.env, ...this.#options.envOf?.(recipe.name) } },
      () => this.#tellGuard(),
      (crash) => this.#options.crashed?.(crash),
    )
    this.processes.set(added.name, added)
    return added
  }

  #marks(): Marks {
    return {
      stack: this.#mark,
      states: this.clients.map((client) => realPathOf(stateDirOf(this.layout, client))),
      started: [...this.processes.values()].flatMap(({ identity, kind }) =>
        identity === undefined ? [] : [{ ...identity, isAgent: kind === 'agent' }],
      ),
    }
  }

  #charge() {
    const { remove } = this.#options
    return { marks: this.#marks(), ...(remove === undefined ? {} : { remove }) }
  }

  #tellGuard(): void {
    const charge = this.#charge()
    this.#guard.tell(charge)
    // Read only when launcher and watchdog were killed together.
    void replaceFile(this.layout.marksFile, JSON.stringify(charge.marks)).catch(() => {})
  }

  async #stop(say: (text: string) => void): Promise<void> {
    const running = [...this.processes.values()].filter(({ isRunning }) => isRunning)
    for (const [kind, words] of stopOrder) {
      const those = running.filter((it) => it.kind === kind)
      if (those.length === 0) continue
      say(`waiting for ${words(those.length)}`)
      await Promise.all(those.map((it) => it.stop()))
    }
    this.#api?.close()
    const left = await endProcesses({ ...this.#marks(), started: [] })
    if (left.length > 0) say(`still there: ${left.map(({ pid }) => pid).join(', ')}`)
    await allWritten()
    await this.#guard.end()
    await rm(this.layout.marksFile, { force: true })
    this.#lock[Symbol.dispose]()
    if (this.#options.remove !== undefined) removeFolder(this.#options.remove)
  }
}

const stopOrder: readonly (readonly [StackProcess['kind'], (count: number) => string])[] = [
  ['agent', (count) => (count === 1 ? 'the agent' : `${count} agents`)],
  ['server', (count) => (count === 1 ? 'the server' : `${count} servers`)],
  ['nats', () => 'NATS'],
  ['etcd', () => 'etcd'],
]

/** How this checkout's own command line is run. */
const ownFirn = [
  process.execPath,
  fileURLToPath(new URL('../../cli/firn.mjs', import.meta.url)),
] as const satisfies readonly [string, ...string[]]

const agentsOf = ({ agents = 3 }: StackOptions): readonly AgentOptions[] =>
  typeof agents === 'number' ? Array.from({ length: agents }, () => ({})) : agents

function findTools(): Record<Tool, string> {
  try {
    const [etcd, etcdctl, nats, restic] = (['etcd', 'etcdctl', 'nats-server', 'restic'] as const).map(
      toolPath,
    )
    return { etcd: etcd ?? '', etcdctl: etcdctl ?? '', 'nats-server': nats ?? '', restic: restic ?? '' }
  } catch (error) {
    throw new Problem((error as Error).message, [], error)
  }
}

function realPathOf(dir: string): string {
  try {
    return realpathSync(dir)
  } catch {
    return dir
  }
}
