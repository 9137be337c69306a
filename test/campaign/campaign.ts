// One campaign: everything is brought up, goes wrong in one way after another, is healed, and is judged.
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Collector } from './collector.ts'
import { begin } from './faults.ts'
import { eventually } from '../support/eventually.ts'
import { judge, type Disturbance, type Seen, type Verdict } from './judge.ts'
import { allowAhead, makeAll, scheduleOf, stopAll } from './make.ts'
import type { Chance, Round } from './rounds.ts'
import { wantedSchedules } from './schedules.ts'
import { Stage, type Loose } from './stage.ts'

export interface CampaignOptions {
  /** Where everything lies; evidence and logs stay there. */
  readonly folder: string
  readonly agents: number
  /** How many schedules at most. */
  readonly schedules: number
  /** How long faults go on. Milliseconds. */
  readonly lengthMs: number
  readonly rounds: readonly Round[]
  readonly chance: Chance
  readonly clocks: boolean
  readonly disks: boolean
  readonly signal: AbortSignal
  readonly say: (text: string) => void
}

export interface Outcome {
  readonly verdict: Verdict
  readonly disturbances: readonly Disturbance[]
  /** What went wrong beside the slots: processes that ended by themselves, or that did not come back. */
  readonly troubles: readonly string[]
  readonly schedules: number
  /** From the first slot to the last. Milliseconds. */
  readonly lengthMs: number
}

/** From the making of schedules to the first slot. Milliseconds. */
const leadMs = 12_000
/** Between two faults. Milliseconds. */
const calmMs = 4_000
/** How long the last runs may take to end. Bounds what hangs. Milliseconds. */
const restMs = 180_000
/** How far a server's clock is stepped, and how long its claims may be ahead of what was asked. Milliseconds. */
const aheadMsMax = 100_000

/**
 * Whether slots to come may have been claimed already by a clock that was ahead. What was claimed stays claimed when a
 * schedule is changed: its next slots would come later than asked for, and nobody could say which.
 */
const isClaimedAhead = (disturbances: readonly Disturbance[]): boolean =>
  disturbances.some(({ aheadMs, to }) => aheadMs !== undefined && Date.now() < to + aheadMsMax)

/** Runs one. Throws when it cannot be brought up, or does not come to rest. */
export async function campaign(options: CampaignOptions): Promise<Outcome> {
  const { signal, say, lengthMs } = options
  await using stage = await Stage.open(options)
  const from = Math.ceil((Date.now() + leadMs) / 1_000) * 1_000
  const wanted = wantedSchedules(from, lengthMs, options.agents, options.schedules)
  say(`making ${wanted.length} schedules`)
  const made = await makeAll(stage, wanted, from)
  const collector = new Collector(stage, made)
  await sleep(Math.max(0, from - Date.now()), undefined, { signal })

  const disturbances: Disturbance[] = []
  const troubles: string[] = []
  const until = from + lengthMs
  let collectedAt = 0
  const calm = async (): Promise<void> => {
    await stage.startAll()
    await stage.untilWell()
    if (Date.now() - collectedAt > 60_000) {
      await collector.collect()
      collectedAt = Date.now()
    }
  }
  for (let nth = 0; Date.now() < until && options.rounds.length > 0; nth++) {
    await sleep(calmMs, undefined, { signal })
    const round = options.rounds[nth % options.rounds.length] as Round
    if (round.fault === 'update' && isClaimedAhead(disturbances)) continue
    const begun = await begin(round, { stage, made, chance: options.chance, signal })
    const at = begun.at ?? Date.now()
    say(`${String(nth + 1).padStart(2)} ${round.fault} ${begun.target} ...`)
    await begun.last().catch((error: Error) => {
      signal.throwIfAborted()
      troubles.push(error.message)
    })
    const ended = stage.takeEnded()
    await calm()
    const { target, aheadMs, isLeaderLost } = begun
    disturbances.push({
      ...{ what: round.fault, target, from: at, to: Date.now() },
      ...(aheadMs === undefined ? {} : { aheadMs }),
      ...(isLeaderLost === true ? { isLeaderLost } : {}),
    })
    for (const { name, how, tail } of [...ended, ...stage.takeEnded()])
      if (!begun.victims.includes(name))
        troubles.push(
          `${name} ended by itself (${how}) during ${round.fault} of ${target}: ${tail.join(' | ')}`,
        )
    const seconds = ((Date.now() - at) / 1_000).toFixed(1)
    say(`   well again after ${seconds} s`)
  }
  await sleep(Math.max(0, until - Date.now()), undefined, { signal })

  say('stopping all schedules, and waiting until everything is at rest')
  await stopAll(stage, made)
  if (disturbances.some(({ aheadMs }) => aheadMs !== undefined)) allowAhead(made, aheadMsMax)
  const rested = await eventually(
    async () => {
      const { runs } = await stage.must('GET', '/v1/runs?state=waiting&limit=1')
      const open = await Promise.all(
        ['offered', 'armed', 'running', 'cancelling', 'unknown'].map((state) =>
          stage.must('GET', `/v1/runs?state=${state}&limit=5`),
        ),
      )
      const left = [...runs, ...open.flatMap((answer: Loose) => answer.runs as Loose[])]
      if (left.length > 0) throw new Error(`open: ${JSON.stringify(left.slice(0, 3))}`)
      return true
    },
    { withinMs: restMs, everyMs: 500 },
  ).catch((error: Error) => error)
  if (rested instanceof Error) troubles.push(`it does not come to rest: ${rested.message.slice(0, 2_000)}`)
  await collector.collect()
  const seen: Seen = {
    ...{ schedules: made.map(scheduleOf), lines: collector.lines() },
    ...{ runs: collector.runs, skips: collector.skips, disturbances },
  }
  // What was judged, so that it can be judged again.
  await writeFile(path.join(options.folder, 'seen.json'), JSON.stringify(seen))
  return {
    verdict: judge(seen),
    disturbances,
    troubles,
    schedules: wanted.length,
    lengthMs: Date.now() - from,
  }
}
