import { Claims } from './checker/claims.ts'
import { Ends } from './checker/ends.ts'
import { StoredHistory } from './checker/history.ts'
import { Starts } from './checker/starts.ts'
import { Storms } from './checker/storms.ts'
import { Troubles } from './faults.ts'
import { Chance } from './kernel/chance.ts'
import { nightOf, Scenario } from './scenario.ts'
import { User } from './user.ts'
import type { Violation } from './surroundings.ts'
import { World, type WorldOptions } from './world.ts'

const minuteMs = 60_000

/** The world is left alone for so long at its end, and all that was begun must have ended. */
const calmMs = 60 * minuteMs

/** What a world came to. */
export interface Outcome {
  readonly seed: number
  readonly violation: Violation | undefined
  readonly events: number
  readonly simulatedMs: number
  readonly starts: number
  /** Due slots, by what became of them. */
  readonly slots: Readonly<Record<string, number>>
}

/** Lets one world run from its seed to its end, or to the first thing that is wrong. */
export async function simulate(seed: number, tracer?: WorldOptions['tracer']): Promise<Outcome> {
  const chance = new Chance(seed)
  const night = nightOf(chance)
  const world = new World({
    ...{ seed, beginsAt: night.at },
    servers: chance.pick([1, 2, 3, 3]),
    agents: chance.whole(1, 4),
    habits: { workMs: chance.pick([20_000, 300_000, 900_000]), fails: chance.pick([0, 0.2]) },
    ...(tracer ? { tracer } : {}),
  })
  const isOutage = chance.happens(0.02)
  const untilMs = isOutage ? chance.between(24.5, 30) * 60 * minuteMs : chance.whole(60, 180) * minuteMs
  const user = new User(world)
  const history = new StoredHistory()
  const claims = new Claims(world, history, user.promises)
  const starts = new Starts(world, history)
  const ends = new Ends(world, history)
  const storms = new Storms(world)
  world.store.onStep = (step) => {
    claims.take(history.take(step))
    storms.take(step)
  }
  world.evidence.onBegin = (execution) => starts.take(execution)

  const silent = chance.happens(0.05) ? chance.whole(26, 60) : 0
  const scenario = new Scenario(world, user, { night, silent })
  scenario.next = (job) => history.jobs.get(job)?.plan.next
  scenario.enrol()
  for (const server of world.servers) server.start()
  for (const agent of world.agents) agent.start()
  scenario.make(chance.whole(1, 6), Math.min(untilMs, 180 * minuteMs))
  const troubles = new Troubles(world)
  const everyMs = chance.pick([0, 30_000, 120_000, 600_000])
  if (isOutage) troubles.planOutage(10 * minuteMs, untilMs - 10 * minuteMs)
  else if (everyMs > 0) troubles.plan(minuteMs, untilMs, everyMs)
  lookNowAndThen(world, troubles, ends)

  const settled = (): void => {
    if (world.violation) throw world.violation
  }
  try {
    await world.timeline.run(untilMs + calmMs, settled)
    ends.atTheEnd(calmMs)
  } catch (error) {
    if (!world.violation) throw error
  }
  const slots: Record<string, number> = {}
  for (const { became } of claims.slots) slots[became] = (slots[became] ?? 0) + 1
  return {
    ...{ seed, violation: world.violation, slots },
    events: world.timeline.count,
    simulatedMs: world.timeline.now,
    starts: world.evidence.executions.length,
  }
}

function lookNowAndThen(world: World, troubles: Troubles, ends: Ends): void {
  const look = (): void => {
    const { calmSince } = troubles
    if (calmSince !== undefined) ends.look(world.timeline.now - calmSince)
    world.timeline.after(minuteMs, look)
  }
  world.timeline.after(minuteMs, look)
}
