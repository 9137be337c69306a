import { clientId } from '../../core/ids.ts'
import { Agent } from './agent.ts'
import type { Habits } from './engine.ts'
import { Server } from './server.ts'
import { Surroundings, type SurroundingsOptions } from './surroundings.ts'

export interface WorldOptions extends Omit<SurroundingsOptions, 'servers'> {
  readonly servers: number
  readonly agents: number
  readonly habits: Habits
}

/** Servers, agents, store and broker in one process, on a time, a network and disks of their own. */
export class World extends Surroundings {
  readonly servers: readonly Server[]
  readonly agents: readonly Agent[]

  constructor({ servers, agents, habits, ...rest }: WorldOptions) {
    const addresses = named('s', servers)
    super({ ...rest, servers: addresses })
    this.servers = addresses.map((name) => new Server(this, name))
    this.agents = named('n', agents).map((name) => new Agent(this, this.project, clientId(name), habits))
  }
}

const named = (letter: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${letter}${index + 1}`)
