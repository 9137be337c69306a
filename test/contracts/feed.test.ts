import { openPublisher } from '../../agent/nats/publisher.ts'
import { memoryFeed } from '../../controller/memory/feed.ts'
import { openFeed } from '../../controller/nats/feed.ts'
import { later } from '../../core/clock.ts'
import { systemClock as clock } from '../../core/clock-system.ts'
import { startOperatorNats } from '../support/nats-operator.ts'
import { silentLog as log } from '../support/silent-log.ts'
import { project } from './feed-values.ts'
import { feedContract } from './feed.ts'

feedContract('in memory', async () => {
  const memory = memoryFeed(clock)
  return {
    server: async (handle, atOnce) => memory.server({ handle, atOnce }),
    publisher: async (client) => memory.publisher(project, client),
    stop: async () => memory.stop(),
    resume: async () => memory.resume(),
    [Symbol.asyncDispose]: async () => {},
  }
})

feedContract('NATS', async () => {
  const nats = await startOperatorNats()
  const { server, operator } = nats
  const shared = { servers: [server.url], clock, log }
  return {
    server: (handle, atOnce) =>
      openFeed({ ...shared, credentials: operator.serverCredentials(), handle, atOnce }),
    publisher: async (client) => {
      const credentials = operator.agentCredentials(project, client, later(clock.now(), 3_600_000))
      return openPublisher({ ...shared, project, client, credentials })
    },
    stop: () => server.kill(),
    resume: () => server.restart(),
    [Symbol.asyncDispose]: () => nats[Symbol.asyncDispose](),
  }
})
