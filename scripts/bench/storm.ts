import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../../test/support/eventually.ts'
import { startAgentsProcess, type AgentsProcess } from './agents-process.ts'
import type { Child } from './child.ts'
import { quantile, type Benchmark, type BenchmarkOptions, type Figure, type Findings } from './figures.ts'
import { enrolFleet, fleetLabels, type Member } from './fleet.ts'
import { connectionsFor } from './open-files.ts'
import { atRest } from './proc.ts'
import { documentsOf, startRig, type Rig, type ServerChild } from './rig.ts'
import { sharedUs } from './simulated.ts'

const processes = 4
/** Generous: it only costs time when agents are left out in the cold. Milliseconds. */
const stormMs = 900_000
/** What a storm leaves behind is over by then. Milliseconds. */
const settleMs = 5_000

/** Thousands of agents that connect at one moment. */
export const storm: Benchmark = {
  name: 'storm',
  about: '10,000 agents that connect to one server at one moment (mTLS), and again after it was killed',
  run,
}

async function run({ quick, say }: BenchmarkOptions): Promise<Findings> {
  const agents = await connectionsFor(quick ? 300 : 10_000, say)
  await using rig = await startRig()
  say(`enrolling ${agents} agents`)
  const members = await enrolFleet(rig, agents)
  await using first = await rig.startServer()
  const before = await atRest(first.pid, 1_000)
  await using stack = new AsyncDisposableStack()
  const sims = Array.from({ length: processes }, () => stack.use(startAgentsProcess()))
  say('all connect')
  const cold = await connectAll(sims, first, members)
  const wrong = await notUp(rig, agents)
  say('at rest')
  await sleep(settleMs)
  const rest = await atRest(first.pid, quick ? 3_000 : 10_000)
  say('the server is killed, and started again')
  const killedUs = sharedUs()
  await first.kill()
  await using second = await rig.startServer()
  const startedUs = sharedUs()
  const back = await untilWelcomed(sims, killedUs, startedUs)
  wrong.push(...(await notUp(rig, agents, second)))
  for (const sim of sims) wrong.push(...(await sim.ask('takeWrong', undefined)))
  const figure = (id: string, what: string, unit: string, ours: number): Figure => ({
    ...{ id: `storm-${id}`, what, unit, ours },
  })
  return {
    figures: [
      figure(
        'time',
        `${agents} agents that connect at one moment: until the last is welcomed`,
        's',
        cold.lastMs / 1_000,
      ),
      figure('p50', 'the same, until half of them are', 's', cold.halfMs / 1_000),
      figure('rate', 'the same, welcomed', 'per s', (agents / cold.lastMs) * 1_000),
      figure('tries', 'the same, tries that failed and were repeated', 'tries', cold.failures),
      figure(
        'back',
        'the same, after their server was killed and another is ready: until the last is back',
        's',
        back.lastMs / 1_000,
      ),
      figure(
        'back-tries',
        'the same, tries that failed while no server was there, and after',
        'tries',
        back.failures,
      ),
      figure(
        'memory',
        `server's memory for each of ${agents} agents at rest`,
        'kB',
        ((rest.memoryMiB - before.memoryMiB) * 1_048.576) / agents,
      ),
      figure('cpu', `server's CPU with ${agents} agents at rest`, '% of a core', rest.cpuPercent),
    ],
    wrong,
  }
}

interface Storm {
  readonly halfMs: number
  readonly lastMs: number
  readonly failures: number
}

async function connectAll(
  sims: readonly Child<AgentsProcess>[],
  server: ServerChild,
  members: readonly Member[],
): Promise<Storm> {
  const each = Math.ceil(members.length / sims.length)
  const fromUs = sharedUs()
  await Promise.all(
    sims.map((sim, nth) =>
      sim.ask(
        'storm',
        {
          agents: members.slice(nth * each, (nth + 1) * each).map(({ client, tls }) => ({
            ...{ client, tls, server: server.agents, duty: 'work', labels: fleetLabels, mayLose: true },
          })),
        },
        stormMs,
      ),
    ),
  )
  return untilWelcomed(sims, fromUs, fromUs)
}

/** Waits until all were welcomed since `sinceUs`; times count from `fromUs`. */
async function untilWelcomed(
  sims: readonly Child<AgentsProcess>[],
  sinceUs: number,
  fromUs: number,
): Promise<Storm> {
  const asked = { sinceUs, withinMs: stormMs }
  const told = await Promise.all(sims.map((sim) => sim.ask('untilWelcomed', asked, stormMs + 10_000)))
  const afterMs = told.flatMap(({ welcomedUs }) => welcomedUs.map((at) => (at - fromUs) / 1_000))
  return {
    ...{ halfMs: quantile(afterMs, 0.5), lastMs: quantile(afterMs, 1) },
    failures: told.reduce((sum, { failures }) => sum + failures, 0),
  }
}

interface ClientText {
  readonly line: { readonly is: string }
}

/** Every client's document tells of its line in the end, and the server holds one for each. */
async function notUp(rig: Rig, agents: number, server?: ServerChild): Promise<string[]> {
  const up = async (): Promise<number> => {
    const clients = await documentsOf(rig.connection, 'client')
    return clients.filter(({ text }) => (JSON.parse(text) as ClientText).line.is === 'up').length
  }
  const wrong: string[] = []
  await eventually(async () => (await up()) === agents, { withinMs: 120_000, everyMs: 1_000 }).catch(
    async () => wrong.push(`${await up()} of ${agents} clients are known to be connected`),
  )
  if (!server) return wrong
  const { lines_open: open } = (await (await fetch(`${server.url}/readyz`)).json()) as { lines_open: number }
  if (open !== agents) wrong.push(`the server holds ${open} lines of ${agents} agents`)
  return wrong
}
