import type { Client } from '../../core/catalogue.ts'
import { instant, isoOf } from '../../core/clock.ts'
import { clientId, jobId, sessionId, type ClientId, type JobId, type SessionId } from '../../core/ids.ts'
import type { JsonObject } from '../../core/action.ts'
import { encode } from '../../controller/state/codec.ts'
import { cancelRun } from '../../controller/use-cases/cancel-run.ts'
import { revokeClient } from '../../controller/use-cases/clients.ts'
import { jobEvent } from '../../controller/use-cases/job-events.ts'
import { patchJob, removeJob, replaceJob, type JobFields } from '../../controller/use-cases/jobs.ts'
import { addJobToSession, replaceSession } from '../../controller/use-cases/sessions.ts'
import { startRun } from '../../controller/use-cases/start-run.ts'
import { startSession } from '../../controller/use-cases/start-session.ts'
import type { Chance } from './kernel/chance.ts'
import type { User } from './user.ts'
import type { World } from './world.ts'

const minuteMs = 60_000

/** Nights on which clocks are changed, and plain ones: when worlds begin. UTC. */
const nights = [
  { at: '2026-10-24T23:20:00Z', zone: 'Europe/Berlin' },
  { at: '2027-03-27T23:20:00Z', zone: 'Europe/Berlin' },
  { at: '2026-11-01T04:20:00Z', zone: 'America/New_York' },
  { at: '2027-03-14T05:20:00Z', zone: 'America/New_York' },
  { at: '2027-04-03T13:40:00Z', zone: 'Australia/Lord_Howe' },
  { at: '2026-12-31T22:30:00Z', zone: 'UTC' },
  { at: '2027-06-15T10:00:00Z', zone: 'Asia/Kolkata' },
] as const

/** Which night a world is about. */
export interface Night {
  readonly at: number
  readonly zone: string
}

export function nightOf(chance: Chance): Night {
  const { at, zone } = chance.pick(nights)
  return { at: Date.parse(at), zone }
}

/** A schedule by every form that it can have. */
function scheduleOf(chance: Chance, { zone }: Night, now: number): Pick<JobFields, 'schedule' | 'firn'> {
  const date = (at: number): string => isoOf(instant(at)).slice(0, 19)
  const soon = now + chance.whole(2, 40) * minuteMs
  switch (chance.whole(0, 7)) {
    case 0:
    case 1:
      return { schedule: { schedule_interval: `${chance.whole(2, 20)} minutes` } }
    case 2:
      return {
        schedule: {
          schedule_interval: `${chance.whole(5, 30)} minutes`,
          schedule_start_date: date(soon),
          ...(chance.happens(0.3) ? { schedule_end_date: date(now + chance.whole(60, 150) * minuteMs) } : {}),
        },
      }
    case 3:
      return {
        schedule: {},
        firn: { pattern: `*/${chance.whole(3, 25)} * * * *`, timezone: zone, count: chance.whole(2, 9) },
      }
    case 4:
      // A wall clock's own time, right where it is turned forward or back.
      return {
        schedule: {
          schedule_hour: `${chance.whole(1, 3)}`,
          schedule_minute: `${chance.pick([0, 15, 30, 45])}`,
        },
        firn: { timezone: zone },
      }
    case 5:
      return { schedule: {}, firn: { pattern: `${chance.whole(0, 59)} * * * *`, timezone: zone } }
    case 6:
      return {
        schedule: {
          schedule_interval: 'continuous',
          schedule_start_date: date(soon),
          schedule_end_date: date(soon + 6 * minuteMs),
        },
      }
    default:
      return { schedule: { schedule_date: date(now + chance.whole(2, 90) * minuteMs) } }
  }
}

