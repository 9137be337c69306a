import { later, type Instant } from '../../../core/clock.ts'
import type { Client } from '../../../core/catalogue.ts'
import { slotAt } from '../../../core/ids.ts'
import type { Job, Plan, Session } from '../../../core/job.ts'
import type { Run } from '../../../core/run.ts'
import { isEnrolled, matches } from '../../../core/select.ts'
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
  /** `run`, `set`, or why not. */
  readonly became: string
}

/** A change is as of when it was decided: what is due on its way to the store may be seen with it or not. Milliseconds. */
const grantedMs = 15_000

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
    const name = nameOf(after)
    if (was.claimed !== undefined && (is.claimed ?? -1) < was.claimed)
      this.#world.violated(
        'what was claimed stays claimed',
        `${name}: ${was.claimed}, then ${String(is.claimed)}`,
      )
    if (is.generation < was.generation) this.#world.violated('generations grow', name)
    if (is.left !== undefined && (is.left < 0 || (is.left === 0 && is.next !== undefined)))
      this.#world.violated(
        'counts conserve',
        `${name} has ${is.left} left and fires again at ${iso(is.next)}`,
      )
    if (turns.step.transaction?.epoch === undefined)
      return before.version === after.version &&
        is.generation === was.generation &&
        'actions' in before &&
        'actions' in after
        ? this.#told(before, after, turns)
        : this.#changed(before, after, turns)
    if (is.claimed !== was.claimed) return this.#claimed(before, after, turns)
    if (is.generation !== was.generation || is.next !== was.next || is.left !== was.left)
      this.#world.violated(
        'leaders only claim',
        `${name}: ${JSON.stringify(was)}, then ${JSON.stringify(is)}`,
      )
    if (was.making && !is.making && 'actions' in after) this.#allMade(after, was.making.slot)
  }

  /** All runs of a slot that is for many clients were made, or it is said that they were not. */
  #allMade(job: Job, slot: number): void {
    if (skipOf(job.plan, slot)) return
    const have = new Set([...this.#history.runsOf(job.id)].map((run) => isOf(run, job, slot) && run.client))
    for (const client of this.#history.clients.values())
      if (isEnrolled(client) && !have.has(client.id) && isFor(job, client))
        this.#world.violated('a run for each client', `${nameOf(job)} at ${iso(slot)}: none on ${client.id}`)
  }

  /** Somebody changed the schedule, or what it stands beside: what was due until then is told of. */
  #changed(before: Job | Session, after: Job | Session, { step }: Turns): void {
    const [was, is] = [before.plan, after.plan]
    const now = step.by?.clock.now() ?? 0
    if (is.generation === was.generation && is.claimed !== was.claimed)
      this.#world.violated(
        'a claim is fenced',
        `${nameOf(after)} claimed ${iso(is.claimed)} without an epoch`,
      )
    if (is.generation === was.generation || was.next === undefined || isContinuous(before)) return
    // What is due while the change is on its way may belong to either.
    for (const slot of slotsOf(before, was.next, Math.min(now - grantedMs, (is.next ?? Infinity) - 1)))
      this.#explained(after, slot, 'changed')
  }

  /** An agent has told what it did by itself: its slots are passed over, each as a run or with a reason, and counted once. */
  #told(before: Job, after: Job, { runs }: Turns): void {
    const [was, is] = [before.plan, after.plan]
    const name = nameOf(after)
    const made = runs.filter((turn) => !turn.before && turn.after?.own && turn.after.job === after.id)
    if (after.wanted !== before.wanted) this.#world.violated('only users change schedules', name)
    if (is.next !== undefined && is.next <= (is.claimed ?? -1))
      this.#world.violated('next moves on', `${name}: told up to ${iso(is.claimed)}, next ${iso(is.next)}`)
    if (
      was.left !== undefined &&
      is.claimed !== was.claimed &&
      is.left !== Math.max(0, was.left - made.length)
    )
      this.#world.violated('counts conserve', `${name}: ${was.left}, ${made.length} told, then ${is.left}`)
    for (const { after: run } of made)
      if (run) this.slots.push({ of: after.id, slot: Number(run.slot.slice(3)), became: 'run by its agent' })
    if (was.next === undefined || is.claimed === was.claimed || isContinuous(before)) return
    for (const slot of slotsOf(before, was.next, is.claimed ?? 0))
      if (!this.#hasRun(after, slot)) this.#explained(after, slot, 'told of')
    this.#world.trace(
      'store',
      `${name}: told up to ${iso(is.claimed)}, ${made.length} runs, next ${iso(is.next)}`,
    )
  }

  #claimed(before: Job | Session, after: Job | Session, turns: Turns): void {
    const [was, is] = [before.plan, after.plan]
    const name = nameOf(after)
    const slot = is.claimed ?? 0
    if (before.wanted !== 'active')
      this.#world.violated('only active schedules fire', `${name} at ${iso(slot)}`)
    if (was.next === undefined || slot < was.next)
      this.#world.violated('no claim before it is due', `${name}: ${iso(slot)}, next was ${iso(was.next)}`)
    if (is.next !== undefined && is.next <= slot)
      this.#world.violated('next moves on', `${name}: claimed ${iso(slot)}, next ${iso(is.next)}`)
    // Too many failures stop a schedule: that is a change, though no user's.
    if (is.generation !== was.generation && after.wanted === 'active')
      this.#world.violated('only users change schedules', `${name} at ${iso(slot)}`)
    this.#notEarly(name, slot, turns.step.by?.clock.now())
    if ('actions' in before) this.#calendar.take(before, slot)
    const isStart = this.#isStart(after, slot, turns)
    const why = skipOf(is, slot)?.reason
    if (was.making)
      this.#world.violated('one slot after the other', `${name}: ${iso(was.making.slot)} is still being made`)
    if (isStart === (why !== undefined))
      this.#world.violated(
        'a claimed slot is started, or skipped with a reason',
        `${name} at ${iso(slot)}: ${isStart ? 'started' : 'not started'}, ${why ?? 'no reason'}`,
      )
    const expected = was.left === undefined ? undefined : was.left - (isStart ? 1 : 0)
    if (is.left !== expected)
      this.#world.violated('counts conserve', `${name} at ${iso(slot)}: ${was.left}, then ${is.left}`)
    if (was.next !== undefined && !isContinuous(before))
      for (const passed of slotsOf(before, was.next, slot - 1)) this.#explained(after, passed, 'passed over')
    if (isStart) this.#notOverlapping(before, slot)
    this.slots.push({ of: after.id, slot, became: why ?? ('actions' in after ? 'run' : 'set') })
    this.#world.trace(
      'store',
      `${name} claimed ${iso(slot)}: ${why ?? 'started'}, ${is.left ?? 'any number'} left, next ${iso(is.next)}`,
    )
  }

  #isStart(after: Job | Session, slot: number, { runs, sets }: Turns): boolean {
    if ('actions' in after)
      return (
        after.plan.making?.slot === slot ||
        runs.some(({ after: run }) => isOf(run, after, slot)) ||
        this.#hasRun(after, slot)
      )
    return sets.some(
      ({ before, after: set }) => !before && set?.slot === slotAt(slot) && set.session === after.id,
    )
  }

  /** A slot that did not start says why, for as long as it is remembered. */
  #explained(of: Job | Session, slot: number, how: string): void {
    const skip = skipOf(of.plan, slot)
    if (skip) this.slots.push({ of: of.id, slot, became: skip.reason })
    else if (slot >= (of.plan.skips?.[0]?.from ?? 0))
      this.#world.violated(
        'every due slot is started, or skipped with a reason',
        `${nameOf(of)}: ${iso(slot)} was ${how}; skips: ${JSON.stringify(of.plan.skips)}`,
      )
  }

  /** Unless its schedule allows that, a slot does not start while a run of another one is open. */
  #notOverlapping(before: Job | Session, slot: number): void {
    if (!('actions' in before) || before.firn?.['overlap'] === 'allow') return
    for (const { id, slot: other, state } of this.#history.runsOf(before.id))
      if (state.is !== 'finished' && other.startsWith('at:') && other !== slotAt(slot))
        this.#world.violated(
          'no overlap',
          `${nameOf(before)} at ${iso(slot)}: run ${id} for ${other} is ${state.is}`,
        )
  }

  #hasRun(job: Job, slot: number): boolean {
    for (const run of this.#history.runsOf(job.id)) if (isOf(run, job, slot)) return true
    return false
  }

  #made(run: Run, { step }: Turns): void {
    if (!run.slot.startsWith('at:')) return
    const slot = Number(run.slot.slice(3))
    if (run.own) return this.#madeOfOwn(run)
    const job = this.#history.jobs.get(run.job)
    const name = `run ${run.id} of job ${run.job} for ${iso(slot)}`
    if (job && (job.plan.claimed === undefined || job.plan.claimed < slot))
      this.#world.violated('a slot is claimed before it is started', name)
    if (this.#promises.stopped.has(run.job))
      this.#world.violated('what was stopped does not fire', `${name}, which was acknowledged as stopped`)
    this.#notEarly(name, slot, step.by?.clock.now())
  }

  #madeOfOwn(run: Run): void {
    if (this.#world.own.get(run.id) !== run.slot)
      this.#world.violated(
        'an agent tells what it has decided',
        `run ${run.id} of ${run.job} for ${run.slot}`,
      )
  }

  #notEarly(name: string, slot: number, now: number | undefined): void {
    if (now !== undefined && slot > now + this.#world.steppedBackMs)
      this.#world.violated('nothing before its slot', `${name}: ${iso(slot)} at ${iso(now)}`)
  }
}

/** The slots of a schedule from its next one up to an instant. */
function slotsOf({ schedule, firn }: Job | Session, first: Instant, until: number): Instant[] {
  const trigger = triggerIn(schedule, firn)
  const slots: Instant[] = []
  for (let slot: Instant | undefined = first; slot !== undefined && slot <= until;) {
    slots.push(slot)
    if (trigger.is === 'interval') slot = later(slot, trigger.everyMs)
    else slot = trigger.is === 'cron' ? nextTick(trigger, slot) : undefined
  }
  return slots
}

const skipOf = ({ skips = [] }: Plan, slot: number) =>
  skips.findLast(({ from, to }) => from <= slot && slot <= to)

const nameOf = (of: Job | Session): string => `${'actions' in of ? 'job' : 'session'} ${of.id}`

const isContinuous = ({ schedule }: Job | Session): boolean => schedule.schedule_interval === 'continuous'

const isFor = ({ client, selector }: Job, node: Client): boolean =>
  selector ? matches(node, selector) : client === node.id

const isOf = (run: Run | undefined, job: Job, slot: number): boolean =>
  run?.job === job.id && run.slot === slotAt(slot)
