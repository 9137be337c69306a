// Lists, and what a search finds.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Json, JsonObject } from '../../../core/action.ts'
import { byHand, smallJob, startApi, type Api, type Loose } from '../harness.ts'

const ids = (answer: { json: Loose }): string[] => answer.json.jobs.map((job: Loose) => job.job_id)

/** Jobs `j0`, `j1` … of a client without an agent. */
async function withJobs(count: number, client = 'old'): Promise<Api> {
  const api = await startApi()
  for (let n = 0; n < count; n++) {
    await api.ask('POST', `/v1/jobs/j${n}`, smallJob(client))
    api.pass(1)
  }
  return api
}

const poll = { match_not: [{ status: 'completed' }], match: [{ client_id: 'old' }] }

describe('a page', () => {
  it('is never shorter than asked for while more match', async () => {
    const { ask } = await withJobs(130)
    expect(ids(await ask('GET', '/v1/jobs?limit=120'))).toHaveLength(120)
    expect(ids(await ask('GET', '/v1/jobs?limit=120&offset=20'))).toHaveLength(110)
    expect(ids(await ask('GET', '/v1/jobs?limit=10000', poll))).toHaveLength(130)
    const refused = await ask('GET', '/v1/jobs?limit=10001')
    expect([refused.status, refused.json.description]).toEqual([400, expect.stringContaining('limit')])
  })

  it.each([{}, { match: [{ _all: 'exec' }] }, poll, { match: [{ client_id: 'old' }] }])(
    'and the next ones give each document once, in order of creation: %j',
    async (search) => {
      const { ask } = await withJobs(33)
      for (const base of ['/v1', '/v2/p1']) {
        const pages: string[] = []
        for (let offset = 0; offset < 40; offset += 10)
          pages.push(...ids(await ask('GET', `${base}/jobs/?limit=10&offset=${offset}`, search)))
        expect(pages).toEqual(Array.from({ length: 33 }, (_, n) => `j${n}`))
      }
    },
  )

  it('counts its offset in what is found', async () => {
    const { ask } = await startApi()
    for (const name of ['a', 'b', 'a', 'b', 'a', 'b'])
      await ask('POST', '/v1/actions', { freezer_action: { backup_name: name } })
    const found = await ask('GET', '/v2/p1/actions?limit=2&offset=1', { match: [{ backup_name: 'b' }] })
    expect(found.json.actions.map((one: Loose) => one.freezer_action.backup_name)).toEqual(['b', 'b'])
  })

  it('ignores what it does not read', async () => {
    const { ask } = await withJobs(2)
    expect(ids(await ask('GET', '/v1/jobs?marker=x&sort_key=y&search=z'))).toHaveLength(2)
  })
})

describe("a scheduler's poll", () => {
  it('finds what is not over, in order of creation, however jobs end and begin again', async () => {
    const { ask } = await withJobs(6)
    const status = (id: string, word: string) =>
      ask('PATCH', `/v1/jobs/${id}`, { job_schedule: { status: word } })
    for (const id of ['j1', 'j3', 'j5']) await status(id, 'completed')
    expect(ids(await ask('GET', '/v1/jobs/?limit=10&offset=0', poll))).toEqual(['j0', 'j2', 'j4'])
    await ask('POST', '/v1/jobs/j3/event', { start: null })
    await status('j0', 'completed')
    expect(ids(await ask('GET', '/v1/jobs/?limit=10&offset=0', poll))).toEqual(['j2', 'j3', 'j4'])
    expect(ids(await ask('GET', '/v2/p1/jobs/?limit=10&offset=1', poll))).toEqual(['j3', 'j4'])
    await ask('DELETE', '/v1/jobs/j2')
    await ask('PATCH', '/v1/jobs/j4', { client_id: 'other' })
    expect(ids(await ask('GET', '/v1/jobs/?limit=10&offset=0', poll))).toEqual(['j3'])
  })

  it('sees what the servers run end, and what they run no more', async () => {
    const { ask, enrolled } = await startApi()
    await enrolled('old')
    await ask('POST', '/v1/jobs/once', smallJob('old', byHand))
    await ask('POST', '/v1/jobs/once/event', { start: null })
    expect(ids(await ask('GET', '/v1/jobs', poll))).toEqual(['once'])
    const [run] = (await ask('GET', '/v1/runs?job_id=once')).json.runs
    await ask('POST', `/v1/runs/${run.run_id}/cancel`)
    expect((await ask('GET', '/v1/jobs/once')).json.job_schedule.status).toBe('completed')
    expect(ids(await ask('GET', '/v1/jobs', poll))).toEqual([])
    await ask('POST', '/v1/clients/old/revoke')
    expect((await ask('GET', '/v1/jobs/once')).json.job_schedule.status).toBe('')
    expect(ids(await ask('GET', '/v1/jobs', poll))).toEqual(['once'])
  })

  it('may ask for the same pair again and again', async () => {
    const { ask } = await withJobs(3)
    const match = Array.from({ length: 500 }, () => ({ client_id: 'old' }))
    expect(ids(await ask('GET', '/v1/jobs', { ...poll, match }))).toEqual(['j0', 'j1', 'j2'])
  })
})

