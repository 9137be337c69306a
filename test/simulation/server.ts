import { lineHandler } from '../../controller/lines.ts'
import { keepPresence } from '../../controller/presence.ts'
import { Asks } from '../../controller/reconcile/asks.ts'
import { LineBook } from '../../controller/reconcile/line-book.ts'
import { ProgressBoard } from '../../controller/reconcile/progress-board.ts'
import { Reconciler } from '../../controller/reconcile/reconciler.ts'
import { State } from '../../controller/state/state.ts'
import type { Context } from '../../controller/use-cases/context.ts'
import type { EnrolDeps } from '../../controller/use-cases/enrol.ts'
import { isFault } from '../../core/fault.ts'
import type { ServerId } from '../../core/ids.ts'
import type { Chance } from './kernel/chance.ts'
import type { Host, Process } from './kernel/process.ts'
import { ServerLines } from './ports/lines.ts'
import type { Membership } from './ports/store.ts'
import type { Surroundings } from './surroundings.ts'

/** Reports handled together, as controller/start.ts has it. */
const reportsAtOnce = 256

/** What a request needs of a server that takes requests. */
export interface Serving {
  readonly process: Process
  readonly context: Context
  readonly membership: Membership
}

/** A server's machine, and the server on it, which may be killed, stopped and started: each time as another one. */
export class Server {
  readonly host: Host
  process: Process | undefined
  serving: Serving | undefined
  readonly #world: Surroundings
  readonly #chance: Chance
  #starts = 0
  #isAwaited = false
  #stop: (() => Promise<void>) | undefined

  constructor(world: Surroundings, name: string) {
    this.#world = world
    this.#chance = world.chance.fork()
    this.host = world.hostNamed(name)
  }

  kill(): void {
    this.process?.kill()
    this.process = undefined
    this.serving = undefined
    this.#stop = undefined
    this.#world.network.changed()
  }

  /** As by SIGTERM: it takes no more, hands over, and ends; killed when that takes too long. */
  drain(): void {
    const { process } = this
    const stop = this.#stop
    if (!process || !stop) return this.kill()
    this.serving = undefined
    this.#stop = undefined
    this.#isAwaited = false
    const end = (): void => {
      if (this.process !== process) return
      this.kill()
      if (this.#isAwaited) this.start()
    }
    this.#world.timeline.after(20_000, end)
    process.act(() => {
      stop().then(
        () => this.#world.timeline.after(0, end),
        (error: unknown) => this.#world.bug(`${process.name} could not stop`, error),
      )
    })
  }

  start(): void {
    // One that is about to end is followed by another.
    this.#isAwaited = this.process !== undefined
    if (this.process) return
    const process = this.#world.processOn(`${this.host.name}#${++this.#starts}`, this.host)
    this.process = process
    this.#run(process).catch((error: unknown) => {
      if (!process.isDead) this.#world.bug(`${process.name} could not start`, error)
    })
    this.#world.network.changed()
  }

  /** As controller/start.ts puts a server together. */
  async #run(process: Process): Promise<void> {
    const { clock } = process
    const world = this.#world
    const id = `s-${process.name.replace('#', '-')}` as ServerId
    const membership = world.store.join(process)
    const { backend, leadership } = membership
    const state = new State(backend, clock)
    const lines = new LineBook(clock)
    const context: Context = {
      ...{ state, clock, settings: world.settings },
      sealer: { seal: (secret) => secret, open: (sealed) => sealed },
      secrets: { uuid: () => uuidBy(this.#chance), random: () => 'secret' },
      holdsLine: (project, client) => lines.line(project, client) !== undefined,
    }
    while (!state.loaded) await clock.sleep(50)
    const failed = (key: string, error: unknown): void => {
      if (!isFault(error, 'store_down', 'stale_write', 'fenced')) world.bug(`${process.name} ${key}`, error)
    }
    const reconciler = new Reconciler({
      ...{ context, leadership, server: id, clock, lines, failed },
      monotonicUs: () => Math.round(clock.monotonic() * 1_000),
    })
    const events = { announce: () => undefined, progress: () => undefined }
    const { feed } = world.broker.server(process, (delivery) => reconciler.report(delivery), reportsAtOnce)
    const agents = new ServerLines(
      process,
      id,
      lineHandler({
        ...{ context, reconciler, events, failed },
        asks: new Asks(clock, () => uuidBy(this.#chance)),
        board: new ProgressBoard(),
        enrol: nobodyEnrols,
      }),
    )
    world.exchange.listen(this.host.name, agents)
    const presence = keepPresence(context, { id, agents: this.host.name, http: this.host.name })
    reconciler.wakeAll()
    this.serving = { process, context, membership }
    this.#stop = async () => {
      await Promise.all([leadership[Symbol.asyncDispose](), presence.drain()])
      world.exchange.hangUp(this.host.name, agents)
      await agents.drain()
      presence[Symbol.dispose]()
      await feed[Symbol.asyncDispose]()
      await reconciler[Symbol.asyncDispose]()
      await state[Symbol.asyncDispose]()
      await backend[Symbol.asyncDispose]()
    }
  }
}

const uuidBy = (chance: Chance): string =>
  Array.from({ length: 32 }, () => Math.floor(chance.next() * 16).toString(16)).join('')

const nobodyEnrols: EnrolDeps = {
  ca: '',
  caFingerprint: '',
  issue: () => Promise.reject(new Error('nobody enrols here')),
  natsCredentials: () => '',
  natsServers: () => [],
  agentServers: () => [],
}
