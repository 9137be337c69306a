// Saved actions and clients for tests of Qinling's API, and what its clients send.
import { uuidOf } from '../../../core/ids.ts'
import { startApi, type Answer, type Api, type Loose } from '../harness.ts'

export const base = '/qinling/v1'

export interface World extends Api {
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
  return {
    ...api,
    q,
    saved,
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
