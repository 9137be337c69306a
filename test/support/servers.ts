// Real etcd and nats-server processes on free loopback ports with their data in a temporary folder:
// `await using etcd = await startEtcd()`. Each is a process of its own that tests may stop, freeze and kill.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { openSync, closeSync, readFileSync, writeFileSync } from 'node:fs'
import { toolPath, type Tool } from '../../scripts/tools.ts'
import { eventually } from './eventually.ts'
import { freePorts } from './ports.ts'
import { tempDir, type TempDir } from './temp.ts'

/** A server process under test. */
export interface ServerProcess extends AsyncDisposable {
  /** Where clients reach it: `http://127.0.0.1:PORT` for etcd, `nats://127.0.0.1:PORT` for NATS. */
  readonly url: string
  readonly port: number
  /** The running process's id; undefined while killed. */
  readonly pid: number | undefined
  /** Where it keeps its data and log. */
  readonly dir: string
  /** What it has logged so far. */
  log(): string
  /** Sends a signal: SIGSTOP freezes it, SIGCONT lets it go on. */
  signal(signal: NodeJS.Signals): void
  /** Ends it at once, as a crash does; data and port stay for `restart`. */
  kill(): Promise<void>
  /** Starts it again on the same port and data, and waits until it answers. */
  restart(): Promise<void>
}

/** How a server is started. */
export interface ServerOptions {
  /** More arguments for its command line. */
  args?: string[]
  /** Lines for its configuration file (nats-server only). */
  config?: string
  /** The text of its whole configuration file; its command line then sets nothing (nats-server only). */
  wholeConfig?: (given: { port: number; monitorPort: number; storeDir: string }) => string
}

/** What differs between the two servers. */
interface Recipe {
  tool: Tool
  ports: number
  url(port: number): string
  args(dir: TempDir, ports: number[]): string[]
  /** Whether it is ready to serve; called until it is. */
  isReady(ports: number[]): Promise<boolean>
}

/** A plain single etcd member without TLS. Being alone it needs no patience with an election: short times, quick start. */
export function startEtcd(options: ServerOptions = {}): Promise<ServerProcess> {
  return start({
    tool: 'etcd',
    ports: 2,
    url: (port) => `http://127.0.0.1:${port}`,
    args: (dir, [client = 0, peer = 0]) => [
      ...['--name', 'test', '--data-dir', dir.join('data')],
      ...['--listen-client-urls', `http://127.0.0.1:${client}`],
      ...['--advertise-client-urls', `http://127.0.0.1:${client}`],
      ...['--listen-peer-urls', `http://127.0.0.1:${peer}`],
      ...['--initial-advertise-peer-urls', `http://127.0.0.1:${peer}`],
      ...['--initial-cluster', `test=http://127.0.0.1:${peer}`],
      ...['--heartbeat-interval', '20', '--election-timeout', '200'],
      ...(options.args ?? []),
    ],
    isReady: async ([client]) => (await httpText(`http://127.0.0.1:${client}/health`)).includes('"true"'),
  })
}

/** A plain single nats-server with JetStream. */
export function startNats(options: ServerOptions = {}): Promise<ServerProcess> {
  return start({
    tool: 'nats-server',
    ports: 2,
    url: (port) => `nats://127.0.0.1:${port}`,
    args: (dir, [client = 0, monitor = 0]) => {
      const given = { port: client, monitorPort: monitor, storeDir: dir.join('data') }
      const config = options.wholeConfig?.(given) ?? options.config ?? ''
      writeFileSync(dir.join('nats.conf'), config, { mode: 0o600 })
      if (options.wholeConfig !== undefined) return ['--config', dir.join('nats.conf')]
      return [
        ...['--config', dir.join('nats.conf'), '--addr', '127.0.0.1', '--port', `${client}`],
        ...['--http_port', `${monitor}`, '--jetstream', '--store_dir', dir.join('data')],
        ...(options.args ?? []),
      ]
    },
    isReady: async ([, monitor]) => (await httpText(`http://127.0.0.1:${monitor}/healthz`)).includes('ok'),
  })
}

/** Another process can take a port between its choice and its use; then the server ends and a new one gets new ports. */
const START_ATTEMPTS = 3

async function start(recipe: Recipe): Promise<ServerProcess> {
  for (let attempt = 1; ; attempt++) {
    const ports = await freePorts(recipe.ports)
    const dir = await tempDir(recipe.tool)
    const server = new RunningServer(recipe, ports, dir)
    try {
      await server.restart()
      return server
    } catch (error) {
      const log = server.log()
      await server[Symbol.asyncDispose]()
      if (attempt === START_ATTEMPTS || !log.includes('address already in use')) throw error
    }
  }
}

/** The last resort for a test process that ends without disposing. */
const running = new Set<ChildProcess>()
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')))

class RunningServer implements ServerProcess {
  readonly url: string
  readonly port: number
  readonly dir: string
  readonly #recipe: Recipe
  readonly #ports: number[]
  readonly #temp: TempDir
  readonly #logFile: string
  #child: ChildProcess | undefined

  constructor(recipe: Recipe, ports: number[], temp: TempDir) {
    this.#recipe = recipe
    this.#ports = ports
    this.#temp = temp
    this.#logFile = temp.join('log')
    this.port = ports[0] ?? 0
    this.url = recipe.url(this.port)
    this.dir = temp.path
  }

  get pid() {
    return this.#child?.pid
  }

  log() {
    return readFileSync(this.#logFile, 'utf8')
  }

  signal(signal: NodeJS.Signals) {
    this.#child?.kill(signal)
  }

  async restart() {
    await this.kill()
    const log = openSync(this.#logFile, 'a')
    const child = spawn(toolPath(this.#recipe.tool), this.#recipe.args(this.#temp, this.#ports), {
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    this.#child = child
    running.add(child)
    child.once('exit', () => running.delete(child))
    await eventually(
      async () => {
        if (hasEnded(child)) return true
        return this.#recipe.isReady(this.#ports)
      },
      { withinMs: 30_000, everyMs: 25 },
    )
    if (hasEnded(child)) throw new Error(`${this.#recipe.tool} does not start:\n${this.log()}`)
  }

  async kill() {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || hasEnded(child)) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  async [Symbol.asyncDispose]() {
    await this.kill()
    await this.#temp[Symbol.asyncDispose]()
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

async function httpText(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(1_000) })
  return response.text()
}
