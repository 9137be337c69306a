import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../../test/support/eventually.ts'
import { startEtcd } from '../../test/support/servers.ts'
import type { AgentsProcess } from './agents-process.ts'
import type { Child } from './child.ts'
import {
  median,
  quantile,
  type Benchmark,
  type BenchmarkOptions,
  type Figure,
  type Findings,
} from './figures.ts'
import { ask, connectFleet, enrolFleet } from './fleet.ts'
import { startPlanner } from './planner-process.ts'
import { atRest } from './proc.ts'
import { startRawLoad, type Document } from './raw-load.ts'
import { recorder } from './recorded.ts'
import { documentsOf, startRig, type Rig, type ServerChild } from './rig.ts'
import { nodeName, storeAll } from './seed.ts'
import { sharedUs } from './simulated.ts'

const processes = 4
const rawInFlight = 64
const asksAtOnce = 16
/** A slot lies so far ahead that all jobs are scheduled before. Milliseconds. */
const aheadMs = 15_000
const roundMs = 300_000
const passes = 5
const settleMs = 5_000

/** Very many schedules, of which a thousand are due in the same second. */
export const schedules: Benchmark = {
  name: 'schedules',
  about:
    '100,000 schedules: what a look at all of them costs, CPU at rest, and how late 1,000 runs on 1,000 agents start that are due at the same instant, against the same claims sent raw',
  run,
}

async function run({ quick, say }: BenchmarkOptions): Promise<Findings> {
  const [count, agents, rounds] = quick ? [10_000, 200, 2] : [100_000, 1_000, 4]
  await using rig = await startRig()
  say(`enrolling ${agents} agents`)
  const members = await enrolFleet(rig, agents)
  say(`storing ${count} schedules`)
  const transactions = await (await recorder(rig.connection))(count)
  await storeAll(
    rig.connection,
    transactions.flatMap(({ writes }) => writes),
  )
  const pass = await passOver(rig)
  say('starting a server over them')
  await using server = await rig.startServer()
  await using stack = new AsyncDisposableStack()
  const sims = await connectFleet(rig, server, members, { processes, stack, mayLose: true })
  await sleep(settleMs)
  const rest = await atRest(server.pid, quick ? 3_000 : 10_000)
  const wrong = [...pass.wrong]

  const late: number[][] = []
  say(`${rounds} rounds of ${agents} slots`)
  for (let round = 0; round < rounds; round++)
    late.push(await slotsOf(rig, server, sims, { agents, round, wrong }))
  for (const sim of sims) wrong.push(...(await sim.ask('takeWrong', undefined)))
  const rawMs = await rawClaims(rig, { agents, rounds, wrong })
  const of = (q: number): number => median(late.map((one) => quantile(one, q)))
  const figure = (id: string, what: string, unit: string, ours: number): Figure => ({
    ...{ id: `schedules-${id}`, what, unit, ours },
  })
  const due = `${agents} slots due at one instant, ${count} schedules stored`
  return {
    figures: [
      figure('pass', `a look at each of ${count} schedules, as after a change of leaders`, 'ms', pass.ms),
      figure(
        'cpu',
        `server's CPU at rest with ${count} schedules and ${agents} agents`,
        '% of a core',
        rest.cpuPercent,
      ),
      figure('memory', `server's memory with them`, 'MiB', rest.memoryMiB),
      figure('late-p50', `${due}: how late the agents begin, p50`, 'ms', of(0.5)),
      {
        ...figure('late-p99', 'the same, p99 (limit: their claims sent raw, the last one)', 'ms', of(0.99)),
        limit: rawMs,
        ratio: of(0.99) / rawMs,
      },
    ],
    wrong,
  }
}

async function passOver(rig: Rig): Promise<{ ms: number; wrong: string[] }> {
  await using planner = startPlanner()
  await planner.ask('open', { url: rig.etcd.url })
  const done = []
  for (let n = 0; n < passes; n++) done.push(await planner.ask('pass', undefined))
  return {
    ms: median(done.map(({ ms }) => ms)),
    wrong: done.at(-1)?.failed ?? [],
  }
}

interface Round {
  readonly agents: number
  readonly round: number
  readonly wrong: string[]
}

