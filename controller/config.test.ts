import { describe, expect, it } from 'vitest'
import { parseConfig } from './config.ts'

const parsed = (more: object) =>
  parseConfig(
    JSON.stringify({
      etcd: { endpoints: ['http://127.0.0.1:2379'] },
      nats: { servers: ['nats://127.0.0.1:4222'] },
      keys: 'keys',
      ...more,
    }),
    '/etc/firn',
  )

const keystone = (more: object = {}) =>
  parsed({ keystone: { url: 'http://127.0.0.1:5000', password_file: 'password', ...more } }).keystone

describe('the configuration of a Keystone', () => {
  it('names it with or without its version', () => {
    for (const end of ['', '/', '/v3', '/v3/'])
      expect(keystone({ url: `https://keystone.example.org:5000${end}` })?.url).toBe(
        'https://keystone.example.org:5000/v3',
      )
    expect(keystone({ url: 'http://example.org/identity' })?.url).toBe('http://example.org/identity/v3')
  })

  it('takes its file from the folder of the configuration, and roles as OpenStack names them', () => {
    expect(keystone()).toMatchObject({
      ...{
        password_file: '/etc/firn/password',
        user: 'firn',
        project: 'service',
        cache_seconds: 60,
        timeout_seconds: 10,
      },
      roles: { admin: ['admin'], operator: ['member'], viewer: ['reader'] },
    })
    expect(keystone({ roles: { admin: ['backup_admin'] } })?.roles).toEqual({
      ...{ admin: ['backup_admin'], operator: ['member'], viewer: ['reader'] },
    })
  })

  it('is refused by the name of what is wrong in it', () => {
    for (const [more, field] of [
      [{ url: 'ftp://127.0.0.1' }, 'keystone.url'],
      [{ url: 'keystone' }, 'keystone.url'],
      [{ password_file: '' }, 'keystone.password_file'],
      [{ cache_seconds: 3_601 }, 'keystone.cache_seconds'],
      [{ roles: { admin: [''] } }, 'keystone.roles.admin.0'],
    ] as const)
      expect(() => keystone(more)).toThrow(expect.objectContaining({ detail: { field } }))
    expect(parsed({}).keystone).toBeUndefined()
  })
})
