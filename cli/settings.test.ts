import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tempDir, type TempDir } from '../test/support/temp.ts'
import { firn } from './support/firn.ts'
import { fakeServer, type FakeServer } from './support/fake-server.ts'
import { settle } from './settings.ts'

let dir: TempDir
let config: string

beforeAll(async () => {
  dir = await tempDir('cli')
  config = dir.join('config.yaml')
  writeFileSync(
    config,
    [
      'current: here',
      'contexts:',
      '  here: {server: "http://127.0.0.1:1", token: here-token}',
      '  there: {server: "https://there.example", token: there-token}',
      '',
    ].join('\n'),
    { mode: 0o600 },
  )
  writeFileSync(dir.join('ready.json'), JSON.stringify({ url: 'http://127.0.0.1:3', token: 'ready-token' }))
  writeFileSync(dir.join('token'), 'file-token\n')
})
afterAll(() => dir[Symbol.asyncDispose]())

const settled = (flags: object, env: Record<string, string> = {}) => {
  const { server, token } = settle({ ...flags, env: { FIRN_CONFIG: config, ...env }, home: dir.path })
  return [server, token]
}

describe('server and token', () => {
  it('come from flags before the environment before the configuration', () => {
    const env = { FIRN_SERVER: 'http://127.0.0.1:2', FIRN_TOKEN: 'env-token' }
    expect(settled({})).toEqual(['http://127.0.0.1:1', 'here-token'])
    expect(settled({}, env)).toEqual(['http://127.0.0.1:2', 'env-token'])
    expect(settled({}, { FIRN_CONTEXT: 'there' })).toEqual(['https://there.example', 'there-token'])
    expect(settled({ context: 'there' }, env)).toEqual(['https://there.example', 'there-token'])
    expect(settled({ server: 'http://127.0.0.1:4/', token: 'flag-token' }, env)).toEqual([
      'http://127.0.0.1:4',
      'flag-token',
    ])
    expect(settled({ token: 'flag-token' })).toEqual(['http://127.0.0.1:1', 'flag-token'])
  })

  it('come from the file that says where a server was brought up, while it is there', () => {
    expect(settled({}, { FIRN_READY_FILE: dir.join('ready.json') })).toEqual([
      'http://127.0.0.1:3',
      'ready-token',
    ])
    expect(settled({}, { FIRN_READY_FILE: dir.join('gone.json') })).toEqual([
      'http://127.0.0.1:1',
      'here-token',
    ])
  })

  it('come from a token file, which no list of processes shows', () => {
    expect(settled({ tokenFile: dir.join('token') })[1]).toBe('file-token')
    expect(settled({}, { FIRN_TOKEN_FILE: dir.join('token') })[1]).toBe('file-token')
  })

  it('are those of this machine when nothing is said', () => {
    expect(settle({ env: {}, home: '/nonexistent' })).toMatchObject({ server: 'http://127.0.0.1:9090' })
  })

  it('belong together: a stored token is never sent to another server', () => {
    expect(settled({ server: 'http://evil.example' })).toEqual(['http://evil.example', undefined])
    expect(settled({}, { FIRN_SERVER: 'http://evil.example' })).toEqual(['http://evil.example', undefined])
    expect(settled({ server: 'https://there.example', context: 'there' })[1]).toBe('there-token')
    const ready = { FIRN_READY_FILE: dir.join('ready.json') }
    expect(settled({ server: 'http://127.0.0.1:4' }, ready)[1]).toBeUndefined()
    expect(settled({ server: 'http://127.0.0.1:4' }, { FIRN_TOKEN: 'for-any' })[1]).toBe('for-any')
  })

  it('are refused, without being shown, when they make no sense', () => {
    for (const server of ['127.0.0.1:9090', 'ftp://x', 'http://name:pass@x'])
      expect(() => settled({ server })).toThrow(/must look like http/)
    expect(() => settled({ token: 'se cret\n\u0007' })).toThrow(
      'the token holds characters that no token has',
    )
    expect(() => settled({ tokenFile: dir.join('none') })).toThrow(/token file .* cannot be read/)
    expect(() => settled({ context: 'nowhere' })).toThrow(/--context: .* has no context "nowhere"/)
  })

  it('travel with a warning where others can read along', () => {
    const warned = (server: string) => settle({ server, token: 't', env: {}, home: '/nonexistent' }).warnings
    expect(warned('http://backup.example')).toEqual([expect.stringContaining('travels readably')])
    const safe = ['https://backup.example', 'http://127.0.0.1:1', 'http://localhost', 'http://[::1]:1']
    expect(safe.flatMap(warned)).toEqual([])
    expect(warned('http://127.0.0.1.example')).toHaveLength(1)
  })
})

