// Changes that name what their caller has seen.
import { describe, expect, it } from 'vitest'
import { smallJob, startApi, type Api } from './harness.ts'

const ifMatch = (tag: string) => ({ 'if-match': tag })

interface Kind {
  readonly name: string
  readonly path: string
  readonly body: object
  readonly change: object
  /** How one is made anew under its id. */
  readonly replaces: boolean
}

const kinds: readonly Kind[] = [
  { name: 'job', path: '/v1/jobs/j', body: smallJob('n1'), change: { description: 'new' }, replaces: true },
  {
    ...{ name: 'session', path: '/v2/p1/sessions/s', body: { schedule: {} } },
    ...{ change: { description: 'new' }, replaces: true },
  },
  {
    ...{
      name: 'action',
      path: '/v1/actions/a',
      body: { freezer_action: { action: 'exec', command: 'true' } },
    },
    ...{ change: { max_retries: 3 }, replaces: true },
  },
]

async function stored(api: Api, { path, body }: Kind): Promise<string> {
  expect((await api.ask('POST', path, body)).status).toBe(201)
  return (await api.ask('GET', path)).headers.get('etag') ?? ''
}

describe.each(kinds)('a change to a $name', (kind) => {
  const { path, body, change } = kind

  it('is made to the one that was seen, and shows the tag of the next', async () => {
    const api = await startApi()
    const seen = await stored(api, kind)
    expect(seen).toMatch(/^"\S+"$/)
    const changed = await api.ask('PATCH', path, change, undefined, ifMatch(seen))
    expect(changed.status).toBe(200)
    const next = changed.headers.get('etag') ?? ''
    expect(next).not.toBe(seen)
    expect((await api.ask('GET', path)).headers.get('etag')).toBe(next)
    expect((await api.ask('POST', path, body, undefined, ifMatch(`"other", ${next}`))).status).toBe(201)
  })

  it('is refused when it is another by now, and nothing is stored', async () => {
    const api = await startApi()
    const seen = await stored(api, kind)
    await api.ask('PATCH', path, change)
    const before = (await api.ask('GET', path)).json
    for (const method of ['PATCH', 'POST', 'DELETE']) {
      const refused = await api.ask(method, path, method === 'POST' ? body : change, undefined, ifMatch(seen))
      expect([method, refused.status]).toEqual([method, 412])
    }
    expect((await api.ask('GET', path)).json).toEqual(before)
  })

  it('is refused when it was deleted and made again', async () => {
    const api = await startApi()
    const seen = await stored(api, kind)
    await api.ask('DELETE', path)
    api.pass(5)
    await stored(api, kind)
    expect((await api.ask('PATCH', path, change, undefined, ifMatch(seen))).status).toBe(412)
  })

  it('is made by one of many who have seen the same', async () => {
    const api = await startApi()
    const token = await api.token('admin')
    const other = await startApi({}, api.store)
    const seen = await stored(api, kind)
    const asked = [api, other, api, other].map((server) =>
      server.ask('PATCH', path, change, server === other ? token : undefined, ifMatch(seen)),
    )
    const statuses = (await Promise.all(asked)).map(({ status }) => status)
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 412, 412, 412])
  })

  it('may be that it comes into being, or that it is there at all', async () => {
    const { ask } = await startApi()
    const none = { 'if-none-match': '*' }
    expect((await ask('POST', path, body, undefined, ifMatch('*'))).status).toBe(412)
    expect((await ask('POST', path, body, undefined, none)).status).toBe(201)
    expect((await ask('POST', path, body, undefined, none)).status).toBe(412)
    expect((await ask('PATCH', path, change, undefined, ifMatch('*'))).status).toBe(200)
  })

  it.each(['abc', 'W/"1"', '"a" "b"', `"${'x'.repeat(3000)}"`])('refuses If-Match: %s', async (tag) => {
    const api = await startApi()
    await stored(api, kind)
    const refused = await api.ask('PATCH', path, change, undefined, ifMatch(tag))
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('If-Match')])
  })
})

describe('a repository', () => {
  it('is said anew under the tag that it was shown with', async () => {
    const { ask } = await startApi()
    const made = await ask('POST', '/v1/repositories', { location: '/srv/a' })
    const path = `/v1/repositories/${made.json.repository_id}`
    const tag = made.headers.get('etag') ?? ''
    expect((await ask('GET', path)).headers.get('etag')).toBe(tag)
    const moved = await ask('PATCH', path, { location: '/srv/b' }, undefined, ifMatch(tag))
    expect([moved.status, moved.json.location]).toEqual([200, '/srv/b'])
    const late = await ask('PATCH', path, { location: '/srv/c' }, undefined, ifMatch(tag))
    expect(late.json).toMatchObject({ status: 412, code: 'precondition_failed' })
    expect((await ask('GET', path)).json.location).toBe('/srv/b')
    expect((await ask('PATCH', path, { location: 'c' })).json.field).toBe('location')
    expect((await ask('PATCH', '/v1/repositories/nowhere', {})).status).toBe(404)
  })
})
