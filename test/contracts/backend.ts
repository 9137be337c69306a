// What every Backend and its Leadership promise, as a suite that runs over each implementation.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isFault, type FaultCode } from '../../core/fault.ts'
import { epoch, type Epoch } from '../../core/link.ts'
import { operationsMax } from '../../controller/ports/backend.ts'
import type { Backend, Leadership, Ref, Write } from '../../controller/ports/backend.ts'
import { eventually } from '../support/eventually.ts'
import { RecordedFeed } from '../support/recorded-feed.ts'

/** One process on the store. Disposing it is its orderly end. */
export interface Member extends AsyncDisposable {
  readonly backend: Backend
  readonly leadership: Leadership
}

/** An empty store that any number of processes can join. */
export interface World extends AsyncDisposable {
  join(): Promise<Member>
}

const job = (id: string, project = 'p1'): Ref => ({ kind: 'job', project, id })
const absent = (ref: Ref) => ({ ...ref, revision: 0 })
const put = (ref: Ref, text: string): Write => ({ ...ref, text })
const drop = (ref: Ref): Write => ({ ...ref, text: undefined })
const numbered = (count: number) => Array.from({ length: count }, (_, n) => n)

/** The fault's code, or undefined when it succeeded. */
export async function faultOf(promise: Promise<unknown>): Promise<FaultCode | undefined> {
  try {
    await promise
    return undefined
  } catch (error) {
    if (isFault(error)) return error.code
    throw error
  }
}

/** Runs the suite; `open` gives each test a new, empty store. */
export function backendContract(name: string, open: () => Promise<World>): void {
  let world: World
  let members: Member[]
  const join = async () => {
    const member = await world.join()
    members.push(member)
    return member
  }
  beforeEach(async () => {
    members = []
    world = await open()
  })
  afterEach(async () => {
    for (const member of members) await member[Symbol.asyncDispose]()
    await world[Symbol.asyncDispose]()
  })
  describe(`a backend: ${name}`, () => {
    commits(join)
    refuses(join)
    feeds(join)
    races(join)
  })
  describe(`its leadership: ${name}`, () => leads(join))
}

type Join = () => Promise<Member>

