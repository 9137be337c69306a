import { later, type Instant } from '../../../core/clock.ts'
import { slotAt } from '../../../core/ids.ts'
import type { Job, Plan, Session } from '../../../core/job.ts'
import type { Run } from '../../../core/run.ts'
import { nextTick } from '../../../controller/plan/calendar.ts'
import { triggerIn } from '../../../controller/plan/schedule.ts'
import type { Promises } from '../user.ts'
import type { World } from '../world.ts'
import { Calendar } from './calendar.ts'
import { iso } from './words.ts'
import type { StoredHistory, Turn, Turns } from './history.ts'

/** A slot that fell due, and what the stored state says of it. */
export interface Slotted {
  readonly of: string
  readonly slot: number
  /** `run`, `set`, why not, or `passed over` by the claim of a later one. */
  readonly became: string
}

/** What schedules may do to their plans, and how runs come out of that. */
export class Claims {
  readonly slots: Slotted[] = []
  readonly #world: World
  readonly #history: StoredHistory
  readonly #promises: Promises
  readonly #calendar: Calendar

  constructor(world: World, history: StoredHistory, promises: Promises) {
    this.#world = world
    this.#history = history
    this.#promises = promises
    this.#calendar = new Calendar(world)
  }

  take(turns: Turns): void {
    for (const turn of turns.jobs) this.#planned(turn, turns)
    for (const turn of turns.sessions) this.#planned(turn, turns)
    for (const { before, after } of turns.runs) if (!before && after) this.#made(after, turns)
  }

  #planned({ before, after }: Turn<Job | Session>, turns: Turns): void {
    if (!before || !after || before.plan === after.plan) return
    const [was, is] = [before.plan, after.plan]
    const name = `${'actions' in after ? 'job' : 'session'} ${after.id}`
    if (was.claimed !== undefined && (is.claimed ?? -1) < was.claimed)
      this.#world.violated(
        'what was claimed stays claimed',
        `${name}: ${was.claimed}, then ${String(is.claimed)}`,
      )
    if (is.generation < was.generation) this.#world.violated('generations grow', name)
    if (is.generation !== was.generation) {
      // Only users change schedules, and they are no leaders.
      if (turns.step.transaction?.epoch !== undefined)
        this.#world.violated(
          'only users change schedules',
          `${name} got generation ${is.generation} from a leader`,
        )
      return this.#settle(name, was, is)
    }
    if (was.next !== undefined && is.next !== undefined && is.next < was.next)
      this.#world.violated('next never moves back', `${name}: ${iso(was.next)}, then ${iso(is.next)}`)
    if (is.claimed !== was.claimed) this.#claimed(name, before, after, turns)
    else if (is.left !== was.left)
      this.#world.violated('counts conserve', `${name}: ${was.left}, then ${is.left}`)
  }

  #claimed(name: string, before: Job | Session, after: Job | Session, { step, runs, sets }: Turns): void {
    const [was, is] = [before.plan, after.plan]
    const slot = is.claimed ?? 0
    if (step.transaction?.epoch === undefined)
      this.#world.violated('a claim is fenced', `${name} claimed ${iso(slot)} without an epoch`)
    if (before.wanted !== 'active')
      this.#world.violated('only active schedules fire', `${name} at ${iso(slot)}`)
    if (was.next === undefined || slot < was.next)
      this.#world.violated('no claim before it is due', `${name}: ${iso(slot)}, next was ${iso(was.next)}`)
    this.#notEarly(name, slot, step.by?.clock.now())
    if ('actions' in before) this.#calendar.take(before, slot)
    const isStart =
      'actions' in after
        ? runs.some(({ after: run }) => isOf(run, after, slot)) || this.#hasRun(after, slot)
        : sets.some(
            ({ before: old, after: set }) => !old && set?.slot === slotAt(slot) && set.session === after.id,
          )
    const why = is.skipped?.slot === slot ? is.skipped.reason : undefined
    if (isStart === (why !== undefined))
      this.#world.violated(
        'a claimed slot is started, or skipped with a reason',
        `${name} at ${iso(slot)}: ${isStart ? 'started' : 'not started'}, ${why ?? 'no reason'}`,
      )
    const expected = was.left === undefined ? undefined : was.left - (isStart ? 1 : 0)
    if (is.left !== expected)
      this.#world.violated('counts conserve', `${name} at ${iso(slot)}: ${was.left}, then ${is.left}`)
    this.#settle(name, was, is)
    for (const passed of slotsBetween(before, was.next ?? (slot as Instant), slot))
      this.slots.push({ of: after.id, slot: passed, became: 'passed over' })
    this.slots.push({ of: after.id, slot, became: why ?? ('actions' in after ? 'run' : 'set') })
    this.#world.trace('store', `${name} claimed ${iso(slot)}: ${why ?? 'started'}, next ${iso(is.next)}`)
  }

  /** Nothing is left to fire when the count is used up. */
  #settle(name: string, _was: Plan, is: Plan): void {
    if (is.left !== undefined && (is.left < 0 || (is.left === 0 && is.next !== undefined)))
      this.#world.violated(
        'counts conserve',
        `${name} has ${is.left} left and fires again at ${iso(is.next)}`,
      )
  }

  #hasRun(job: Job, slot: number): boolean {
    for (const run of this.#history.everMade.values()) if (isOf(run, job, slot)) return true
    return false
  }

  #made(run: Run, { step }: Turns): void {
    if (!run.slot.startsWith('at:')) return
    const slot = Number(run.slot.slice(3))
    const job = this.#history.jobs.get(run.job)
    const name = `run ${run.id} of job ${run.job} for ${iso(slot)}`
    if (job && (job.plan.claimed === undefined || job.plan.claimed < slot))
      this.#world.violated('a slot is claimed before it is started', name)
    if (this.#promises.stopped.has(run.job))
      this.#world.violated('what was stopped does not fire', `${name}, which was acknowledged as stopped`)
    this.#notEarly(name, slot, step.by?.clock.now())
  }

  #notEarly(name: string, slot: number, now: number | undefined): void {
    if (now !== undefined && slot > now + this.#world.steppedBackMs)
      this.#world.violated('nothing before its slot', `${name}: ${iso(slot)} at ${iso(now)}`)
  }
}

/** Slots that were due before the one that was claimed: a claim passes over them. */
function slotsBetween({ schedule, firn }: Job | Session, first: Instant, claimed: number): Instant[] {
  const trigger = triggerIn(schedule, firn)
  const slots: Instant[] = []
  if (trigger.is === 'interval')
    for (let slot = first; slot < claimed; slot = later(slot, trigger.everyMs)) slots.push(slot)
  if (trigger.is === 'cron')
    for (
      let slot: Instant | undefined = first;
      slot !== undefined && slot < claimed;
      slot = nextTick(trigger, slot)
    )
      slots.push(slot)
  return slots
}

const isOf = (run: Run | undefined, job: Job, slot: number): boolean =>
  run?.job === job.id && run.slot === slotAt(slot)