describe('a text of the command line', () => {
  it.each([
    ['NIGHTLY', ['a']],
    ['nowhere nightly', ['a']],
    ['', ['a', 'b']],
    ['[{"description": "nightly copy"}]', ['a']],
    ['[{"client_id": "old"}, {"description": "weekly"}]', ['b']],
    ['[{"_all": "weekly"}]', ['b']],
    ['[1, 2]', []],
    ['[]', ['a', 'b']],
  ])('%j', async (text, expected) => {
    const { ask } = await startApi()
    await ask('POST', '/v1/jobs/a', smallJob('old', { description: 'nightly copy' }))
    await ask('POST', '/v1/jobs/b', smallJob('old', { description: 'weekly' }))
    expect(ids(await ask('GET', '/v1/jobs', { match: [{ _all: text }] }))).toEqual(expected)
  })

  it('honours what may not match beside it', async () => {
    const { ask } = await withJobs(2)
    await ask('PATCH', '/v1/jobs/j1', { description: 'left out' })
    const search = { match: [{ _all: '[{"client_id": "old"}]' }], match_not: [{ description: 'left out' }] }
    expect(ids(await ask('GET', '/v1/jobs', search))).toEqual(['j0'])
  })

  it('is bounded', async () => {
    const { ask } = await startApi()
    const words = Array.from({ length: 100 }, (_, n) => `word${n}`).join(' ')
    const pairs = Array.from({ length: 100 }, (_, n) => ({ [`key${n}`]: n }))
    for (const search of [{ match: [{ _all: words }] }, { match: pairs }, { match_not: pairs }])
      expect((await ask('GET', '/v1/jobs', search)).status).toBe(400)
  })
})

describe('a key that every object of the language has', () => {
  it.each(['__proto__', 'constructor', 'toString', 'length'])('%s is in no document', async (key) => {
    const { ask } = await withJobs(1)
    for (const value of ['"x"', 'null', '{}', '1']) {
      const list = `[{"${key}": ${value}}]`
      expect(ids(await ask('GET', '/v1/jobs', `{"match": ${list}}`))).toEqual([])
      expect(ids(await ask('GET', '/v1/jobs', `{"match_not": ${list}}`))).toEqual(['j0'])
    }
  })
})

describe('bounds of time', () => {
  const stamped = async (api: Api, ...times: unknown[]) => {
    for (const time_stamp of times)
      await api.ask('POST', '/v1/backups', {
        ...{ container: 'c', hostname: 'h', backup_name: 'b', time_stamp },
      })
  }
  it.each([
    [{ time_after: 1700000000, time_before: 1800000000 }, [1700000000, 1800000000]],
    [{ time_after: 1700000001 }, [1800000000, 1900000000]],
    [{ time_before: 1700000000 }, [1600000000, 1700000000]],
    [{ time_after: 1700000000, match_not: [{ time_stamp: 1900000000 }] }, [1700000000, 1800000000]],
  ])('%j are inclusive, and about backups', async (search, expected) => {
    const api = await startApi()
    await stamped(api, 1600000000, 1700000000, 1800000000, 1900000000)
    await api.ask('POST', '/v1/jobs/j', smallJob('old'))
    const { backups } = (await api.ask('GET', '/v1/backups', search)).json
    expect(backups.map((backup: Loose) => backup.backup_metadata.time_stamp)).toEqual(expected)
    expect(ids(await api.ask('GET', '/v1/jobs', { time_after: 1700000000 }))).toEqual(['j'])
  })
})

// What the search is held against, from its published words alone: every key of a shown document with its value, written out.
function places(value: Json): (readonly [key: string, value: string])[] {
  if (typeof value !== 'object' || value === null) return []
  if (Array.isArray(value)) return value.flatMap(places)
  return Object.entries(value).flatMap(([key, item]) => [[key, sorted(item)] as const, ...places(item)])
}
const sorted = (value: Json): string =>
  JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  )
const stringsIn = (value: Json): string[] => {
  if (typeof value === 'string') return [value.toLowerCase()]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsIn) : []
}
interface Asked {
  readonly match: readonly JsonObject[]
  readonly match_not: readonly JsonObject[]
  readonly text: string | undefined
}
function isExpected(document: JsonObject, { match, match_not, text }: Asked): boolean {
  const known = places(document)
  const has = (list: readonly JsonObject[]): boolean[] =>
    list.flatMap((pairs) =>
      Object.entries(pairs).map(([key, value]) =>
        known.some(([at, item]) => at === key && item === sorted(value)),
      ),
    )
  const strings = stringsIn(document)
  const words = text?.toLowerCase().split(' ').filter(Boolean) ?? []
  const isTold = words.length === 0 || words.some((word) => strings.some((one) => one.includes(word)))
  return !has(match).includes(false) && !has(match_not).includes(true) && isTold
}

