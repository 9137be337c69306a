// Backups of databases as their users see them, while the node, the server or the data are taken away.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { noisyDatabase } from '../support/sqlite.ts'
import { TestStack, type Loose } from '../support/stack.ts'
import { tempDir, type TempDir } from '../support/temp.ts'

vi.setConfig({ testTimeout: 150_000, hookTimeout: 150_000 })
const resources = new AsyncDisposableStack()
let world: TestStack
let dir: TempDir

beforeAll(async () => {
  dir = resources.use(await tempDir('databases'))
  await mkdir(dir.join('made'))
  noisyDatabase(dir.join('big.db'), 40_000_000)
  const agentConfig = {
    instances: [{ key: 'big', datastore: 'sqlite', path: dir.join('big.db') }],
    templates: [{ name: 'spare', datastore: 'sqlite', root: dir.join('made') }],
  }
  world = resources.use(await TestStack.start({ agents: 1, agentConfig }))
})
afterAll(() => resources.disposeAsync())

const base = '/v1.0/main'
const withinMs = 90_000

const instance = async (): Promise<Loose> => {
  const { instances } = await world.must('GET', `${base}/instances`)
  return (await world.must('GET', `${base}/instances/${instances[0].id}`)).instance
}
const create = async (more: object = {}): Promise<string> => {
  const backup = { name: 'nightly', instance: (await instance()).id, incremental: 0, ...more }
  return String((await world.must('POST', `${base}/backups`, { backup })).backup.id)
}
const status = async (id: string): Promise<string> => {
  const { status: code, json } = await world.ask('GET', `${base}/backups/${id}`)
  return code === 404 ? 'gone' : String(json?.backup?.status)
}
const untilStatus = (id: string, wanted: string): Promise<true> =>
  eventually(
    async () => {
      expect(await status(id)).toBe(wanted)
      return true
    },
    { withinMs, everyMs: 50 },
  )
const complete = async (more: object = {}): Promise<string> => {
  const id = await create(more)
  await untilStatus(id, 'COMPLETED')
  return id
}
const remove = (id: string): Promise<Loose> => world.must('DELETE', `${base}/backups/${id}`)

const place = (container: string): string =>
  path.join(world.stack.layout.repositories, 'node-1', 'databases', container)
const snapshots = (container: string): number => readdirSync(path.join(place(container), 'snapshots')).length
const bytesIn = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0)

describe('a backup of a database', () => {
  it('that is deleted leaves nothing in its repository, and what others have there', async () => {
    const first = await complete()
    const second = await complete({ parent_id: first })
    const alone = await complete()
    const other = await complete({ swift_container: 'elsewhere' })
    expect([snapshots('database_backups'), snapshots('elsewhere')]).toEqual([3, 1])
    await remove(first)
    for (const id of [first, second]) await untilStatus(id, 'gone')
    expect([snapshots('database_backups'), await status(alone)]).toEqual([1, 'COMPLETED'])
    expect(bytesIn(place('database_backups'))).toBeGreaterThan(10_000_000)
    await remove(alone)
    await untilStatus(alone, 'gone')
    expect(snapshots('database_backups')).toBe(0)
    expect(bytesIn(path.join(place('database_backups'), 'data'))).toBe(0)

    // What somebody else has removed is as good as deleted.
    await rm(place('elsewhere'), { recursive: true })
    await remove(other)
    await untilStatus(other, 'gone')
  })

  it('ends as failed when its node dies under it, and the next one can be made', async () => {
    const id = await create()
    const copies = path.join(world.stateDir('node-1'), 'engines', 'sqlite', 'copies', 'big')
    await eventually(() => existsSync(copies), { withinMs, everyMs: 5 })
    await world.crash('agent-1')
    expect(await status(id)).not.toBe('COMPLETED')
    await world.start('agent-1')
    await untilStatus(id, 'FAILED')
    expect(await instance()).toMatchObject({ status: 'ACTIVE', fault: { message: expect.any(String) } })
    await complete()
    expect(await instance()).not.toHaveProperty('fault')
    await remove(id)
    await untilStatus(id, 'gone')
  })

  it('goes on while the server is away, and blocks nobody for ever', async () => {
    const id = await create()
    await world.crash('server-1')
    await world.start('server-1')
    await untilStatus(id, 'COMPLETED')
    expect(await instance()).toMatchObject({ status: 'ACTIVE' })
    await remove(id)
    await world.crash('server-1')
    await world.start('server-1')
    await untilStatus(id, 'gone')
    await world.untilDelivered()
  })
})
