// The reference: what it tells of, and that it is true of every answer that these tests get (harness.ts looks).
import { describe, expect, it } from 'vitest'
import { apiRoutes } from '../../api/routes.ts'
import { startApi, type Loose } from './harness.ts'
import { untold } from './told.ts'

describe('the reference', () => {
  it('tells of every route', () => {
    expect(untold(apiRoutes)).toEqual([])
  })

  it('is there for everybody, and read again only when it is another', async () => {
    const { ask } = await startApi()
    const first = await ask('GET', '/openapi.json', undefined, '')
    expect([first.status, first.headers.get('content-type')]).toEqual([200, 'application/json'])
    expect(first.json.openapi).toBe('3.1.0')
    const etag = first.headers.get('etag') ?? ''
    const again = await ask('GET', '/openapi.json', undefined, '', { 'if-none-match': etag })
    expect([again.status, again.text]).toEqual([304, ''])
  })

  it('names every operation, its parameters and its errors', async () => {
    const { ask } = await startApi()
    const { paths, components } = (await ask('GET', '/openapi.json', undefined, '')).json
    const show = paths['/v1/runs/{run_id}'].get
    expect(show).toMatchObject({
      operationId: 'getRun',
      'x-role': 'viewer',
      parameters: [{ name: 'run_id', in: 'path', required: true }],
      responses: {
        200: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Run' } } } },
        '4XX': { $ref: '#/components/responses/Problem' },
      },
    })
    expect(components.schemas.Run.properties.state.enum).toContain('unknown')
    expect(paths['/v1/runs'].get.parameters.find(({ name }: Loose) => name === 'limit').schema).toEqual({
      ...{ type: 'integer', default: 50, minimum: 1, maximum: 1000 },
    })
    expect(paths['/healthz'].get.security).toEqual([])
  })

  it('refers to nothing that is not in it', async () => {
    const { ask } = await startApi()
    const { text, json } = await ask('GET', '/openapi.json', undefined, '')
    const broken = [...text.matchAll(/"\$ref":"#\/([^"]+)"/g)]
      .map(([, target = '']) => target)
      .filter((target) => target.split('/').reduce((at: Loose, key) => at?.[key], json) === undefined)
    expect(broken).toEqual([])
  })

  it('is a page, too, that needs nothing from elsewhere and whose links lead somewhere', async () => {
    const { ask } = await startApi()
    const { text, headers } = await ask('GET', '/reference', undefined, '', { accept: 'text/html' })
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(text).not.toMatch(/<script|<link|<img|https?:\/\//)
    const ids = new Set([...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id))
    const links = [...text.matchAll(/href="#([^"]+)"/g)].map(([, target]) => target)
    expect(links.length).toBeGreaterThan(50)
    expect(links.filter((target) => !ids.has(target))).toEqual([])
    expect(ids).toContain('fault-not_found')
  })
})