function commits(join: Join) {
  it('stores what did not exist, and gives the revision at which it did', async () => {
    const { backend } = await join()
    const first = await backend.commit({ requires: [absent(job('a'))], writes: [put(job('a'), '1')] })
    const second = await backend.commit({ requires: [], writes: [put(job('b'), '2')] })
    expect(first).toBeGreaterThan(0)
    expect(second).toBeGreaterThan(first)
    expect(
      await faultOf(backend.commit({ requires: [absent(job('a'))], writes: [put(job('a'), '3')] })),
    ).toBe('stale_write')
  })

  it('replaces and deletes a document at the revision that was read, and at no other', async () => {
    const { backend } = await join()
    const at = (revision: number) => [{ ...job('a'), revision }]
    const first = await backend.commit({ requires: [], writes: [put(job('a'), '1')] })
    const second = await backend.commit({ requires: at(first), writes: [put(job('a'), '2')] })
    expect(await faultOf(backend.commit({ requires: at(first), writes: [drop(job('a'))] }))).toBe(
      'stale_write',
    )
    await backend.commit({ requires: at(second), writes: [drop(job('a'))] })
    expect(await faultOf(backend.commit({ requires: at(second), writes: [put(job('a'), '3')] }))).toBe(
      'stale_write',
    )
    await backend.commit({ requires: at(0), writes: [put(job('a'), '4')] })
  })

  it('stores all writes of a transaction, or none', async () => {
    const { backend } = await join()
    const feed = new RecordedFeed()
    await using _ = backend.follow(feed)
    await eventually(() => feed.resets === 1)
    await backend.commit({ requires: [], writes: [put(job('taken'), 'x')] })
    const both = [put(job('a'), '1'), put(job('b'), '2')]
    expect(await faultOf(backend.commit({ requires: [absent(job('taken'))], writes: both }))).toBe(
      'stale_write',
    )
    const revision = await backend.commit({ requires: [absent(job('a')), absent(job('b'))], writes: both })
    await eventually(() => feed.revision >= revision)
    expect(feed.seen.map(({ id, revision: at }) => [id, at === revision])).toEqual([
      ['taken', false],
      ['a', true],
      ['b', true],
    ])
  })

  it('checks a document that it only requires', async () => {
    const { backend } = await join()
    const guard = await backend.commit({ requires: [], writes: [put(job('guard'), 'x')] })
    await backend.commit({ requires: [{ ...job('guard'), revision: guard }], writes: [put(job('a'), '1')] })
    await backend.commit({ requires: [], writes: [put(job('guard'), 'y')] })
    const late = backend.commit({
      requires: [{ ...job('guard'), revision: guard }],
      writes: [put(job('a'), '2')],
    })
    expect(await faultOf(late)).toBe('stale_write')
  })

  it('takes the deletion of what is not there for done', async () => {
    const { backend } = await join()
    expect(await faultOf(backend.commit({ requires: [], writes: [drop(job('nobody'))] }))).toBe(undefined)
  })

  it('keeps texts and names as they are, and apart', async () => {
    const { backend } = await join()
    const refs: Ref[] = [
      { kind: 'job', project: '', id: 'a' },
      { kind: 'job', project: 'a', id: 'a' },
      { kind: 'job', project: 'a', id: 'b.c:d_e-F' },
      { kind: 'client', project: 'a', id: 'b.c:d_e-F' },
      { kind: 'session', project: 'b.c:d', id: 'a/b%2F c' },
    ]
    const texts = ['{}', '"ä€😀\\u0000"', 'x'.repeat(100_000), '[1]', ' ']
    await backend.commit({ requires: [], writes: refs.map((ref, n) => put(ref, texts[n] ?? '')) })
    const feed = new RecordedFeed()
    await using _ = backend.follow(feed)
    await eventually(() => feed.resets > 0)
    expect(refs.map((ref) => feed.text(ref))).toEqual(texts)
    expect(feed.texts.size).toBe(refs.length)
  })

  it('reads a revision that no earlier commit of anybody is newer than', async () => {
    const { backend: one } = await join()
    const { backend: other } = await join()
    const revision = await one.commit({ requires: [], writes: [put(job('a'), '1')] })
    expect(await other.revision()).toBeGreaterThanOrEqual(revision)
  })
}

function refuses(join: Join) {
  it('refuses more operations than a transaction can hold', async () => {
    const { backend } = await join()
    const writes = numbered(operationsMax + 1).map((n) => put(job(`j${n}`), 'x'))
    expect(await faultOf(backend.commit({ requires: [], writes }))).toBe('too_much')
    await backend.commit({ requires: [], writes: writes.slice(1) })
  })

  it('refuses to write a document twice at once', async () => {
    const { backend } = await join()
    const writes = [put(job('a'), '1'), put(job('a'), '2')]
    expect(await faultOf(backend.commit({ requires: [], writes }))).toBe('bad_request')
  })

  it('refuses a name that is no text', async () => {
    const { backend } = await join()
    expect(await faultOf(backend.commit({ requires: [], writes: [put(job('\ud800'), '1')] }))).toBe(
      'bad_request',
    )
  })

  it('lets only servers live as long as their process', async () => {
    const { backend } = await join()
    const writes = [{ ...put(job('a'), '1'), whileAlive: true as const }]
    expect(await faultOf(backend.commit({ requires: [], writes }))).toBe('bad_request')
  })

  it('takes nothing any more once disposed', async () => {
    const { backend } = await join()
    await backend[Symbol.asyncDispose]()
    expect(await faultOf(backend.commit({ requires: [], writes: [put(job('a'), '1')] }))).toBe('stopping')
  })
}

