// What several members are for: one may go, and one that has lost the others is not listened to.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../core/clock-system.ts'
import { eventually } from '../../test/support/eventually.ts'
import { freePorts } from '../../test/support/ports.ts'
import { RecordedFeed } from '../../test/support/recorded-feed.ts'
import { startEtcd, type ServerProcess } from '../../test/support/servers.ts'
import { openEtcd, type EtcdStore } from './open.ts'

let members: ServerProcess[]
let stores: EtcdStore[]

beforeEach(async () => {
  stores = []
  members = await startCluster()
})

afterEach(async () => {
  await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()))
  await Promise.all(members.map((member) => member[Symbol.asyncDispose]()))
})

/** Three members that know each other. Patient ones: three at once may starve on a small machine. */
async function startCluster(): Promise<ServerProcess[]> {
  const peers = (await freePorts(3)).map((port) => `http://127.0.0.1:${port}`)
  const all = peers.map((url, n) => `m${n}=${url}`).join(',')
  return Promise.all(
    peers.map((url, n) =>
      startEtcd({
        args: [
          ...['--name', `m${n}`, '--initial-cluster', all],
          ...['--listen-peer-urls', url, '--initial-advertise-peer-urls', url],
          ...['--heartbeat-interval', '100', '--election-timeout', '1000'],
        ],
      }),
    ),
  )
}

function open(...endpoints: string[]): EtcdStore {
  const store = openEtcd({ endpoints, server: `server-${stores.length}`, clock: systemClock })
  stores.push(store)
  return store
}

const write = (store: EtcdStore, id: string) =>
  store.backend.commit({ requires: [], writes: [{ kind: 'job', project: 'p', id, text: id }] })
const holds = (feed: RecordedFeed, id: string) => feed.text({ kind: 'job', project: 'p', id }) === id

describe('a cluster', () => {
  it('goes on when any one member is killed', async () => {
    const store = open(...members.map(({ url }) => url))
    const feed = new RecordedFeed()
    store.backend.follow(feed)
    for (const member of members) {
      await member.kill()
      const id = `without-${member.port}`
      await eventually(() => write(store, id), { withinMs: 20_000 })
      await eventually(() => holds(feed, id), { withinMs: 20_000 })
      await eventually(() => store.leadership.epoch(), { withinMs: 20_000 })
      await member.restart()
    }
    expect(feed.resets).toBe(1)
    expect(feed.broken).toEqual([])
  })

  it('is not spoken for by a member that has lost the others', async () => {
    const [lonely, ...others] = members
    const store = open(lonely!.url)
    const feed = new RecordedFeed()
    store.backend.follow(feed)
    await eventually(() => store.leadership.epoch(), { withinMs: 20_000 })
    await Promise.all(others.map((other) => other.kill()))
    await eventually(() => feed.freshness.at(-1) === false, { withinMs: 20_000 })
    await expect(write(store, 'minority')).rejects.toMatchObject({ code: 'store_down' })
    await expect(store.backend.revision()).rejects.toMatchObject({ code: 'store_down' })
    await eventually(() => store.leadership.epoch() === undefined, { withinMs: 20_000 })
    await Promise.all(others.map((other) => other.restart()))
    await eventually(() => write(store, 'majority'), { withinMs: 20_000 })
    await eventually(() => holds(feed, 'majority') && feed.freshness.at(-1) === true, { withinMs: 20_000 })
    expect(feed.broken).toEqual([])
  })
})