/** How a schedule wants to be treated, beside the defaults. */
function policiesOf(chance: Chance, now: number): JsonObject {
  const wishes: JsonObject = {
    catch_up: chance.pick(['latest', 'none', 'all']),
    catch_up_max: chance.whole(1, 5),
    overlap: chance.pick(['skip', 'queue', 'cancel', 'allow']),
    jitter: `${chance.whole(5, 120)} seconds`,
    start_deadline: `${chance.whole(1, 15)} minutes`,
    exclusions: [isoOf(instant(now + chance.whole(0, 1) * 86_400_000)).slice(0, 10)],
    pause_after_failures: chance.whole(1, 4),
  }
  return Object.fromEntries(
    Object.entries(wishes).filter(([key]) => chance.happens(key === 'exclusions' ? 0.05 : 0.2)),
  )
}

/** What is stored when a world begins, and what its users ask for while it goes on. */
export class Scenario {
  readonly #world: World
  readonly #user: User
  readonly #night: Night
  readonly #chance: Chance
  readonly #jobs: JobId[] = []
  readonly #sessions: SessionId[] = []
  /** Nodes that are enrolled and never heard of: with them a slot is for more clients than its claim holds. */
  readonly #silent: readonly ClientId[]
  #keys = 0

  constructor(world: World, user: User, { night, silent }: { night: Night; silent: number }) {
    this.#world = world
    this.#user = user
    this.#night = night
    this.#silent = Array.from({ length: silent }, (_, index) => clientId(`silent${index + 1}`))
    this.#chance = world.chance.fork()
  }