function feeds(join: Join) {
  it('feeds everything stored, then each change once and in order', async () => {
    const { backend: writer } = await join()
    for (const n of numbered(5)) await writer.commit({ requires: [], writes: [put(job(`old${n}`), 'x')] })
    const { backend: reader } = await join()
    const feed = new RecordedFeed()
    await using _ = reader.follow(feed)
    await eventually(() => feed.resets === 1)
    expect(feed.texts.size).toBe(5)
    let last = 0
    for (const n of numbered(40))
      last = await writer.commit({ requires: [], writes: [put(job('a'), `${n}`)] })
    await eventually(() => feed.revision >= last)
    expect(feed.seen.map(({ text }) => text)).toEqual(numbered(40).map(String))
    expect(feed.resets).toBe(1)
    expect(feed.broken).toEqual([])
  })

  it('feeds a deletion as a change without a text', async () => {
    const { backend } = await join()
    await backend.commit({ requires: [], writes: [put(job('a'), '1')] })
    const feed = new RecordedFeed()
    await using _ = backend.follow(feed)
    await eventually(() => feed.resets === 1)
    const revision = await backend.commit({ requires: [], writes: [drop(job('a'))] })
    await eventually(() => feed.revision >= revision)
    expect(feed.seen).toEqual([{ ...job('a'), text: undefined, revision }])
  })

  it('reaches the newest revision, who ever moved it', async () => {
    const { backend, leadership } = await join()
    const feed = new RecordedFeed()
    await using _ = backend.follow(feed)
    await eventually(() => leadership.epoch())
    const newest = await backend.revision()
    await eventually(() => feed.revision >= newest)
  })

  it('has one feed only, which hears nothing more once disposed', async () => {
    const { backend } = await join()
    const feed = new RecordedFeed()
    const following = backend.follow(feed)
    expect(() => backend.follow(new RecordedFeed())).toThrow('one feed')
    await eventually(() => feed.resets === 1)
    await following[Symbol.asyncDispose]()
    await backend.commit({ requires: [], writes: [put(job('a'), '1')] })
    const { backend: other } = await join()
    const control = new RecordedFeed()
    await using _ = other.follow(control)
    await eventually(() => control.text(job('a')))
    expect(feed.seen).toEqual([])
  })

  it('drops what lives only while its process does, at its end', async () => {
    const { backend } = await join()
    const leaving = await join()
    const feed = new RecordedFeed()
    await using _ = backend.follow(feed)
    const server: Ref = { kind: 'server', project: '', id: 's1' }
    await leaving.backend.commit({
      requires: [],
      writes: [{ ...put(server, 'here'), whileAlive: true }, put(job('a'), 'stays')],
    })
    await eventually(() => feed.text(server) === 'here')
    await leaving[Symbol.asyncDispose]()
    await eventually(() => feed.text(server) === undefined)
    expect(feed.text(job('a'))).toBe('stays')
  })
}

