import type { Agent } from './agent.ts'
import type { Chance } from './kernel/chance.ts'
import { fair } from './kernel/network.ts'
import type { Host, Process } from './kernel/process.ts'
import { brokerHost } from './ports/feed.ts'
import { storeHost } from './ports/store.ts'
import type { Server } from './server.ts'
import type { World } from './world.ts'

/** What may go wrong, by name, and how long it lasts. */
type Fault = (
  world: World,
  chance: Chance,
) => { readonly what: string; readonly forMs: number; readonly mend: () => void }

const nothing = (): void => {}

/** A lease lasts 5 s: pauses of up to three of them, and longer. */
const pauseMs = (chance: Chance): number =>
  chance.pick([2_000, 6_000, 16_000, 40_000]) * chance.between(0.5, 1.1)

function paused(process: Process | undefined, world: World, chance: Chance, what: string) {
  if (!process) return { what: 'nothing', forMs: 0, mend: nothing }
  process.holdsBack = chance.happens(0.5)
  process.pause()
  world.network.changed()
  return {
    what,
    forMs: pauseMs(chance),
    mend: () => {
      process.resume()
      world.network.changed()
    },
  }
}

function cut(world: World, chance: Chance, a: string, b: string) {
  const ways = chance.pick([
    [[a, b]],
    [[b, a]],
    [
      [a, b],
      [b, a],
    ],
  ]) as [string, string][]
  for (const [from, to] of ways) world.network.cut(from, to)
  return {
    what: `cuts ${ways.map((way) => way.join('>')).join(' and ')}`,
    forMs: chance.pick([1_000, 8_000, 30_000, 200_000]) * chance.between(0.3, 1.5),
    mend: () => {
      for (const [from, to] of ways) world.network.heal(from, to)
    },
  }
}

function stepped(host: Host, world: World, chance: Chance, isServer: boolean) {
  const by = chance.happens(0.8) ? chance.between(-90_000, 90_000) : chance.between(-7_200_000, 7_200_000)
  const set = (aheadMs: number): void => {
    world.steppedBackMs = Math.max(world.steppedBackMs, isServer ? host.aheadMs - aheadMs : 0)
    host.aheadMs = aheadMs
    if (isServer) world.aheadMaxMs = Math.max(world.aheadMaxMs, aheadMs)
  }
  set(by)
  return {
    what: `steps the clock of ${host.name} to ${Math.round(by / 1000)} s from true`,
    forMs: chance.between(30_000, 1_800_000),
    mend: () => set(0),
  }
}

const backAfter = (chance: Chance): number =>
  chance.pick([500, 5_000, 40_000, 240_000]) * chance.between(0.5, 1.5)

function killed(server: Server, chance: Chance) {
  server.kill()
  return { what: `kills ${server.host.name}`, forMs: backAfter(chance), mend: () => server.start() }
}

/** A node that its administrator stops: it ends what it has in the time it is given. */
function stopped(agent: Agent, chance: Chance) {
  agent.stop(chance.pick([0, 5_000, 60_000]))
  return {
    what: `stops the agent on ${agent.host.name} in good order`,
    forMs: 130_000,
    mend: () => agent.start(),
  }
}

function agentDown(agent: Agent, chance: Chance) {
  const power = chance.happens(0.4)
  if (power) agent.losePower()
  else agent.kill()
  return {
    what: `${power ? 'takes the power of' : 'kills the agent on'} ${agent.host.name}`,
    forMs: backAfter(chance),
    mend: () => agent.start(),
  }
}

