// The ports of the simulation keep the same promises as those of the product.
import type { Process as SimulatedProcess } from '../kernel/process.ts'
import { backendContract } from '../../contracts/backend.ts'
import { feedContract } from '../../contracts/feed.ts'
import { project } from '../../contracts/feed-values.ts'
import { Chance } from '../kernel/chance.ts'
import { Network } from '../kernel/network.ts'
import { Process } from '../kernel/process.ts'
import { Timeline } from '../kernel/timeline.ts'
import { Broker } from './feed.ts'
import { Store } from './store.ts'

/** A world whose time goes on by itself. */
function world() {
  const timeline = new Timeline()
  const chance = new Chance(1)
  const network = new Network(timeline, chance.fork())
  const processOn = (name: string): SimulatedProcess =>
    new Process(name, { name, aheadMs: 0 }, timeline, chance.fork(), Date.now())
  return { timeline, chance, network, processOn, stop: timeline.runFreely() }
}

backendContract('simulated', async () => {
  const { network, chance, processOn, stop } = world()
  const store = new Store(network, chance)
  let joined = 0
  return {
    async join() {
      const process = processOn(`s${++joined}`)
      const { backend, leadership } = store.join(process)
      return {
        backend,
        leadership,
        async [Symbol.asyncDispose]() {
          await leadership[Symbol.asyncDispose]()
          await backend[Symbol.asyncDispose]()
        },
      }
    },
    async [Symbol.asyncDispose]() {
      stop()
    },
  }
})

feedContract('simulated', async () => {
  const { network, processOn, stop } = world()
  const broker = new Broker(network, processOn('broker'))
  let joined = 0
  return {
    server: async (handle, atOnce) => broker.server(processOn(`s${++joined}`), handle, atOnce),
    publisher: async (client) => broker.publisher(processOn(client), project, client),
    stop: async () => broker.setDown(true),
    resume: async () => broker.setDown(false),
    async [Symbol.asyncDispose]() {
      // What is still on its way is nobody's.
      setTimeout(stop, 50)
    },
  }
})
