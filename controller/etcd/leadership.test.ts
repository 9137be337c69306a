// Who leads, while etcd or the leader itself is stopped, killed and started again.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../core/clock-system.ts'
import { eventually } from '../../test/support/eventually.ts'
import { RecordedFeed } from '../../test/support/recorded-feed.ts'
import { startEtcd, type ServerProcess } from '../../test/support/servers.ts'
import { claimOn, startClaiming, type Claim } from '../../test/support/store-process.ts'
import { Connection } from './connection.ts'
import { leaderKey } from './keys.ts'
import { openEtcd, type EtcdStore } from './open.ts'

let etcd: ServerProcess
let stores: EtcdStore[]
let troubles: number
let claims: Claim[]
let stop: AbortController
let claiming: Promise<void>[]

beforeEach(async () => {
  etcd = await startEtcd()
  stores = []
  troubles = 0
  claims = []
  stop = new AbortController()
  claiming = []
})

afterEach(async () => {
  etcd.signal('SIGCONT')
  stop.abort()
  await Promise.all(claiming)
  for (const store of stores) await store[Symbol.asyncDispose]()
  await etcd[Symbol.asyncDispose]()
})

/** A candidate that claims the lead as often as it believes in it. */
function candidate(name: string): EtcdStore {
  const trouble = () => troubles++
  const store = openEtcd({ endpoints: [etcd.url], server: name, clock: systemClock, trouble })
  stores.push(store)
  claiming.push(claimOn(store, name, (claim) => claims.push(claim), stop.signal))
  return store
}

const leaders = () => stores.filter(({ leadership }) => leadership.epoch() !== undefined)

/** In the order of the machine's clock: nobody believes in an epoch once somebody has believed in a later one. */
function expectOneAtATime(all: readonly Claim[]) {
  const inOrder = all.toSorted((a, b) => (BigInt(a.at) < BigInt(b.at) ? -1 : 1))
  let highest = 0
  for (const { by, epoch } of inOrder) {
    if (epoch === undefined) continue
    expect(epoch, `${by} believed in ${epoch} after somebody else in ${highest}`).toBeGreaterThanOrEqual(
      highest,
    )
    highest = epoch
  }
}

/** What an operator, or a clock gone wrong, could do. */
async function endLeases() {
  using connection = new Connection({ endpoints: [etcd.url] })
  const { kvs } = await connection.range({ key: leaderKey })
  for (const { lease } of kvs) await connection.revoke({ ID: lease })
}

describe('leadership', () => {
  it('ends in a process that is stopped before another begins, and the stopped one never writes again', async () => {
    using paused = startClaiming(etcd.url, 'paused')
    await eventually(() => paused.claims.some(({ write }) => write === 'stored'))
    const heir = candidate('heir')
    const feed = new RecordedFeed()
    heir.backend.follow(feed)
    await eventually(() => heir.leadership.highest() === paused.claims[0]?.epoch)
    paused.signal('SIGSTOP')
    const now = await eventually(() => heir.leadership.epoch(), { withinMs: 15_000 })
    await eventually(() => claims.some(({ epoch, write }) => epoch === now && write === 'stored'))
    const woken = process.hrtime.bigint()
    paused.signal('SIGCONT')
    // It has looked since, and then takes over again from the heir.
    await eventually(() => paused.claims.some(({ at, epoch }) => BigInt(at) > woken && epoch === undefined))
    await heir.leadership[Symbol.asyncDispose]()
    await eventually(() => paused.claims.some(({ epoch = 0 }) => epoch > now), { withinMs: 15_000 })
    expectOneAtATime([...paused.claims, ...claims])
    const epochs = feed.seen
      .filter(({ project }) => project === 'claims')
      .map(({ text }) => (JSON.parse(text ?? '') as { epoch: number }).epoch)
    expect(epochs).toEqual(epochs.toSorted((a, b) => a - b))
    expect(new Set(epochs).size).toBeGreaterThanOrEqual(2)
  })

  it('ends by its own clock while etcd stands still, and there is one leader again when it goes on', async () => {
    for (const name of ['a', 'b']) candidate(name)
    await eventually(() => leaders().length === 1)
    const [leader] = leaders()
    const looks: (number | undefined)[] = []
    leader!.leadership.onChange(() => looks.push(leader!.leadership.epoch()))
    etcd.signal('SIGSTOP')
    await eventually(() => leaders().length === 0, { withinMs: 8_000 })
    await eventually(() => looks.includes(undefined))
    // Longer than the lease, so that etcd ends it when it goes on.
    await systemClock.sleep(3_000)
    expect(leaders()).toEqual([])
    etcd.signal('SIGCONT')
    await eventually(() => leaders().length === 1, { withinMs: 15_000 })
    await eventually(() => claims.at(-1)?.write === 'stored')
    expectOneAtATime(claims)
  })

  it('is settled after an outage without a storm meanwhile', async () => {
    for (const name of ['a', 'b', 'c']) candidate(name)
    await eventually(() => leaders().length === 1)
    await etcd.kill()
    await eventually(() => leaders().length === 0, { withinMs: 8_000 })
    const before = troubles
    await systemClock.sleep(2_000)
    // Three candidates, each with a lease and a watch to try again at most every quarter of a second.
    expect(troubles - before).toBeLessThanOrEqual(3 * 2 * 8)
    await etcd.restart()
    await eventually(() => leaders().length === 1, { withinMs: 15_000 })
    expectOneAtATime(claims)
  })

  it('is won anew, with a new lease, when etcd has ended the old one', async () => {
    const store = candidate('a')
    const before = await eventually(() => store.leadership.epoch())
    const server = { kind: 'server' as const, project: '', id: 'a', text: '{}', whileAlive: true as const }
    await store.backend.commit({ requires: [], writes: [server] })
    const feed = new RecordedFeed()
    store.backend.follow(feed)
    await eventually(() => feed.text(server))
    await endLeases()
    await eventually(() => feed.text(server) === undefined)
    await eventually(() => (store.leadership.epoch() ?? 0) > before)
    await store.backend.commit({ requires: [], writes: [server] })
    await eventually(() => feed.text(server))
    expectOneAtATime(claims)
  })

  it('passes on when the leader is killed', async () => {
    using killed = startClaiming(etcd.url, 'killed')
    await eventually(() => killed.claims.length > 0)
    const heir = candidate('heir')
    await eventually(() => heir.leadership.highest() > 0)
    killed.signal('SIGKILL')
    const now = await eventually(() => heir.leadership.epoch(), { withinMs: 15_000 })
    expect(now).toBeGreaterThan(killed.claims[0]?.epoch ?? Infinity)
    expectOneAtATime([...killed.claims, ...claims])
  })
})