  /** Nodes are enrolled before the first server starts. */
  enrol(): void {
    const { store, agents, project, now } = this.#world
    const writes = [...agents.map(({ client }) => client), ...this.#silent].map((client) => ({
      ...{ kind: 'client' as const, project, id: client },
      text: encode('client', this.#client(client, now)),
    }))
    store.documents.commit({ requires: [], writes }, this)
  }

  #client(id: ClientId, now: number): Client {
    const at = instant(now)
    return {
      ...{
        id,
        project: this.#world.project,
        user: this.#user.caller.user,
        hostname: id,
        description: '',
        uuid: id,
      },
      ...{ enrolled: { at, fingerprint: id }, line: { is: 'never' }, createdAt: at },
      labels: { node: id, all: 'yes' },
    }
  }

  /** Jobs and sessions are made in the first minute; some of the jobs while everything fails. */
  make(jobs: number, until: number): void {
    const { timeline } = this.#world
    const chance = this.#chance
    for (let n = 1; n <= jobs; n++) {
      const id = jobId(`job${n}`)
      const at = chance.happens(0.7) ? chance.between(2_000, 30_000) : chance.between(2_000, until / 2)
      timeline.at(at, () => this.#makeJob(id))
    }
    if (chance.happens(0.5))
      timeline.at(chance.between(40_000, 90_000), () => void this.#makeSession(sessionId('ses1')))
    for (let n = chance.whole(0, 12); n > 0; n--)
      timeline.at(chance.between(60_000, until), () => this.#request())
  }

  #makeJob(id: JobId): void {
    const chance = this.#chance
    const { agents, now } = this.#world
    const selector = this.#selector()
    const plain = scheduleOf(chance, this.#night, now)
    const schedule = { ...plain, firn: { ...plain.firn, ...policiesOf(chance, now) } }
    const fields: JobFields = {
      ...(selector ? {} : { client: chance.pick(agents).client }),
      ...schedule,
      ...(selector ? { firn: { ...schedule.firn, ...selector } } : {}),
      actions: [
        {
          ...{
            maxRetries: chance.pick([0, 0, 1, 2]),
            maxRetriesIntervalS: chance.whole(0, 90),
            mandatory: false,
          },
          freezer: { action: 'exec', command: ['true'] },
        },
      ],
    }
    this.#world.trace('user', `makes ${id}: ${JSON.stringify({ ...fields.schedule, ...fields.firn })}`)
    void this.#user
      .ask(`make ${id}`, (context) => replaceJob(context, this.#user.caller, id, fields))
      .then((made) => void (made && this.#jobs.push(id)))
  }

  /** Some jobs are for clients by their labels: one, none, or all that there are. */
  #selector(): JsonObject | undefined {
    const chance = this.#chance
    if (this.#silent.length > 0 && chance.happens(0.5))
      return { client_selector: { all: 'yes' }, start_deadline: `${chance.whole(1, 8)} minutes` }
    if (!chance.happens(0.15)) return undefined
    const node = chance.happens(0.1) ? 'none' : chance.pick(this.#world.agents).client
    return { client_selector: { node } }
  }

  async #makeSession(id: SessionId): Promise<void> {
    const chance = this.#chance
    const { caller } = this.#user
    const schedule: JsonObject = { schedule_interval: `${chance.whole(5, 25)} minutes` }
    const firn: JsonObject = {
      missing: chance.pick(['abort', 'degrade']),
      ...policiesOf(chance, this.#world.now),
    }
    const fields = { holdOffS: chance.pick([0, 30, 400]), schedule, firn }
    if (!(await this.#user.ask(`make ${id}`, (context) => replaceSession(context, caller, id, fields))))
      return
    this.#sessions.push(id)
    for (const job of this.#jobs.slice(0, chance.whole(1, 3)))
      await this.#user.ask(`${job} joins ${id}`, (context) => addJobToSession(context, caller, id, job))
  }

  #request(): void {
    const chance = this.#chance
    const user = this.#user
    const { caller } = user
    if (this.#jobs.length === 0) return
    const job = chance.pick(this.#jobs)
    const key = `key${++this.#keys}`
    const [session] = this.#sessions
    switch (chance.whole(0, 8)) {
      case 0:
      case 1:
        return user.stop(job, (context) => jobEvent(context, caller, job, 'stop'))
      case 2:
        return user.stop(job, (context) => jobEvent(context, caller, job, 'abort'))
      case 3:
      case 4:
        return user.resume(job, (context) => jobEvent(context, caller, job, 'start'))
      case 5:
        return void user.ask(`run ${job} now`, (context) => startRun(context, caller, { job, key }))
      case 6:
        return this.#changeAtItsSlot(job)
      case 7:
        return this.#takeAway(job)
      default:
        if (session && chance.happens(0.5))
          return void user.ask(`start ${session}`, (context) =>
            startSession(context, caller, session, { key }),
          )
        return void user.ask('cancel a run', async (context) => {
          const open = [...context.state.where('run', 'open', '*')][0]
          if (open) await cancelRun(context, caller, open.value.id, 'a user wants it so')
        })
    }
  }

  /** Now and then somebody shuts a node out, or deletes a job. */
  #takeAway(job: JobId): void {
    const chance = this.#chance
    const { caller } = this.#user
    const { client } = chance.pick(this.#world.agents)
    if (chance.happens(0.2))
      void this.#user.ask(`shut ${client} out`, (context) => revokeClient(context, caller, client))
    else if (chance.happens(0.3))
      void this.#user.ask(`delete ${job}`, (context) => removeJob(context, caller, job))
  }

  /** A schedule is changed at the very moment at which it is due. */
  #changeAtItsSlot(job: JobId): void {
    const { timeline, now } = this.#world
    const next = this.next(job)
    const at =
      next === undefined
        ? timeline.now
        : timeline.now + Math.max(0, next - now) + this.#chance.between(-50, 50)
    const fields = scheduleOf(this.#chance, this.#night, now)
    timeline.at(at, () => {
      const { caller } = this.#user
      void this.#user.ask(`change ${job} to ${JSON.stringify(fields)}`, (context) => {
        const before = context.state.get('job', caller.project, job)?.value
        const gone = Object.fromEntries(Object.keys(before?.schedule ?? {}).map((key) => [key, null]))
        const none: JsonObject = { pattern: null, timezone: null, count: null }
        const firn = { ...none, ...fields.firn }
        return patchJob(context, caller, job, { schedule: { ...gone, ...fields.schedule }, firn })
      })
    })
  }

  /** When a job is due next, as it is stored. */
  next: (job: JobId) => number | undefined = () => undefined
}