/** Has a job of each agent fall due at one instant. How late each began. Milliseconds. */
async function slotsOf(
  rig: Rig,
  server: ServerChild,
  sims: readonly Child<AgentsProcess>[],
  { agents, round, wrong }: Round,
): Promise<number[]> {
  const slot = Math.ceil((Date.now() + aheadMs) / 1_000) * 1_000
  const job_schedule = { schedule_date: new Date(slot).toISOString().slice(0, 19) }
  let next = 0
  const one = async (): Promise<void> => {
    for (let n = next++; n < agents; n = next++)
      await ask(server, rig, 'POST', `/v1/jobs/due-${round}-${n}`, {
        ...{ client_id: nodeName(n), job_schedule },
        job_actions: [{ freezer_action: { action: 'exec', command: ['/bin/true'] } }],
      })
  }
  await Promise.all(Array.from({ length: asksAtOnce }, one))
  if (Date.now() > slot) wrong.push(`round ${round}: the jobs were not stored before their slot`)
  const started = async (): Promise<number> =>
    (await Promise.all(sims.map((sim) => sim.ask('state', undefined)))).reduce(
      (sum, state) => sum + state.started,
      0,
    )
  // Not while they begin: each question costs the agents' processes.
  await sleep(Math.max(0, slot - Date.now()) + 500)
  await eventually(async () => (await started()) >= agents, { withinMs: roundMs, everyMs: 500 })
  const starts = (await Promise.all(sims.map((sim) => sim.ask('takeStarts', undefined)))).flat()
  if (starts.length !== agents) wrong.push(`round ${round}: ${starts.length} starts of ${agents} slots`)
  const finished = await Promise.all(sims.map((sim) => sim.ask('finish', undefined, roundMs)))
  const committed = finished.reduce((sum, one) => sum + one.committed, 0)
  if (committed !== agents) wrong.push(`round ${round}: ${committed} of ${agents} results were committed`)
  const late = starts.map((at) => wallMsOf(at) - slot)
  const early = late.filter((ms) => ms < -1)
  if (early.length > 0)
    wrong.push(`round ${round}: ${early.length} began early, by up to ${-Math.min(...early)} ms`)
  return late
}

/** A reading of the clock that all processes share, as the wall clock would have shown it. */
const wallMsOf = (us: number): number =>
  performance.timeOrigin + performance.now() - (sharedUs() - us) / 1_000

interface RunText {
  readonly job: string
  readonly state: { readonly is: string; readonly result?: string }
}

/** How long as many transactions take that write a job and its run each. Also holds the runs against the slots. Milliseconds. */
async function rawClaims(
  rig: Rig,
  { agents, rounds, wrong }: { agents: number; rounds: number; wrong: string[] },
): Promise<number> {
  const runs = await documentsOf(rig.connection, 'run')
  const texts = runs.map(({ text }) => JSON.parse(text) as RunText)
  const bad = texts.filter(({ state }) => state.result !== 'success').length
  if (bad > 0) wrong.push(`${bad} of ${texts.length} runs did not end in success`)
  const jobs = new Set(texts.map(({ job }) => job))
  if (runs.length !== agents * rounds || jobs.size !== runs.length)
    wrong.push(`${agents * rounds} slots left ${runs.length} runs of ${jobs.size} jobs`)
  const stored = new Map((await documentsOf(rig.connection, 'job')).map((job) => [job.id, job]))
  const groups = runs.flatMap((run, n): Document[][] => {
    const job = stored.get(texts[n]?.job ?? '')
    return job ? [[job, run]] : []
  })
  await using etcd = await startEtcd()
  await using raw = startRawLoad()
  await raw.ask('open', { url: etcd.url })
  await raw.ask('store', { documents: groups.flat() })
  const took: number[] = []
  for (let n = 0; n <= rounds; n++) {
    await raw.ask('prepareUpdates', { groups: groups.slice(0, agents) })
    const loaded = await raw.ask('load', { inFlight: rawInFlight, ms: roundMs })
    if (loaded.wrong > 0) wrong.push(`raw transactions: ${loaded.wrong} failed`)
    // The first one warms up.
    if (n > 0) took.push((agents / loaded.perSecond) * 1_000)
  }
  return median(took)
}
