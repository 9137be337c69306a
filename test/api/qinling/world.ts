// Saved actions and clients for tests of Qinling's API, and what its clients send.
import { uuidOf } from '../../../core/ids.ts'
import { put } from '../../../controller/state/documents.ts'
import { Schedules } from '../../../controller/reconcile/schedules.ts'
import type { Context } from '../../../controller/use-cases/context.ts'
import type { Result } from '../../../core/run.ts'
import { project, startApi, type Answer, type Api, type Loose } from '../harness.ts'

export const base = '/qinling/v1'

export interface World extends Api {
  /** Moves the clock to an instant, as shown or in milliseconds. */
  readonly until: (at: string | number) => void
  /** Lets the leader look at a job until nothing of it is due; runs that this starts are still open. */
  readonly look: (uuid: string) => Promise<void>
  /** As `look`, at a session. */
  readonly lookAtSession: (id: string) => Promise<void>
  /** As `look`, with the state of another server. */
  readonly lookAs: (context: Context, uuid: string) => Promise<void>
  /** Moves the clock to when a job fires next, and lets it, and its run end. Gives the job after it. */
  readonly fire: (uuid: string) => Promise<Loose>
  /** Ends what is open. */
  readonly endRuns: (result?: Result) => Promise<void>
  /** The executions of a job, oldest first. */
  readonly firings: (uuid: string) => Promise<Loose[]>
  /** Asks Qinling's API; `path` comes after `/qinling/v1`. */
  readonly q: (method: string, path: string, body?: unknown, as?: string) => Promise<Answer>
  /** Saves an action and gives the UUID that it is shown under as a function. */
  readonly saved: (more?: object, id?: string) => Promise<string>
  /** A job as a client sends it: every key. */
  readonly job: (more?: object) => Promise<Loose>
  readonly actionId: (uuid: string) => string
}

export const noUuid = '00000000-dead-4bad-8bad-000000000000'

/** As Qinling shows it. */
export const time = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`

/** One client with an agent, n1, and the API before it. */
export async function startWorld(): Promise<World> {
  const api = await startApi()
  await api.enrolled('n1')
  const q: World['q'] = (method, path, body, as) => api.ask(method, `${base}${path}`, body, as)
  const saved: World['saved'] = async (more = {}, id) => {
    const action = { freezer_action: { action: 'exec', command: 'true' }, ...more }
    const made = await api.ask('POST', id === undefined ? '/v1/actions' : `/v1/actions/${id}`, action)
    if (made.status !== 201) throw new Error(made.text)
    return uuidOf(made.json.action_id)
  }
  const leadership = api.store.leadership()
  const until: World['until'] = (at) => api.pass(Number(new Date(at)) - api.now())
  const lookAs: World['lookAs'] = async (context, uuid) => {
    const schedules = new Schedules({ context, epoch: () => leadership.epoch() })
    const job = [...api.context.state.all('job')].find(({ value }) => uuidOf(value.id) === uuid)
    if (!job) throw new Error(`no job ${uuid}`)
    for (let looks = 0; looks < 10; looks++) {
      const again = await schedules.lookAtJob(job.value.project, job.value.id)
      if (again === undefined || again > api.now()) return
    }
    throw new Error('there is no end of what is due')
  }
  const lookAtSession = async (id: string) => {
    const schedules = new Schedules({ context: api.context, epoch: () => leadership.epoch() })
    await schedules.lookAtSession(project, id)
  }
  const look = (uuid: string) => lookAs(api.context, uuid)
  const endRuns: World['endRuns'] = async (result = 'success') => {
    for (const { value } of [...api.context.state.where('run', 'open', '*')]) {
      const state = { is: 'finished', attempt: 1, result, at: api.now() } as const
      const ended = { ...value, startedAt: value.createdAt, state }
      await api.context.state.commit({ requires: [], puts: [put('run', value.project, value.id, ended)] })
    }
  }
  const shown = async (uuid: string) => (await q('GET', `/jobs/${uuid}`)).json
  return {
    ...{ ...api, until, look, lookAs, lookAtSession, endRuns },
    q,
    saved,
    async fire(uuid) {
      until((await shown(uuid)).next_execution_time)
      await look(uuid)
      await endRuns()
      return shown(uuid)
    },
    async firings(uuid) {
      const list = await q('GET', `/executions?description=has:${uuid}&all_projects=1`)
      return list.json.executions
    },
    actionId: (uuid) => uuid.replaceAll('-', ''),
    async job(more = {}) {
      const body = { ...nothing, pattern: '30 2 * * *', function_id: await saved(), ...more }
      const made = await q('POST', '/jobs', body)
      if (made.status !== 201) throw new Error(made.text)
      return made.json
    },
  }
}

/** What the client sends where its caller has said nothing. */
export const nothing = {
  ...{ function_alias: null, function_id: null, function_version: 0, name: null },
  ...{ first_execution_time: null, pattern: null, function_input: null, count: null },
}
