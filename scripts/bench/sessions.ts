import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../../test/support/eventually.ts'
import type { AgentsProcess } from './agents-process.ts'
import { startBareStreams } from './bare-stream.ts'
import type { Child } from './child.ts'
import {
  alternate,
  compared,
  median,
  quantile,
  type Benchmark,
  type BenchmarkOptions,
  type Figure,
  type Findings,
} from './figures.ts'
import { ask, connectFleet, enrolFleet, fleetJob } from './fleet.ts'
import { atRest } from './proc.ts'
import { startRig } from './rig.ts'
import { sharedUs } from './simulated.ts'

const processes = 4
const agents = 1_000

/** How far ahead the bare start is set: the middle of what keeps every process in time. Milliseconds. */
const aheadMs = 400
/** What a thousand connections leave behind in both kinds of processes is over by then. Milliseconds. */
const settleMs = 2_000
/** Between two rounds: what the end of a set leaves to do is done by then. Milliseconds. */
const pauseMs = 500
const startMs = 60_000

/** Starts of a session of many members, through REST, server, etcd and mTLS lines. */
export const sessions: Benchmark = {
  name: 'sessions',
  about: `the start of a session with ${agents} members: how far their starts lie apart, against a bare "start at T" of the same processes`,
  run,
}

interface SetDocument {
  readonly tag: number
  readonly phase: string
  readonly result: string | null
  readonly start_skew_us: number | null
}

/** What one start gave besides its spread. */
interface Start {
  readonly spreadMs: number
  readonly rangeMs: number
  readonly untilStartedMs: number
  readonly skewMs: number
  readonly misplacedMs: number
}

async function run({ quick, say }: BenchmarkOptions): Promise<Findings> {
  const rounds = quick ? 3 : 7
  await using rig = await startRig()
  say(`enrolling ${agents} agents`)
  const members = await enrolFleet(rig, agents)
  await using server = await rig.startServer()
  await using bare = startBareStreams()
  await using stack = new AsyncDisposableStack()
  say('connecting')
  const connectFrom = performance.now()
  const sims = await connectFleet(rig, server, members, { processes, stack })
  const connectMs = performance.now() - connectFrom
  const bareAddress = await bare.ask('listen', undefined)
  await Promise.all(
    sims.map((sim) => sim.ask('connectBare', { address: bareAddress, count: agents / processes })),
  )
  const job = await fleetJob(server, rig, { action: 'exec', command: ['/bin/true'] })
  const { session_id: session } = await ask<{ session_id: string }>(server, rig, 'POST', '/v1/sessions', {
    description: 'the whole fleet',
    hold_off: 0,
    schedule: {},
  })
  await ask(server, rig, 'PUT', `/v1/sessions/${session}/jobs/${job}`)
  say('at rest')
  await sleep(settleMs)
  const rest = await atRest(server.pid, quick ? 3_000 : 10_000)

  const wrong: string[] = []
  const startsOf = async (take: 'takeStarts' | 'takeBareStarts'): Promise<number[]> => {
    const starts = (await Promise.all(sims.map((sim) => sim.ask(take, undefined)))).flat()
    if (starts.length !== agents) wrong.push(`${starts.length} of ${agents} agents started (${take})`)
    return starts
  }
  const known: Start[] = []
  const ours = async (): Promise<number> => {
    await sleep(pauseMs)
    const fromUs = sharedUs()
    const set = await ask<SetDocument>(server, rig, 'POST', `/v1/sessions/${session}/start`, {})
    await allStarted(sims)
    const starts = await startsOf('takeStarts')
    const misplaced = (await Promise.all(sims.map((sim) => sim.ask('takeMisplaced', undefined)))).flat()
    const ended = await endOf(set.tag)
    if (ended.result !== 'success') wrong.push(`set ${set.tag} ended ${String(ended.result)}`)
    const start = {
      ...{ spreadMs: spreadOf(starts), rangeMs: rangeOf(starts), skewMs: (ended.start_skew_us ?? 0) / 1_000 },
      misplacedMs: quantile(misplaced, 0.99) / 1_000,
      untilStartedMs: (quantile(starts, 1) - fromUs) / 1_000,
    }
    known.push(start)
    return start.spreadMs
  }
  const endOf = async (tag: number): Promise<SetDocument> => {
    await Promise.all(sims.map((sim) => sim.ask('finish', undefined)))
    return eventually(
      async () => {
        const set = await ask<SetDocument>(server, rig, 'GET', `/v1/sets/${session}/${tag}`)
        return set.phase === 'ended' && set
      },
      { withinMs: startMs, everyMs: 250 },
    )
  }
  const bareRanges: number[] = []
  const limit = async (): Promise<number> => {
    await sleep(pauseMs)
    await bare.ask('startTogether', { aheadMs })
    const starts = await startsOf('takeBareStarts')
    bareRanges.push(rangeOf(starts))
    return spreadOf(starts)
  }
  say('warming up')
  await alternate(1, { ours, limit })
  known.length = bareRanges.length = 0
  say(`${rounds} rounds`)
  const measured = await alternate(rounds, { ours, limit })
  for (const sim of sims) wrong.push(...(await sim.ask('takeWrong', undefined)))
  const of = (key: keyof Start): number[] => known.map((start) => start[key])
  const figures: Figure[] = [
    {
      ...{
        id: 'session-spread',
        what: `session start over ${agents} agents, p99 from the median start`,
        unit: 'ms',
      },
      ...compared(measured.ours, measured.limit),
      expected: { atMost: 1.5 },
    },
    {
      ...{ id: 'session-range', what: 'the same, first to last start', unit: 'ms' },
      ...compared(of('rangeMs'), bareRanges),
    },
    {
      id: 'session-skew',
      what: 'the same, as the set itself records it',
      unit: 'ms',
      ours: median(of('skewMs')),
    },
    {
      ...{ id: 'session-clocks', what: 'the same, error of the measured clock offsets, p99', unit: 'ms' },
      ours: median(of('misplacedMs')),
    },
    {
      ...{ id: 'session-start', what: `POST session start to ${agents} members running`, unit: 'ms' },
      ours: median(of('untilStartedMs')),
    },
    {
      id: 'connect',
      what: `${agents} agents connected (mTLS, all on this machine)`,
      unit: 'per s',
      ours: (agents / connectMs) * 1_000,
    },
    {
      id: 'rest-memory',
      what: `server's memory with ${agents} agents at rest`,
      unit: 'MiB',
      ours: rest.memoryMiB,
    },
    {
      id: 'rest-cpu',
      what: `server's CPU with ${agents} agents at rest`,
      unit: '% of a core',
      ours: rest.cpuPercent,
    },
  ]
  return { figures, wrong }
}

/** Of starts in microseconds: how far from the median 99 of 100 lie at most. Milliseconds. */
function spreadOf(starts: readonly number[]): number {
  const middle = median(starts)
  return (
    quantile(
      starts.map((at) => Math.abs(at - middle)),
      0.99,
    ) / 1_000
  )
}

const rangeOf = (starts: readonly number[]): number => (quantile(starts, 1) - quantile(starts, 0)) / 1_000

async function allStarted(sims: readonly Child<AgentsProcess>[]): Promise<void> {
  await eventually(
    async () => {
      const states = await Promise.all(sims.map((sim) => sim.ask('state', undefined)))
      return states.reduce((sum, { started }) => sum + started, 0) >= agents
    },
    { withinMs: startMs, everyMs: 500 },
  )
}
