import { Fault, isFault } from '../../core/fault.ts'
import { userId, type JobId } from '../../core/ids.ts'
import type { Caller, Context } from '../../controller/use-cases/context.ts'
import type { Chance } from './kernel/chance.ts'
import type { Process } from './kernel/process.ts'
import type { World } from './world.ts'

/** A request that has no answer by then is given up. Milliseconds. */
const withinMs = 8_000
/** How often a request is made anew, at other servers, before its user lets it be. */
const triesMax = 12

/** What users were told, for the checker to hold the servers to. */
export class Promises {
  /** Jobs that were acknowledged as stopped, until a start of them is asked for. */
  readonly stopped = new Set<JobId>()
  /** Jobs of which nobody can say: a start was asked for that nobody answered, and may still arrive. */
  readonly unsure = new Set<JobId>()
}

/** Somebody who sends requests to one server after the other until one answers. */
export class User {
  readonly promises = new Promises()
  readonly caller: Caller
  readonly #world: World
  readonly #chance: Chance
  readonly #process: Process
  readonly #turns = new Map<JobId, Promise<void>>()

  constructor(world: World) {
    this.#world = world
    this.#chance = world.chance.fork()
    this.#process = world.processOn('user', world.hostNamed('user'))
    this.caller = { project: world.project, user: userId('u1'), userName: 'u1', role: 'admin' }
  }

  /**
   * Asks until a server answers. Resolves with whether one did; `lost` is told of each try that nobody answered, for it may
   * still be done. A request that is refused is answered.
   */
  async ask(
    what: string,
    work: (context: Context) => Promise<unknown>,
    lost: () => void = () => {},
  ): Promise<boolean> {
    for (let tries = 0; tries < triesMax; tries++) {
      const outcome = await this.#try(what, work)
      if (outcome === 'done') return true
      if (outcome === 'refused') return false
      if (outcome === 'lost') lost()
      await this.#process.clock.sleep(this.#chance.between(200, 5_000))
    }
    return false
  }

  async #try(
    what: string,
    work: (context: Context) => Promise<unknown>,
  ): Promise<'done' | 'refused' | 'lost' | 'nobody'> {
    const server = this.#chance.pick(this.#world.servers)
    const { serving } = server
    if (!serving) return 'nobody'
    try {
      await this.#world.network.call(this.#process, server.host.name, { withinMs, code: 'timeout' }, () =>
        inProcess(serving.process, () => work(serving.context)),
      )
      this.#world.trace('user', `${what}: done by ${serving.process.name}`)
      return 'done'
    } catch (error) {
      if (!isFault(error)) {
        this.#world.bug(`request ${what}`, error)
        return 'refused'
      }
      this.#world.trace('user', `${what}: ${error.code} ${error.message}`)
      return isFault(error, 'timeout', 'store_down', 'stale_write') ? 'lost' : 'refused'
    }
  }

  stop(job: JobId, work: (context: Context) => Promise<unknown>): void {
    this.#inTurn(job, async () => {
      const done = await this.ask(`stop ${job}`, work)
      if (done && !this.promises.unsure.has(job)) this.promises.stopped.add(job)
    })
  }

  resume(job: JobId, work: (context: Context) => Promise<unknown>): void {
    this.#inTurn(job, async () => {
      this.promises.stopped.delete(job)
      // What was asked for may be done at any later time, unless it was answered.
      await this.ask(`start ${job}`, work, () => this.promises.unsure.add(job))
    })
  }

  /** One request about a job after the other, so that the last answer is what holds. */
  #inTurn(job: JobId, work: () => Promise<void>): void {
    const turn = (this.#turns.get(job) ?? Promise.resolve()).then(work)
    this.#turns.set(job, turn)
  }
}

/** What a server does for a request, as long as it lives; a request to one that dies is never answered. */
function inProcess<T>(process: Process, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    if (process.isDead) return reject(new Fault('timeout', 'nobody listens'))
    process.act(() => {
      work().then(
        (value) => process.act(() => resolve(value)),
        (error: unknown) => process.act(() => reject(error as Error)),
      )
    })
  })
}
