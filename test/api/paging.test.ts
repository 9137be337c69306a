// Lists of the own API: every document once, in order, page by page, whatever comes and goes meanwhile.
import { describe, expect, it } from 'vitest'
import { put, ref } from '../../controller/state/documents.ts'
import { project, smallJob, startApi, type Api, type Loose } from './harness.ts'

interface List {
  readonly path: string
  readonly plural: string
  readonly newestFirst: boolean
  /** Makes the nth; answers its id. */
  readonly make: (api: Api, n: number) => Promise<string>
  readonly idOf: (document: Loose) => string
}

const startRun = async (api: Api) => {
  const { json } = await api.ask('POST', '/v1/runs', { job_id: 'j' })
  return json.runs[0].run_id as string
}

/** A start that has ended, so that the next one may begin. */
async function startSet(api: Api): Promise<string> {
  const { json } = await api.ask('POST', '/v1/sessions/s/start', {})
  const set = api.context.state.get('set', project, json.set_id)?.value
  if (!set) throw new Error(`no set ${json.set_id}`)
  const outcome = { result: 'success', grade: 'G0' } as const
  const phase = { is: 'ended', at: api.now(), outcome } as const
  await api.context.state.commit({
    requires: [],
    puts: [put('set', project, json.set_id, { ...set, phase })],
  })
  return json.set_id as string
}

const lists: readonly List[] = [
  ...['/v1/runs', '/v1/runs?job_id=j', '/v1/runs?client_id=n1', '/v1/runs?state=waiting'].map((path) => ({
    ...{ path, plural: 'runs', newestFirst: true, make: startRun },
    idOf: (run: Loose) => run.run_id as string,
  })),
  ...['/v1/sets', '/v1/sets?session_id=s'].map((path) => ({
    ...{ path, plural: 'sets', newestFirst: true, make: startSet },
    idOf: (set: Loose) => set.set_id as string,
  })),
  {
    ...{ path: '/v1/repositories', plural: 'repositories', newestFirst: false },
    make: async (api, n) =>
      (await api.ask('POST', '/v1/repositories', { location: `/${n}` })).json.repository_id as string,
    idOf: (repository) => repository.repository_id as string,
  },
  {
    ...{ path: '/v1/tokens', plural: 'tokens', newestFirst: false },
    make: async (api, n) =>
      (await api.ask('POST', '/v1/tokens', { user_id: `u${n}`, role: 'viewer' })).json.token_id as string,
    idOf: (token) => token.token_id as string,
  },
]

async function started() {
  const api = await startApi()
  await api.enrolled('n1')
  await api.ask('POST', '/v1/jobs/j', smallJob('n1'))
  await api.ask('POST', '/v1/sessions/s', { schedule: {}, hold_off: 0 })
  await api.ask('PUT', '/v1/sessions/s/jobs/j')
  return api
}

describe.each(lists)('GET $path', ({ path, plural, newestFirst, make, idOf }) => {
  it('gives each document once, in order', async () => {
    const api = await started()
    const before = new Set<string>((await api.ask('GET', path)).json[plural].map(idOf))
    const made: string[] = []
    for (let n = 0; n < 7; n++) {
      api.pass(1_000)
      made.push(await make(api, n))
    }
    const seen: string[] = []
    const join = path.includes('?') ? '&' : '?'
    for (let target = `${path}${join}limit=3`, pages = 0; target !== '' && pages < 9; pages++) {
      const { status, json } = await api.ask('GET', target)
      expect([status, json[plural].length <= 3]).toEqual([200, true])
      seen.push(...json[plural].map(idOf))
      target = json.next === null ? '' : `${path}${join}limit=3&cursor=${json.next}`
      if (pages > 0) continue
      // The one that the page ended with goes; the rest does not shift.
      const kind = plural === 'runs' ? 'run' : plural === 'sets' ? 'set' : undefined
      if (kind) {
        const gone = ref(kind, project, seen.at(-1) ?? '')
        await api.context.state.commit({ requires: [], puts: [], deletes: [gone] })
      }
    }
    expect(seen.filter((id) => !before.has(id))).toEqual(newestFirst ? made.toReversed() : made)
  })

  it.each(['limit=0', 'limit=1001', 'limit=x', 'limit=', 'limit=1.5', 'cursor=nonsense'])(
    'refuses %s',
    async (query) => {
      const { ask } = await startApi()
      const { json } = await ask('GET', `${path}${path.includes('?') ? '&' : '?'}${query}`)
      expect(json).toMatchObject({ status: 400, field: query.split('=')[0] })
    },
  )
})

describe('a cursor', () => {
  it('of another list, or a part of one, is refused', async () => {
    const api = await started()
    for (let n = 0; n < 2; n++) {
      await startRun(api)
      await api.ask('POST', '/v1/tokens', { user_id: `u${n}`, role: 'viewer' })
    }
    const { next } = (await api.ask('GET', '/v1/runs?limit=1')).json
    const other = await api.token('admin', 'u-root', 'p2')
    const unsigned = Buffer.from('0 x').toString('base64url')
    for (const [path, as] of [
      [`/v1/sets?cursor=${next}`],
      [`/v1/tokens?cursor=${next}`],
      [`/v1/runs?cursor=${next.slice(0, -1)}`],
      [`/v1/runs?cursor=${unsigned}`],
      [`/v1/runs?cursor=${next}`, other],
    ] as const) {
      const { json } = await api.ask('GET', path, undefined, as)
      expect([path, json.status, json.field]).toEqual([path, 400, 'cursor'])
    }
    for (const path of ['/v1/runs', '/v1/runs/'])
      expect((await api.ask('GET', `${path}?cursor=${next}`)).json.runs).toHaveLength(1)
  })
})