function races(join: Join) {
  it('lets exactly one of many create a document', async () => {
    const backends = [(await join()).backend, (await join()).backend]
    const create = (n: number) =>
      backends[n % 2]!.commit({ requires: [absent(job('a'))], writes: [put(job('a'), `${n}`)] })
    const faults = await Promise.all(numbered(60).map((n) => faultOf(create(n))))
    expect(faults.filter((fault) => fault === undefined)).toHaveLength(1)
    expect(new Set(faults)).toEqual(new Set([undefined, 'stale_write']))
  })

  it('counts right when many add one to the same document at the revision they read', async () => {
    const members = [await join(), await join()]
    const adders = await Promise.all(
      members.map(async ({ backend }) => {
        const feed = new RecordedFeed()
        const following = backend.follow(feed)
        await eventually(() => feed.resets === 1)
        return { backend, feed, following }
      }),
    )
    let added = 0
    const add = async ({ backend, feed }: (typeof adders)[0]) => {
      for (let n = 0; n < 25; n++) {
        const last = feed.seen.at(-1)
        const text = `${Number(last?.text ?? 0) + 1}`
        const requires = [{ ...job('sum'), revision: last?.revision ?? 0 }]
        try {
          const revision = await backend.commit({ requires, writes: [put(job('sum'), text)] })
          added++
          await eventually(() => feed.revision >= revision)
        } catch (error) {
          if (!isFault(error, 'stale_write')) throw error
          await eventually(() => (feed.seen.at(-1)?.revision ?? 0) > (last?.revision ?? 0))
        }
      }
    }
    await Promise.all(adders.map(add))
    for (const { following } of adders) await following[Symbol.asyncDispose]()
    const { backend } = await join()
    const feed = new RecordedFeed()
    await using _ = backend.follow(feed)
    await eventually(() => feed.resets === 1)
    expect(feed.text(job('sum'))).toBe(String(added))
    expect(added).toBeGreaterThan(0)
  })

  it('answers each of many transactions in flight with its own outcome', async () => {
    const { backend } = await join()
    const feed = new RecordedFeed()
    await using _ = backend.follow(feed)
    await backend.commit({ requires: [], writes: [put(job('taken'), 'x')] })
    // Every third one cannot succeed.
    const name = (n: number) => (n % 3 === 0 ? job('taken') : job(`j${n}`))
    const create = (n: number) =>
      backend.commit({ requires: [absent(name(n))], writes: [put(name(n), 'x'), put(job(`with${n}`), 'x')] })
    const outcomes = await Promise.allSettled(numbered(200).map(create))
    let newest = 0
    outcomes.forEach((outcome, n) => {
      expect(outcome.status, `transaction ${n}`).toBe(n % 3 === 0 ? 'rejected' : 'fulfilled')
      if (outcome.status === 'fulfilled') newest = Math.max(newest, outcome.value)
    })
    await eventually(() => feed.revision >= newest)
    for (const n of numbered(200)) expect(feed.text(job(`with${n}`))).toBe(n % 3 === 0 ? undefined : 'x')
    expect(feed.broken).toEqual([])
  })
}

function leads(join: Join) {
  const leadersOf = (members: Member[]) =>
    members.filter(({ leadership }) => leadership.epoch() !== undefined)

  it('has one leader, whose epoch all learn', async () => {
    const members = [await join(), await join(), await join()]
    const leader = await eventually(() => leadersOf(members)[0])
    expect(leadersOf(members)).toHaveLength(1)
    const now = leader.leadership.epoch()
    await eventually(() => members.every(({ leadership }) => leadership.highest() === now))
  })

  it('is handed over at once when the leader resigns, with a higher epoch', async () => {
    const members = [await join(), await join()]
    const leader = await eventually(() => leadersOf(members)[0])
    const heir = members.find((member) => member !== leader)!
    let looks = 0
    heir.leadership.onChange(() => looks++)
    const before = leader.leadership.epoch() ?? 0
    await leader.leadership[Symbol.asyncDispose]()
    expect(leader.leadership.epoch()).toBe(undefined)
    const after = await eventually(() => heir.leadership.epoch(), { withinMs: 4_000 })
    expect(after).toBeGreaterThan(before)
    await eventually(() => looks > 0)
  })

  it('fences who led before, and who never did', async () => {
    const members = [await join(), await join()]
    const leader = await eventually(() => leadersOf(members)[0])
    const heir = members.find((member) => member !== leader)!
    const before = leader.leadership.epoch()!
    const write = (by: Epoch, member = leader) =>
      faultOf(member.backend.commit({ requires: [], writes: [put(job('a'), 'x')], epoch: by }))
    expect(await write(before)).toBe(undefined)
    expect(await write(epoch(before + 1))).toBe('fenced')
    await leader.leadership[Symbol.asyncDispose]()
    const after = await eventually(() => heir.leadership.epoch())
    expect(await write(before)).toBe('fenced')
    expect(await write(after, heir)).toBe(undefined)
  })

  it('says fenced rather than stale when both hold', async () => {
    const { backend } = await join()
    await backend.commit({ requires: [], writes: [put(job('a'), 'x')] })
    const both = backend.commit({ requires: [absent(job('a'))], writes: [], epoch: epoch(1) })
    expect(await faultOf(both)).toBe('fenced')
  })
}
