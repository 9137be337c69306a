// A whole Firn that takes the tokens of a real Keystone.
import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStack, type Stack } from '../../scripts/up/stack.ts'
import { eventually } from '../support/eventually.ts'
import { password, serviceUser, startKeystone, type Keystone } from '../support/keystone.ts'
import type { Loose } from '../support/stack.ts'
import { tempDir } from '../support/temp.ts'

const undo = new AsyncDisposableStack()
let keystone: Keystone
let firn: Stack
/** Keystone's ids of the projects. */
let shop: string
let bank: string

/** How long Firn believes Keystone here. Seconds. */
const cacheSeconds = 4

beforeAll(async () => {
  const dir = undo.use(await tempDir('keystone-test'))
  keystone = undo.use(await startKeystone())
  ;[shop, bank] = [await keystone.project('shop'), await keystone.project('bank')]
  await keystone.user('alice', { shop: 'member' })
  await keystone.user('bob', { bank: 'member' })
  await keystone.user('vera', { shop: 'reader' })
  await keystone.user('root', { bank: 'admin' })
  await keystone.user('odd', { shop: 'service' })
  const password_file = dir.join('password')
  await writeFile(password_file, password, { mode: 0o600 })
  const { user, project } = serviceUser
  firn = undo.use(
    await startStack({
      dataDir: dir.join('firn'),
      agents: 0,
      serverConfig: {
        keystone: { url: keystone.url, user, project, password_file, cache_seconds: cacheSeconds },
      },
    }),
  )
  await keystone.endpoint('backup', firn.url)
  await keystone.endpoint('database', `${firn.url}/v1.0/$(project_id)s`)
  await keystone.endpoint('function-engine', `${firn.url}/qinling`)
}, 180_000)

afterAll(() => undo.disposeAsync(), 60_000)

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly json: Loose
}

async function ask(token: string, method: string, where: string, body?: object): Promise<Answer> {
  const response = await fetch(where.startsWith('http') ? where : `${firn.url}${where}`, {
    method,
    headers: { 'x-auth-token': token, 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
    signal: AbortSignal.timeout(10_000),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, json: text && JSON.parse(text) }
}

const status = async (token: string, where = '/v1/whoami'): Promise<number> =>
  (await ask(token, 'GET', where)).status

const job = { client_id: 'node-1', job_actions: [{ freezer_action: { action: 'exec', command: 'true' } }] }

describe('a token of Keystone', () => {
  it('stands for its project and user, and for what its roles mean here', async () => {
    const [alice, vera, root] = [
      await keystone.token('alice', 'shop'),
      await keystone.token('vera', 'shop'),
      await keystone.token('root', 'bank'),
    ]
    expect((await ask(alice, 'GET', '/v1/whoami')).json).toMatchObject({
      ...{ project_id: shop, user_name: 'alice', role: 'operator' },
    })
    expect((await ask(vera, 'GET', '/v1/whoami')).json).toMatchObject({ project_id: shop, role: 'viewer' })
    expect((await ask(root, 'GET', '/v1/whoami')).json).toMatchObject({ project_id: bank, role: 'admin' })
    expect((await ask(vera, 'POST', '/v1/jobs', job)).status).toBe(403)
    expect((await ask(alice, 'POST', '/v1/jobs', job)).status).toBe(201)
    expect(await status(alice, '/v1/tokens')).toBe(403)
    expect(await status(root, '/v1/tokens')).toBe(200)
  })

  it('sees its own project, and an administrator any that a path of Freezer names', async () => {
    const [alice, bob, root] = [
      await keystone.token('alice', 'shop'),
      await keystone.token('bob', 'bank'),
      await keystone.token('root', 'bank'),
    ]
    const { json } = await ask(alice, 'POST', `/v2/${shop}/jobs`, job)
    const path = `/v2/${shop}/jobs/${json.job_id}`
    expect(await status(alice, path)).toBe(200)
    expect(await status(bob, path)).toBe(403)
    expect(await status(bob, `/v2/${bank}/jobs/${json.job_id}`)).toBe(404)
    expect(await status(root, path)).toBe(200)
    expect(await status(bob, `/v1.0/${shop}/backups`)).toBe(403)
    expect(await status(root, `/v1.0/${shop}/backups`)).toBe(403)
  })

  it('leads to each façade by the catalogue', async () => {
    const alice = await keystone.token('alice', 'shop')
    for (const [type, path] of [
      ['backup', '/v1/jobs'],
      ['backup', `/v2/${shop}/jobs`],
      ['database', '/backups'],
      ['function-engine', '/v1/jobs'],
    ] as const)
      expect([type, await status(alice, (await keystone.endpointFor(alice, type)) + path)]).toEqual([
        type,
        200,
      ])
  })

  it('is refused when it is none, for no project, or without a role that means anything', async () => {
    const unscoped = await keystone.token('alice')
    const odd = await keystone.token('odd', 'shop')
    for (const token of ['gAAAAABnonsense', 'x', '%00%ff{}"\'', 'a'.repeat(8_000), unscoped])
      expect([token.slice(0, 20), await status(token)]).toEqual([token.slice(0, 20), 401])
    expect(await status(odd)).toBe(403)
    for (const where of ['/v1/jobs', `/v1.0/${shop}/backups`, '/qinling/v1/jobs', '/v1/runs']) {
      const { status, headers } = await ask('gAAAAABnonsense', 'GET', where)
      expect([where, status, headers.get('www-authenticate')]).toEqual([
        ...[where, 401, `Keystone uri="${keystone.url}"`],
      ])
    }
  })

  it('is refused once it was revoked and what was known of it is too old', async () => {
    const token = await keystone.token('alice', 'shop')
    expect(await status(token)).toBe(200)
    await keystone.revoke(token)
    await eventually(async () => (await status(token)) === 401, { withinMs: 30_000 })
  })

  it('is looked up by a new token of the server when the old one was revoked', async () => {
    expect(await status(await keystone.token('alice', 'shop'))).toBe(200)
    await keystone.revokeAll(serviceUser.user)
    const token = await keystone.token('alice', 'shop')
    // Keystone revokes by the second: a token that is made at once may still count among the old ones.
    await eventually(async () => (await status(token)) === 200)
  })
})

describe('while Keystone is away', () => {
  it('known tokens go on until what is known is too old, others wait for it, own ones do not care', async () => {
    const [known, unknown] = [await keystone.token('alice', 'shop'), await keystone.token('vera', 'shop')]
    expect(await status(known)).toBe(200)
    await keystone.stop()
    expect(await status(known)).toBe(200)
    const { status: away, json } = await ask(unknown, 'POST', '/v1/runs', { job_id: 'j' })
    expect([away, json.code]).toEqual([503, 'identity_down'])
    await eventually(async () => (await status(known)) === 503, { withinMs: 30_000 })
    expect(await status(firn.token)).toBe(200)
    await keystone.restart()
    expect(await status(known)).toBe(200)
    expect(await status(unknown)).toBe(200)
  })
})

describe('a token that ends', () => {
  it('is refused from then on, although it was known', async () => {
    await keystone.restart(5)
    const token = await keystone.token('alice', 'shop')
    expect(await status(token)).toBe(200)
    await eventually(async () => (await status(token)) === 401, { withinMs: 30_000 })
    await keystone.restart()
  })
})
