import { startAgentsProcess } from './agents-process.ts'
import { startBareStreams } from './bare-stream.ts'
import { alternate, compared, type Benchmark, type BenchmarkOptions, type Findings } from './figures.ts'
import { startLineServer } from './line-server.ts'
import { nodeName } from './seed.ts'

const processes = 4
const agentsEach = 250
const agents = processes * agentsEach

/** One order to each of many agents and back, against grpc-js alone. */
export const orders: Benchmark = {
  name: 'orders',
  about: `an order to each of ${agents} agents (the agent's own client, ${processes} processes), all accepted, against as many bytes over bare grpc-js streams`,
  run,
}

async function run({ quick, say }: BenchmarkOptions): Promise<Findings> {
  const rounds = quick ? 9 : 31
  await using server = startLineServer()
  await using bare = startBareStreams()
  await using stack = new AsyncDisposableStack()
  const address = await server.ask('listen', undefined)
  const bareAddress = await bare.ask('listen', undefined)
  const sims = Array.from({ length: processes }, () => stack.use(startAgentsProcess()))
  say(`connecting ${agents} agents, and ${agents} bare streams`)
  await Promise.all(
    sims.map(async (sim, nth) => {
      const options = { server: address, tls: 'plain', duty: 'accept', labels: {} } as const
      const clients = Array.from({ length: agentsEach }, (_, n) => nodeName(nth * agentsEach + n))
      await sim.ask('connect', { agents: clients.map((client) => ({ ...options, client })) })
      await sim.ask('connectBare', { address: bareAddress, count: agentsEach })
    }),
  )

  const wrong: string[] = []
  const sizes = await server.ask('sizes', undefined)
  const ours = async (): Promise<number> => {
    const { ms, answers, agents: there } = await server.ask('push', undefined)
    if (there !== agents || answers !== agents)
      wrong.push(`${there} agents gave ${answers} answers to ${agents} orders`)
    return ms
  }
  const limit = (): Promise<number> => bare.ask('push', sizes)
  say('warming up')
  await alternate(3, { ours, limit })
  say(`${rounds} rounds`)
  const measured = await alternate(rounds, { ours, limit })
  for (const sim of sims) wrong.push(...(await sim.ask('takeWrong', undefined)))
  return {
    figures: [
      {
        id: 'order-fan-out',
        what: `order to ${agents} agents, all accepted (${sizes.bytes} B out, ${sizes.answerBytes} B back)`,
        unit: 'ms',
        ...compared(measured.ours, measured.limit),
        expected: { atMost: 1.5 },
      },
    ],
    wrong,
  }
}