const faults: Readonly<Record<string, Fault>> = {
  killServer: ({ servers }, chance) => killed(chance.pick(servers), chance),
  replaceServer: ({ servers }, chance) => {
    const server = chance.pick(servers)
    server.drain()
    return {
      what: `drains ${server.host.name}`,
      forMs: chance.between(21_000, 60_000),
      mend: () => server.start(),
    }
  },
  pauseServer: (world, chance) => {
    const server = chance.pick(world.servers)
    return paused(server.process, world, chance, `stops ${server.host.name}`)
  },
  pauseAgent: (world, chance) => {
    const agent = chance.pick(world.agents)
    return paused(agent.process, world, chance, `stops the agent on ${agent.host.name}`)
  },
  stopAgent: ({ agents }, chance) => stopped(chance.pick(agents), chance),
  agentDown: ({ agents }, chance) => agentDown(chance.pick(agents), chance),
  storeDown: ({ store }, chance) => {
    store.setDown(true)
    return { what: 'takes the store away', forMs: pauseMs(chance), mend: () => store.setDown(false) }
  },
  brokerDown: ({ broker }, chance) => {
    broker.setDown(true)
    return {
      what: 'takes the broker away',
      forMs: chance.between(5_000, 400_000),
      mend: () => broker.setDown(false),
    }
  },
  cutStore: (world, chance) => cut(world, chance, chance.pick(world.servers).host.name, storeHost),
  cutBroker: (world, chance) =>
    cut(world, chance, chance.pick([...world.servers, ...world.agents]).host.name, brokerHost),
  cutLine: (world, chance) =>
    cut(world, chance, chance.pick(world.servers).host.name, chance.pick(world.agents).host.name),
  loneAgent: (world, chance) => {
    const { name } = chance.pick(world.agents).host
    const others = world.addresses
    for (const other of others) {
      world.network.cut(name, other)
      world.network.cut(other, name)
    }
    return {
      what: `cuts ${name} off from all servers`,
      forMs: chance.between(10_000, 900_000),
      mend: () => {
        for (const other of others) {
          world.network.heal(name, other)
          world.network.heal(other, name)
        }
      },
    }
  },
  stepServer: (world, chance) => stepped(chance.pick(world.servers).host, world, chance, true),
  stepAgent: (world, chance) => stepped(chance.pick(world.agents).host, world, chance, false),
  weather: ({ network }, chance) => {
    network.weather = {
      lost: chance.pick([0, 0.01, 0.05]),
      doubled: chance.pick([0, 0.05, 0.2]),
      slow: chance.pick([0, 0.05, 0.3]),
      verySlow: chance.pick([0, 0, 0.02, 0.1]),
    }
    return {
      what: `makes the weather ${JSON.stringify(network.weather)}`,
      forMs: chance.between(10_000, 900_000),
      mend: () => (network.weather = fair),
    }
  },
  slowFeed: ({ servers }, chance) => {
    const { serving } = chance.pick(servers)
    if (!serving) return { what: 'nothing', forMs: 0, mend: nothing }
    serving.membership.lagMs = chance.between(50, 4_000)
    return {
      what: `lets the feed of ${serving.process.name} lag`,
      forMs: chance.between(10_000, 300_000),
      mend: () => (serving.membership.lagMs = 0),
    }
  },
  fullDisk: ({ agents }, chance) => {
    const { disk, host } = chance.pick(agents)
    const broken = chance.happens(0.5)
    if (broken) disk.isBroken = true
    else disk.isFull = true
    return {
      what: `${broken ? 'breaks' : 'fills'} the disk of ${host.name}`,
      forMs: chance.between(2_000, 200_000),
      mend: () => {
        disk.isBroken = false
        disk.isFull = false
      },
    }
  },
  allServers: ({ servers }, chance) => {
    for (const server of servers) server.kill()
    return {
      what: 'kills all servers',
      forMs: chance.pick([10_000, 300_000, 2_400_000]) * chance.between(0.5, 1.5),
      mend: () => {
        for (const server of servers) server.start()
      },
    }
  },
}

/** Troubles a world, now and then, until a time; then everything is mended. */
export class Troubles {
  readonly #world: World
  readonly #chance: Chance
  readonly #open = new Set<() => void>()
  /** Since when nothing has been wrong; undefined while something is. */
  calmSince: number | undefined = 0

  constructor(world: World) {
    this.#world = world
    this.#chance = world.chance.fork()
  }

  /** `everyMs`: how far apart, on average. */
  plan(from: number, until: number, everyMs: number): void {
    const { timeline } = this.#world
    const kinds = Object.keys(faults)
    // A world has its own few kinds of trouble: those that only meet in long combinations meet sooner.
    const own = kinds.filter(() => this.#chance.happens(0.4))
    const some = own.length > 0 ? own : kinds
    for (let at = from + this.#gap(everyMs); at < until; at += this.#gap(everyMs))
      timeline.at(at, () => this.#begin(this.#chance.pick(some)))
    timeline.at(until, () => this.mendAll())
  }

  /** For a day and more nobody serves, and one node has no power: what was due is too old to be caught up. */
  planOutage(from: number, forMs: number): void {
    const { timeline, servers, agents } = this.#world
    const agent = this.#chance.pick(agents)
    timeline.at(from, () => {
      this.calmSince = undefined
      agent.losePower()
      this.#world.trace(
        'world',
        `takes the power of ${agent.host.name}, and soon all servers, for a day and more`,
      )
    })
    timeline.at(from + this.#chance.between(1_000, 300_000), () => {
      for (const server of servers) server.kill()
    })
    timeline.at(from + forMs, () => this.mendAll())
  }

  /** Everything works again: whoever is down starts. */
  mendAll(): void {
    for (const mend of [...this.#open]) mend()
    this.calmSince = this.#world.timeline.now
    for (const server of this.#world.servers) server.start()
    for (const agent of this.#world.agents) agent.start()
    this.#world.trace('world', 'is whole again')
  }

  #gap(everyMs: number): number {
    return -Math.log(1 - this.#chance.next()) * everyMs
  }

  #begin(kind: string): void {
    const fault = faults[kind]
    if (!fault) throw new Error(`no fault is called ${kind}`)
    const { what, forMs, mend } = fault(this.#world, this.#chance)
    this.#world.trace('world', `${what}, for ${Math.round(forMs / 100) / 10} s`)
    this.calmSince = undefined
    const end = (): void => {
      if (!this.#open.delete(end)) return
      this.#world.trace('world', `mends: ${what}`)
      mend()
      if (this.#open.size === 0) this.calmSince = this.#world.timeline.now
    }
    this.#open.add(end)
    this.#world.timeline.after(forMs, end)
  }
}