const leaf = fc.constantFrom<Json>('etc', 'Home etc', 'completed', 'old', '', 0, 1, true, null)
const anyDepth = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 2, weight: 3, arbitrary: leaf },
    fc.array(tie('value'), { maxLength: 2 }),
    fc.dictionary(fc.constantFrom('status', 'client_id', 'backup_name', 'x'), tie('value'), { maxKeys: 2 }),
  ),
})).value
const words = fc.constantFrom('etc', 'home', '')
const jobs = fc.array(
  fc.record(
    {
      client_id: fc.constantFrom('old', 'new', 'agent'),
      description: words,
      job_schedule: fc.record(
        {
          status: fc.constantFrom('', 'scheduled', 'completed'),
          schedule_interval: fc.constant('1 days'),
          event: fc.constantFrom('', 'stop'),
        },
        { requiredKeys: [] },
      ),
      job_actions: fc.array(
        fc.record(
          {
            freezer_action: fc.dictionary(fc.constantFrom('backup_name', 'x', 'ssh_password'), words, {
              maxKeys: 2,
            }),
            mandatory: fc.boolean(),
            note: anyDepth,
          },
          { requiredKeys: ['freezer_action'] },
        ),
        { maxLength: 2 },
      ),
      firn: fc.constantFrom({ timezone: 'UTC' }, { client_selector: { status: 'completed' } }),
    },
    { requiredKeys: ['client_id', 'job_actions'] },
  ),
  { minLength: 1, maxLength: 8 },
)
const searched = fc.record({
  match: fc.array(
    fc.dictionary(
      fc.constantFrom(
        ...['status', 'client_id', 'backup_name', 'description', 'mandatory', 'x', 'note', 'nothing'],
        ...['session_tag', 'session_id', 'timezone', 'schedule_interval', 'ssh_password', 'firn'],
      ),
      fc.oneof(leaf, fc.constantFrom<Json>('1 days', 'UTC', '***', { timezone: 'UTC' }, [])),
      { maxKeys: 1 },
    ),
    { maxLength: 2 },
  ),
  match_not: fc.array(fc.dictionary(fc.constantFrom('status', 'x', 'client_id'), leaf, { maxKeys: 1 }), {
    maxLength: 2,
  }),
  text: fc.option(fc.constantFrom('ETC', 'nowhere', 'nowhere home', 'schedul', '*', 'u-admin'), {
    nil: undefined,
  }),
})

describe('any search over any jobs', () => {
  it('finds what a look at every shown job finds', async () => {
    const counts = { found: 0, left: 0 }
    await fc.assert(
      fc.asyncProperty(jobs, fc.array(searched, { minLength: 4, maxLength: 8 }), async (stored, searches) => {
        const { ask, enrolled } = await startApi()
        await enrolled('agent')
        for (const [n, job] of stored.entries())
          expect([201]).toContain((await ask('POST', `/v1/jobs/j${n}`, job)).status)
        for (const base of ['/v1', '/v2/p1']) {
          const all: JsonObject[] = (await ask('GET', `${base}/jobs?limit=100`)).json.jobs
          for (const search of [
            ...searches,
            { match: [{ client_id: 'old' }], match_not: [{ status: 'completed' }], text: undefined },
          ]) {
            const expected = all.filter((job) => isExpected(job, search))
            counts.found += expected.length
            counts.left += all.length - expected.length
            const { match, match_not, text } = search
            const body = { match: [...match, ...(text === undefined ? [] : [{ _all: text }])], match_not }
            const found = (await ask('GET', `${base}/jobs?limit=100`, body)).json.jobs
            expect(found).toEqual(expected)
            expect((await ask('GET', `${base}/jobs?limit=1&offset=1`, body)).json.jobs).toEqual(
              expected.slice(1, 2),
            )
          }
        }
      }),
      { numRuns: 60 },
    )
    expect(Math.min(counts.found, counts.left)).toBeGreaterThan(200)
  })
})

describe('a search over many jobs', () => {
  it('lets other requests go first', async () => {
    const { ask } = await withJobs(1500)
    const over: string[] = []
    const search = ask('GET', '/v1/jobs', { match: [{ result: 'nowhere' }] }).then(() => over.push('search'))
    // Each of these is asked when the one before it has been answered.
    for (let n = 0; n < 3; n++) {
      await ask('GET', '/v1/jobs/j0')
      over.push('show')
    }
    await search
    expect(over).toEqual(['show', 'show', 'show', 'search'])
  })
})
