import { describe, expect, it } from 'vitest'
import { isFault } from '../core/fault.ts'
import { parseConfig, readConfig } from './config.ts'

const fieldOf = (text: string): string | undefined => {
  try {
    parseConfig(text, '/etc/firn')
    return 'accepted'
  } catch (error) {
    return isFault(error, 'bad_request') ? error.detail.field : String(error)
  }
}

describe("the node's configuration", () => {
  it('needs only a state directory, and then allows nothing', () => {
    const config = parseConfig('state_dir: state', '/etc/firn')
    expect(config.stateDir).toBe('/etc/firn/state')
    expect(config.policy).toEqual({ paths: [], targets: [], repositories: [], commands: [] })
    expect(config.capacity).toEqual({ parallel: 2, light: 16, queue: 100, limits: {} })
    expect([config.drainMs, config.stallMs, config.logLevel]).toEqual([30_000, 600_000, 'info'])
  })

  it('says all else', () => {
    const config = parseConfig(
      `
state_dir: /var/lib/firn-agent
servers: [backup-1:9091, "[::1]:9091"]
nats_servers: ["nats://backup-1:4222"]
labels: { site: oslo }
allow:
  paths: [/srv/, /home]
  targets: [/restore]
  repositories: [/backup/, "sftp:backup:/srv"]
  engines: [restic]
  commands: any
limits:
  parallel: 4
  nice: 10
  io_class: best-effort
  io_level: 6
  upload_kib_per_second: 2048
restic: /opt/restic
drain_seconds: 0
`,
      '/etc/firn',
    )
    expect(config).toMatchObject({
      servers: ['backup-1:9091', '[::1]:9091'],
      labels: { site: 'oslo' },
      policy: {
        ...{ paths: ['/srv/', '/home'], repositories: ['/backup/', 'sftp:backup:/srv'] },
        ...{ engines: ['restic'], commands: 'any' },
      },
      capacity: { parallel: 4, limits: { nice: 10, ioClass: 'best-effort', ioLevel: 6, uploadKiBs: 2048 } },
      ...{ resticPath: '/opt/restic', drainMs: 0 },
    })
  })

  it('names databases, and folders that more may be made in', () => {
    const config = parseConfig(
      `
state_dir: s
instances:
  - { key: orders, name: The orders, datastore: sqlite, path: /srv/shop//orders.db }
  - { key: stock, datastore: sqlite, path: /srv/shop/stock.db }
templates:
  - { name: spare, datastore: sqlite, root: /srv/spare }
`,
      '/etc/firn',
    )
    expect(config.instances).toEqual([
      { key: 'orders', name: 'The orders', datastore: 'sqlite', path: '/srv/shop/orders.db' },
      { key: 'stock', name: 'stock', datastore: 'sqlite', path: '/srv/shop/stock.db' },
    ])
    expect(config.templates).toEqual([{ name: 'spare', datastore: 'sqlite', root: '/srv/spare' }])
  })

  it.each([
    ['instances: [{ key: a/b, datastore: sqlite, path: /a.db }]', 'instances.0.key'],
    ['instances: [{ key: a, datastore: mysql, path: /a.db }]', 'instances.0.datastore'],
    ['instances: [{ key: a, datastore: sqlite, path: a.db }]', 'instances.0.path'],
    ['instances: [{ key: a, datastore: sqlite, path: /a.db, port: 1 }]', 'instances.0.port'],
    ['templates: [{ name: a, datastore: sqlite, root: /a, port: 1 }]', 'templates.0.port'],
    ['templates: [{ name: a, datastore: sqlite }]', 'templates.0.root'],
    [
      'instances: [{ key: a, datastore: sqlite, path: /a.db }, { key: a, datastore: sqlite, path: /b.db }]',
      'instances.1.key',
    ],
    [
      'templates: [{ name: a, datastore: sqlite, root: /a }, { name: a, datastore: sqlite, root: /b }]',
      'templates.1.name',
    ],
  ])('names the field that is wrong of a database: %s', (text, field) => {
    expect(fieldOf(`state_dir: s\n${text}`)).toBe(field)
  })

  it.each([
    ['nothing', 'state_dir'],
    ['{}', 'state_dir'],
    ['state_dir: s\nallow: { path: [/srv] }', 'allow.path'],
    ['state_dir: s\nspeed: 9', 'speed'],
    ['state_dir: s\nallow: { paths: [srv] }', 'allow.paths.0'],
    ['state_dir: s\nallow: { commands: all }', 'allow.commands'],
    ['state_dir: s\nservers: [backup]', 'servers.0'],
    ['state_dir: s\nlimits: { parallel: 0 }', 'limits.parallel'],
    ['state_dir: s\nlimits: { nice: -5 }', 'limits.nice'],
    ['state_dir: s\nlog: { level: loud }', 'log.level'],
    ['state_dir: s\nrestic: restic', 'restic'],
  ])('names the field that is wrong: %j', (text, field) => {
    expect(fieldOf(text)).toBe(field === 'state_dir' && text === 'nothing' ? 'configuration' : field)
  })

  it('says which file cannot be read', async () => {
    await expect(readConfig('/nowhere/agent.yaml')).rejects.toThrow('/nowhere/agent.yaml')
  })
})