describe('the configuration file', () => {
  it('is made for its owner only, and shows no secret', async () => {
    const home = dir.join('home')
    const call = { home, stdin: 'secret-1\n' }
    const set = await firn(
      ['config', 'set-context', 'a', '--server', 'http://127.0.0.1:5', '--token-file', '-'],
      call,
    )
    expect(set).toMatchObject({ code: 0, stdout: expect.stringContaining('context a is stored') })
    const file = path.join(home, '.config/firn/config.yaml')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(path.dirname(file)).mode & 0o777).toBe(0o700)
    await firn(['config', 'set-context', 'b', '--server', 'http://127.0.0.1:6', '--token', 'secret-2'], {
      home,
    })
    const view = await firn(['config', 'view'], { home })
    expect(view.stdout).toBe(
      [
        'CURRENT  NAME  SERVER              TOKEN',
        '*        a     http://127.0.0.1:5  ***',
        '         b     http://127.0.0.1:6  ***',
        '',
      ].join('\n'),
    )
    for (const format of ['json', 'yaml', 'jsonl', 'wide', 'name'])
      expect((await firn(['config', 'view', '-o', format], { home })).stdout).not.toContain('secret')
    expect(await firn(['config', 'use-context', 'b'], { home })).toMatchObject({ code: 0 })
    expect(readFileSync(file, 'utf8')).toContain('current: b')
    expect(await firn(['config', 'use-context', 'c'], { home })).toMatchObject({ code: 2 })
    expect(await firn(['config', 'delete-context', 'b'], { home })).toMatchObject({ code: 0 })
    expect(readFileSync(file, 'utf8')).not.toContain('secret-2')
  })

  it('forgets a context\u2019s token when the context gets another server', async () => {
    const home = dir.join('home-2')
    await firn(['config', 'set-context', 'a', '--server', 'http://127.0.0.1:5', '--token', 'old'], { home })
    await firn(['config', 'set-context', 'a', '--server', 'http://127.0.0.1:5/base'], { home })
    const file = path.join(home, '.config/firn/config.yaml')
    expect(readFileSync(file, 'utf8')).toContain('old')
    await firn(['config', 'set-context', 'a', '--server', 'http://127.0.0.1:6'], { home })
    expect(readFileSync(file, 'utf8')).not.toContain('old')
  })

  it('that others can read, or that is no YAML, is told without its content', async () => {
    const env = { FIRN_CONFIG: dir.join('broken.yaml') }
    writeFileSync(env.FIRN_CONFIG, 'contexts:\n  a: {server: x, token: top-secret\n')
    chmodSync(env.FIRN_CONFIG, 0o644)
    const broken = await firn(['whoami'], { env })
    expect(broken).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/broken\.yaml, line \d+: this is no YAML/),
    })
    expect(broken.stderr).not.toContain('top-secret')
    await using server: FakeServer = await fakeServer()
    server.json('GET /v1/whoami', { project_id: 'p', user_id: 'u', user_name: 'alice', role: 'admin' })
    writeFileSync(env.FIRN_CONFIG, `current: a\ncontexts:\n  a: {server: "${server.url}", token: tok}\n`)
    const open = await firn(['whoami'], { env })
    expect(open).toMatchObject({ code: 0, stderr: expect.stringContaining('warning: others can read') })
    expect(server.seen[0]?.headers['x-auth-token']).toBe('tok')
    mkdirSync(dir.join('folder'))
    expect(await firn(['whoami'], { env: { FIRN_CONFIG: dir.join('folder') } })).toMatchObject({ code: 2 })
  })
})
