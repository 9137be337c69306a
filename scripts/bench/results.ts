import { eventually } from '../../test/support/eventually.ts'
import { startEtcd } from '../../test/support/servers.ts'
import type { AgentsProcess } from './agents-process.ts'
import type { Child } from './child.ts'
import { alternate, compared, type Benchmark, type BenchmarkOptions, type Findings } from './figures.ts'
import { ask, connectFleet, enrolFleet, fleetJob } from './fleet.ts'
import { startRawLoad, type Document } from './raw-load.ts'
import { documentsOf, startRig, type Rig } from './rig.ts'

const processes = 1
const agents = 64
/** As many reports as each agent's outbox has on their way to NATS, together; raw transactions are sent as many at once. */
const rawInFlight = 64
const readyMs = 60_000

/** Results of agents on their way into etcd, over NATS and the server. */
export const results: Benchmark = {
  name: 'results',
  about: `results of ${agents} agents, published by the agent's own code, until the server has said that etcd has them, against the same etcd transactions sent raw`,
  run,
}

async function run({ quick, say }: BenchmarkOptions): Promise<Findings> {
  const rounds = quick ? 3 : 5
  const runsEach = quick ? 16 : 48
  const count = agents * runsEach
  await using rig = await startRig()
  await using rawEtcd = await startEtcd()
  say(`enrolling ${agents} agents`)
  const members = await enrolFleet(rig, agents)
  await using server = await rig.startServer()
  await using stack = new AsyncDisposableStack()
  const sims = await connectFleet(rig, server, members, { processes, stack })
  const wrong: string[] = []
  /** Runs that the agents have begun and not reported. */
  const prepare = async (): Promise<void> => {
    // Jobs of their own for each round: one that runs over and over has its oldest runs dropped meanwhile.
    for (let n = 0; n < runsEach; n++) {
      const job = await fleetJob(server, rig, {
        action: 'backup',
        path_to_backup: '/home',
        backup_name: 'home',
      })
      await ask(server, rig, 'POST', '/v1/runs', { job_id: job })
    }
    await eventually(async () => (await sum(sims, 'started')) >= count, { withinMs: readyMs })
    await Promise.all(sims.map((sim) => sim.ask('takeStarts', undefined)))
    await restful(rig)
  }
  const ours = async (): Promise<number> => {
    await prepare()
    const finished = await Promise.all(sims.map((sim) => sim.ask('finish', undefined)))
    const committed = finished.reduce((all, one) => all + one.committed, 0)
    if (committed !== count) wrong.push(`${committed} of ${count} results were committed`)
    const fromUs = Math.min(...finished.map((one) => one.fromUs))
    const untilUs = Math.max(...finished.map((one) => one.untilUs))
    return (count / (untilUs - fromUs)) * 1e6
  }
  say('warming up')
  await ours()

  await using raw = startRawLoad()
  await raw.ask('open', { url: rawEtcd.url })
  const groups = await groupsOf(rig)
  if (groups.length !== count) wrong.push(`${groups.length} of ${count} runs are stored`)
  await raw.ask('store', { documents: groups.flat() })
  const limit = async (): Promise<number> => {
    await raw.ask('prepareUpdates', { groups })
    const loaded = await raw.ask('load', { inFlight: rawInFlight, ms: readyMs })
    if (loaded.wrong > 0) wrong.push(`raw transactions: ${loaded.wrong} failed`)
    return loaded.perSecond
  }
  await limit()
  say(`${rounds} rounds of ${count} results`)
  const measured = await alternate(rounds, { ours, limit })
  for (const sim of sims) wrong.push(...(await sim.ask('takeWrong', undefined)))
  wrong.push(...(await unfinished(rig, count * (rounds + 1))))
  return {
    figures: [
      {
        ...{ id: 'results', what: `results from ${agents} agents to stored in etcd`, unit: 'per s' },
        ...compared(measured.ours, measured.limit),
        expected: { atLeast: 0.5 },
      },
    ],
    wrong,
  }
}

const sum = async (sims: readonly Child<AgentsProcess>[], key: 'started' | 'running'): Promise<number> =>
  (await Promise.all(sims.map((sim) => sim.ask('state', undefined)))).reduce((all, one) => all + one[key], 0)

interface RunText {
  readonly state: { readonly is: string; readonly result?: string }
}

/** Waits until etcd has every run as running or finished: the server owes nobody a write. */
async function restful(rig: Rig): Promise<void> {
  await eventually(
    async () => {
      const states = (await documentsOf(rig.connection, 'run')).map(stateOf)
      return states.every(({ is }) => is === 'running' || is === 'finished')
    },
    { withinMs: readyMs, everyMs: 250 },
  )
}

const stateOf = ({ text }: Document): RunText['state'] => (JSON.parse(text) as RunText).state

/** What the server stored for each result: the run, and the backup that it made. */
async function groupsOf(rig: Rig): Promise<Document[][]> {
  const backups = new Map(
    (await documentsOf(rig.connection, 'backup')).map((backup) => [
      (JSON.parse(backup.text) as { run: string }).run,
      backup,
    ]),
  )
  return (await documentsOf(rig.connection, 'run')).map((run) => {
    const backup = backups.get(run.id)
    return backup ? [run, backup] : [run]
  })
}

/** Every run ended once, well, and left one backup. */
async function unfinished(rig: Rig, count: number): Promise<string[]> {
  const wrong: string[] = []
  const runs = await documentsOf(rig.connection, 'run')
  const bad = runs.filter((run) => stateOf(run).result !== 'success')
  if (bad.length > 0) wrong.push(`${bad.length} of ${runs.length} runs did not end in success`)
  const backups = (await documentsOf(rig.connection, 'backup')).length
  if (backups !== count) wrong.push(`${count} results left ${backups} backups`)
  return wrong
}
