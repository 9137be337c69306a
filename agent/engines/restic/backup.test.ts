import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  backupOf,
  bareRestic,
  EngineRig,
  resticPrograms,
  restoreOf,
} from '../../../test/support/engine-rig.ts'
import { resticEngine } from './engine.ts'

const settings = { stateMark: 'test' }

/** Makes root as blind as anybody: without these capabilities a file of mode 000 cannot be read even by its owner. */
function withoutOverride(rig: EngineRig, program: string): string {
  if (process.getuid?.() !== 0) return program
  const script = rig.dir.join('blind-restic')
  const caps = '-dac_override,-dac_read_search'
  fs.writeFileSync(
    script,
    `#!/bin/sh\nexec setpriv --bounding-set=${caps} --inh-caps=${caps} ${program} "$@"\n`,
    { mode: 0o755 },
  )
  return script
}

describe.each(resticPrograms())('a backup by %s', (program) => {
  const engine = resticEngine({ ...settings, program })
  let rig: EngineRig
  let source: string

  beforeAll(async () => {
    rig = await EngineRig.open()
    source = rig.dir.join('source')
    fs.mkdirSync(`${source}/sub`, { recursive: true })
    fs.writeFileSync(`${source}/one`, 'one')
    fs.writeFileSync(`${source}/sub/two`, Buffer.alloc(200_000, 'two'))
  })
  afterAll(() => rig[Symbol.asyncDispose]())

  it('says what it has in hand', async () => {
    const probe = await engine.probe(rig.abort.signal)
    expect(probe).toMatchObject({
      engine: 'restic',
      available: true,
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    })
  })

  it('makes the repository, counts what it saved, and gives the id that the repository shows', async () => {
    const access = rig.access('first')
    const { end, phases } = await rig.run(engine, backupOf([source], access))
    expect(end).toMatchObject({
      result: 'success',
      retryable: false,
      stats: { filesNew: 2, filesUnmodified: 0, bytesProcessed: 200_003 },
      saved: { engineRef: expect.stringMatching(/^[0-9a-f]{64}$/), paths: [source] },
      repositoryId: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    expect(phases).toEqual(['prepare', 'transfer', 'commit'])
    const [snapshot] = JSON.parse(await bareRestic(program, access, 'snapshots', '--json'))
    expect(snapshot).toMatchObject({
      id: end.saved?.engineRef,
      hostname: 'node-a',
      tags: ['run:run-a', 'step:0', 'job:job-a'],
    })
  })

  it('builds on its parent and reads only what changed; a full one reads all again', async () => {
    const access = rig.access('chain')
    const tags = { job: 'job-a' }
    const first = await rig.run(engine, backupOf([source], access), { tags })
    fs.writeFileSync(`${source}/three`, 'three')
    const parent = first.end.saved?.engineRef ?? ''
    const second = await rig.run(engine, backupOf([source], access, { parent }), { tags })
    fs.rmSync(`${source}/three`)
    expect(second.end.stats).toMatchObject({ filesNew: 1, filesChanged: 0, filesUnmodified: 2 })
    const full = await rig.run(engine, backupOf([source], access), { tags })
    expect(full.end.stats).toMatchObject({ filesNew: 2, filesUnmodified: 0 })
  })

  it('whose parent is gone reads all again instead of failing', async () => {
    const access = rig.access('orphaned')
    const { end } = await rig.run(engine, backupOf([source], access, { parent: 'deadbeef'.repeat(8) }))
    expect(end).toMatchObject({ result: 'success', stats: { filesNew: 2 } })
    expect(rig.log.some((line) => line.text.includes('is gone'))).toBe(true)
  })

  it('without some of its sources is partial and names them; without all of them it fails', async () => {
    const access = rig.access('missing')
    const gone = rig.dir.join('gone')
    const some = await rig.run(engine, backupOf([source, gone], access))
    expect(some.end).toMatchObject({
      result: 'partial',
      reason: { code: 'source_missing' },
      saved: { paths: [source] },
    })
    expect(some.items).toEqual([{ path: gone, code: 'ENOENT', message: 'does not exist' }])

    const strict = { onUnreadable: 'fail' } as const
    const refused = await rig.run(engine, backupOf([source, gone], access, strict), {
      attemptId: 'run-b.1',
      tags: {},
    })
    expect(refused.end).toMatchObject({ result: 'failed', retryable: false, saved: { paths: [source] } })

    const none = await rig.run(engine, backupOf([gone, 'relative'], access))
    expect(none.end).toMatchObject({ result: 'failed', retryable: false, reason: { code: 'source_missing' } })
    expect(none.items.map((item) => item.code)).toEqual(['ENOENT', 'EINVAL'])
  })

  it('of files that cannot be read is partial and lists each once, or failed but kept', async () => {
    const locked = rig.dir.join('locked')
    fs.mkdirSync(`${locked}/dir`, { recursive: true })
    fs.writeFileSync(`${locked}/readable`, 'r')
    for (const name of ['a', 'b']) fs.writeFileSync(`${locked}/${name}`, name, { mode: 0o000 })
    fs.chmodSync(`${locked}/dir`, 0o000)
    const blind = resticEngine({ ...settings, program: withoutOverride(rig, program) })
    const access = rig.access('unreadable')
    const { end, items } = await rig.run(blind, backupOf([locked], access), { tags: {} })
    expect(end).toMatchObject({ result: 'partial', retryable: false, reason: { code: 'unreadable' } })
    expect(new Set(items.map((item) => item.path))).toEqual(
      new Set(['a', 'b', 'dir'].map((name) => `${locked}/${name}`)),
    )
    expect(items).toHaveLength(3)
    expect(items.find((item) => item.path === `${locked}/a`)).toMatchObject({ code: 'EACCES' })
    const strict = await rig.run(blind, backupOf([locked], access, { onUnreadable: 'fail' }), { tags: {} })
    expect(strict.end).toMatchObject({ result: 'failed', retryable: false, reason: { code: 'unreadable' } })
    const kept = JSON.parse(await bareRestic(program, access, 'snapshots', '--json')) as { id: string }[]
    expect(kept.map(({ id }) => id)).toContain(strict.end.saved?.engineRef)
  })

  it('leaves out what is excluded, its own repository, and file systems that are mounted below', async () => {
    const root = rig.dir.join('root')
    fs.mkdirSync(root)
    fs.writeFileSync(`${root}/kept`, 'k')
    fs.writeFileSync(`${root}/x.tmp`, 't')
    const access = rig.access('nested', { location: `${root}/repo*[1]` })
    const task = backupOf([root], access, { excludes: ['*.tmp'], oneFileSystem: true })
    const first = await rig.run(engine, task, { tags: {} })
    expect(first.end).toMatchObject({ result: 'success', stats: { filesNew: 1 } })
    const again = await rig.run(engine, task, { tags: {} })
    expect(again.end).toMatchObject({ result: 'success', stats: { filesNew: 1 } })
  })

  it('of names with line breaks and bytes that are not UTF-8 is whole', async () => {
    const odd = rig.dir.join('odd')
    fs.mkdirSync(odd)
    const names = [
      Buffer.from('line\nbreak'),
      Buffer.from([0x66, 0xff, 0xfe]),
      Buffer.from(' "quoted"\\ '),
      Buffer.from('--force'),
    ]
    for (const name of names) fs.writeFileSync(Buffer.concat([Buffer.from(`${odd}/`), name]), name)
    const access = rig.access('odd-names')
    const { end } = await rig.run(engine, backupOf([odd], access))
    expect(end).toMatchObject({ result: 'success', stats: { filesNew: 4 } })
    const target = rig.dir.join('odd-back')
    const restored = await rig.run(engine, restoreOf(end.saved?.engineRef ?? '', target, access))
    expect(restored.end).toMatchObject({ result: 'success' })
    const back = fs.readdirSync(Buffer.from(target + odd), 'buffer') as unknown as Buffer[]
    expect(back.map((name) => name.toString('hex')).toSorted()).toEqual(
      names.map((name) => name.toString('hex')).toSorted(),
    )
  })

  it('reports progress on the way', async () => {
    const big = rig.dir.join('big')
    fs.mkdirSync(big)
    fs.writeFileSync(`${big}/noise`, randomBytes(6_000_000))
    const { end, progress } = await rig.run(
      engine,
      backupOf([big], rig.access('slow'), { limits: { uploadKiBs: 1_500 } }),
    )
    expect(end.result).toBe('success')
    expect(progress.length).toBeGreaterThan(0)
    expect(progress.at(-1)).toMatchObject({ phase: 'transfer', done: expect.any(Number) })
  })

  describe('that an earlier attempt has made already', () => {
    const retry = { attemptId: 'run-a.2' }

    it('is taken over when it is known to be whole', async () => {
      const access = rig.access('adopted')
      const first = await rig.run(engine, backupOf([source], access))
      const again = await rig.run(engine, backupOf([source], access), retry)
      expect(again.end).toMatchObject({ result: 'success', saved: first.end.saved, stats: first.end.stats })
      expect(again.phases).toEqual(['prepare'])
      // Another step of the run is another backup.
      const other = { ...retry, tags: { run: 'run-a', step: '1' } }
      const next = await rig.run(engine, backupOf([source], access), other)
      expect(next.end.saved?.engineRef).not.toBe(first.end.saved?.engineRef)
    })

    it('is taken again, on top of it, when nobody knows whether it is whole', async () => {
      const access = rig.access('unsure')
      const first = await rig.run(engine, backupOf([source], access))
      fs.rmSync(rig.dir.join('state', 'outcomes'), { recursive: true })
      const again = await rig.run(engine, backupOf([source], access), retry)
      expect(again.end).toMatchObject({ result: 'success', stats: { filesUnmodified: 2 } })
      expect(again.end.saved?.engineRef).not.toBe(first.end.saved?.engineRef)
    })

    it('is taken again when the repository has lost it', async () => {
      const access = rig.access('lost')
      const first = await rig.run(engine, backupOf([source], access))
      await bareRestic(program, access, 'forget', first.end.saved?.engineRef ?? '')
      const again = await rig.run(engine, backupOf([source], access), retry)
      expect(again.end).toMatchObject({ result: 'success', stats: { filesNew: 2 } })
    })
  })
})
