import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Fault } from '../../../core/fault.ts'
import {
  backupOf,
  bareRestic,
  EngineRig,
  forgetOf,
  resticPrograms,
  restoreOf,
  verifyOf,
} from '../../../test/support/engine-rig.ts'
import { entryOf } from './browse.ts'
import { resticEngine } from './engine.ts'
import { parseVersion, capabilitiesOf } from './version.ts'

/** Everything of a tree that a restore has to bring back. Names are latin1, one character a byte. */
function treeOf(root: string): Record<string, unknown> {
  const tree: Record<string, unknown> = {}
  const walk = (folder: Buffer): void => {
    for (const name of fs.readdirSync(folder, 'buffer') as unknown as Buffer[]) {
      const at = Buffer.concat([folder, Buffer.from('/'), name])
      const stat = fs.lstatSync(at)
      tree[at.toString('latin1').slice(root.length)] = {
        mode: stat.mode.toString(8),
        mtime: stat.isDirectory() ? 0 : stat.mtimeMs,
        content: stat.isSymbolicLink()
          ? fs.readlinkSync(at)
          : stat.isFile()
            ? fs.readFileSync(at).toString('base64')
            : '',
        owner: `${stat.uid}:${stat.gid}`,
      }
      if (stat.isDirectory()) walk(at)
    }
  }
  walk(Buffer.from(root))
  return tree
}

/** A program that the machine may lack. */
const system = (program: string, ...args: string[]) => spawnSync(program, args)

const attribute = (file: string): string =>
  system('getfattr', '-n', 'user.firn', '--only-values', file).stdout?.toString() ?? ''

describe.each(resticPrograms())('with %s', (program) => {
  const engine = resticEngine({ stateMark: 'test', program })
  const version = parseVersion(execFileSync(program, ['version'], { encoding: 'utf8' }))
  const able = (version && capabilitiesOf(version)) ?? expect.unreachable()
  let rig: EngineRig
  let source: string
  let saved: string
  const access = () => rig.access('repository')

  beforeAll(async () => {
    rig = await EngineRig.open()
    source = rig.dir.join('source')
    fs.mkdirSync(`${source}/sub[1]/deep`, { recursive: true })
    fs.mkdirSync(`${source}/empty`)
    fs.writeFileSync(`${source}/plain`, randomBytes(300_000))
    fs.writeFileSync(`${source}/sub[1]/sh*`, '#!/bin/sh\n', { mode: 0o755 })
    fs.writeFileSync(`${source}/sub[1]/deep/leaf`, 'leaf')
    fs.chmodSync(`${source}/sub[1]/deep`, 0o2750)
    fs.utimesSync(`${source}/plain`, 1_000_000_000.5, 1_000_000_000.5)
    fs.symlinkSync('../nowhere', `${source}/link`)
    fs.writeFileSync(Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0x62, 0xff, 0x0a, 0x62])]), 'odd')
    system('setfattr', '-n', 'user.firn', '-v', 'kept', `${source}/plain`)
    fs.writeFileSync(`${source}/sparse`, 'head')
    fs.truncateSync(`${source}/sparse`, 8 * 2 ** 20)
    const { end } = await rig.run(engine, backupOf([source], access()))
    saved = end.saved?.engineRef ?? ''
  })
  afterAll(() => rig[Symbol.asyncDispose]())

  describe('a restore', () => {
    it('brings everything back below the target', async () => {
      const target = rig.dir.join('whole')
      const { end, phases } = await rig.run(engine, restoreOf(saved, target, access()))
      expect(end).toMatchObject({ result: 'success', retryable: false })
      expect(phases).toEqual(['prepare', 'transfer'])
      // Before 0.17 restic does not say how much it was.
      expect((end.stats?.bytesProcessed ?? 0) > 8 * 2 ** 20).toBe(able.restoreProgress)
      const back = path.join(target, source)
      expect(treeOf(back)).toEqual(treeOf(source))
      expect(attribute(`${back}/plain`)).toBe(attribute(`${source}/plain`))
      expect(fs.statSync(`${back}/sparse`).blocks < 4_000).toBe(able.sparseRestore)
    })

    it('of some paths brings back just these, whatever characters they hold', async () => {
      const target = rig.dir.join('some')
      const include = [`${source}/sub[1]/sh*`, `${source}/sub[1]/deep`]
      const { end } = await rig.run(engine, restoreOf(saved, target, access(), { include }))
      expect(end).toMatchObject({ result: 'success' })
      const names = Object.keys(treeOf(path.join(target, source))).toSorted()
      expect(names).toEqual(['/sub[1]', '/sub[1]/deep', '/sub[1]/deep/leaf', '/sub[1]/sh*'])
    })

    it('of paths that the backup has not is partial, or failed when it has none of them', async () => {
      const include = [`${source}/plain`, `${source}/never`]
      const some = await rig.run(engine, restoreOf(saved, rig.dir.join('part'), access(), { include }))
      expect(some.end).toMatchObject({ result: 'partial', reason: { code: 'source_missing' } })
      expect(some.items).toEqual([
        { path: `${source}/never`, code: 'ENOENT', message: 'is not in the backup' },
      ])
      const none = await rig.run(
        engine,
        restoreOf(saved, rig.dir.join('none'), access(), { include: ['/never'] }),
      )
      expect(none.end).toMatchObject({
        result: 'failed',
        retryable: false,
        reason: { code: 'source_missing' },
      })
    })

    it('refuses a target that is not empty, unless it may overwrite', async () => {
      const target = rig.dir.join('full')
      fs.mkdirSync(target)
      fs.writeFileSync(`${target}/mine`, 'mine')
      const refused = await rig.run(engine, restoreOf(saved, target, access()))
      expect(refused.end).toMatchObject({ result: 'failed', retryable: false, reason: { code: 'config' } })
      expect(fs.readdirSync(target)).toEqual(['mine'])
      const allowed = await rig.run(
        engine,
        restoreOf(saved, target, access(), { overwrite: true, include: [`${source}/plain`] }),
      )
      expect(allowed.end).toMatchObject({ result: 'success' })
      expect(fs.readFileSync(`${target}/mine`, 'utf8')).toBe('mine')
    })

    it('over links writes through none of them', async () => {
      const target = rig.dir.join('linked')
      const elsewhere = rig.dir.join('elsewhere')
      const inTarget = path.join(target, source)
      fs.mkdirSync(elsewhere)
      fs.writeFileSync(`${elsewhere}/leaf`, 'mine')
      const over = { overwrite: true }

      fs.mkdirSync(`${inTarget}/sub[1]`, { recursive: true })
      fs.symlinkSync(elsewhere, `${inTarget}/sub[1]/deep`)
      const folder = await rig.run(engine, restoreOf(saved, target, access(), over))
      expect(folder.end).toMatchObject({ result: 'failed', retryable: false, reason: { code: 'config' } })
      expect(folder.end.reason?.text).toContain(`${inTarget}/sub[1]/deep is a link`)

      fs.rmSync(`${inTarget}/sub[1]/deep`)
      fs.symlinkSync(`${elsewhere}/leaf`, `${inTarget}/plain`)
      const file = await rig.run(engine, restoreOf(saved, target, access(), over))
      expect(file.end).toMatchObject({ result: 'failed', reason: { code: 'config' } })
      const beside = { ...over, include: [`${source}/sub[1]/deep`] }
      expect((await rig.run(engine, restoreOf(saved, target, access(), beside))).end.result).toBe('success')
      expect(fs.readFileSync(`${elsewhere}/leaf`, 'utf8')).toBe('mine')
      expect(fs.readdirSync(elsewhere)).toEqual(['leaf'])
    })

    it('over links that the backup has too brings back the files', async () => {
      const target = rig.dir.join('again')
      fs.mkdirSync(path.join(target, source), { recursive: true })
      fs.symlinkSync('../nowhere', `${path.join(target, source)}/link`)
      fs.symlinkSync('/', `${target}/not in the backup`)
      const { end } = await rig.run(engine, restoreOf(saved, target, access(), { overwrite: true }))
      expect(end.reason?.code).not.toBe('config')
      expect(fs.readFileSync(`${path.join(target, source)}/sub[1]/deep/leaf`, 'utf8')).toBe('leaf')
    })

    it('of what is no snapshot fails', async () => {
      const { end } = await rig.run(engine, restoreOf('deadbeef'.repeat(8), rig.dir.join('no'), access()))
      expect(end).toMatchObject({ result: 'failed', retryable: false, reason: { code: 'config' } })
      const odd = await rig.run(engine, restoreOf('latest', rig.dir.join('no'), access()))
      expect(odd.end).toMatchObject({ result: 'failed', reason: { code: 'config' } })
    })
  })

  describe('looking into a backup', () => {
    const look = (folder: string, limit = 100) => engine.browse(access(), saved, folder, limit, rig.context())

    it('shows one folder', async () => {
      const { entries, more } = await look(`${source}/sub[1]`)
      expect(more).toBe(false)
      expect(
        entries.map(({ path, type, size, mode }) => ({ path, type, size, mode: mode.toString(8) })),
      ).toEqual([
        { path: `${source}/sub[1]/deep`, type: 'dir', size: 0, mode: '2750' },
        { path: `${source}/sub[1]/sh*`, type: 'file', size: 10, mode: '755' },
      ])
      const all = await look(`${source}/`)
      expect(all.entries.map((entry) => path.basename(entry.path))).toContain('b\ufffd\nb')
      expect(all.entries.find((entry) => entry.path === `${source}/link`)).toMatchObject({ type: 'symlink' })
    })

    it('shows the root, a file and an empty folder', async () => {
      expect((await look('/')).entries.map((entry) => entry.path)).toEqual([`/${source.split('/')[1]}`])
      expect((await look(`${source}/plain`)).entries).toMatchObject([
        { path: `${source}/plain`, size: 300_000 },
      ])
      expect((await look(`${source}/empty`)).entries).toEqual([])
    })

    it('stops at the limit and leaves no process behind', async () => {
      const { entries, more } = await look(source, 2)
      expect(entries).toHaveLength(2)
      expect(more).toBe(true)
      expect([...rig.running.keys()]).toEqual([])
    })

    it('has words for what is not there', async () => {
      await expect(look(`${source}/never`)).rejects.toMatchObject({ code: 'not_found' })
      await expect(look('relative')).rejects.toBeInstanceOf(Fault)
      const lost = engine.browse(access(), 'deadbeef'.repeat(8), '/', 10, rig.context())
      await expect(lost).rejects.toBeInstanceOf(Fault)
    })

    it('reads entries of any shape', () => {
      expect(entryOf('{"struct_type":"snapshot","path":"/a"}')).toBeUndefined()
      expect(entryOf('nonsense')).toBeUndefined()
      expect(entryOf('{"struct_type":"node","path":"/a","type":"chardev"}')).toEqual({
        path: '/a',
        type: 'other',
        size: 0,
        mode: 0,
        mtime: '',
      })
    })
  })

  describe('verifying', () => {
    it('finds a whole repository whole', async () => {
      const { end, phases } = await rig.run(engine, verifyOf(access()))
      expect(end).toMatchObject({ result: 'success' })
      expect(phases).toEqual(['prepare', 'verify'])
      const part = await rig.run(engine, verifyOf(access(), { scope: 'data', part: { n: 1, of: 2 } }))
      expect(part.end).toMatchObject({ result: 'success' })
    })

    it('refuses parts that there are not', async () => {
      const { end } = await rig.run(engine, verifyOf(access(), { scope: 'data', part: { n: 3, of: 2 } }))
      expect(end).toMatchObject({ result: 'failed', reason: { code: 'config' } })
    })

    it('of the data finds a changed byte, of the structure a lost pack; restoring gives the rest', async () => {
      const broken = rig.access('broken')
      fs.cpSync(access().location, broken.location, { recursive: true })
      const pack = packsOf(broken.location).find((file) => fs.statSync(file).size > 250_000) ?? ''
      const bytes = fs.readFileSync(pack)
      bytes.write('XXXXXXXX', 50_000)
      fs.chmodSync(pack, 0o600)
      fs.writeFileSync(pack, bytes)
      expect((await rig.run(engine, verifyOf(broken))).end).toMatchObject({ result: 'success' })
      const found = await rig.run(engine, verifyOf(broken, { scope: 'data' }))
      expect(found.end).toMatchObject({ result: 'failed', retryable: false, reason: { code: 'damaged' } })
      expect(found.items.length).toBeGreaterThan(0)

      const rest = await rig.run(engine, restoreOf(saved, rig.dir.join('rest'), broken))
      expect(rest.end).toMatchObject({ result: 'partial', reason: { code: 'damaged' } })
      expect(rest.items).toMatchObject([{ path: `${source}/plain` }])
      expect(fs.readFileSync(path.join(rig.dir.join('rest'), source, 'sub[1]/deep/leaf'), 'utf8')).toBe(
        'leaf',
      )

      fs.rmSync(pack)
      const lost = await rig.run(engine, verifyOf(broken))
      expect(lost.end).toMatchObject({ result: 'failed', retryable: false, reason: { code: 'damaged' } })
    })
  })

  describe('forgetting', () => {
    it('drops exactly these, and what is gone already is fine', async () => {
      const own = rig.access('forgetful')
      const made: string[] = []
      for (const step of ['0', '1', '2']) {
        const { end } = await rig.run(engine, backupOf([`${source}/sub[1]`], own), {
          tags: { run: 'r', step },
        })
        made.push(end.saved?.engineRef ?? '')
      }
      const [first = '', second = '', third = ''] = made
      const { end } = await rig.run(engine, forgetOf([first, third, 'deadbeef'.repeat(8)], own))
      expect(end).toMatchObject({ result: 'success' })
      await expect(engine.browse(own, first, '/', 10, rig.context())).rejects.toBeInstanceOf(Fault)
      expect((await engine.browse(own, second, '/', 10, rig.context())).entries).toHaveLength(1)
    })

    it('frees what only these needed, when asked to: the data is gone, and what others need is not', async () => {
      const own = rig.access('freed')
      const folders = ['doomed', 'kept'].map((name) => rig.dir.join(name))
      const ids: string[] = []
      for (const folder of folders) {
        fs.mkdirSync(folder)
        fs.writeFileSync(`${folder}/noise`, randomBytes(3_000_000))
        fs.writeFileSync(`${folder}/small`, `small ${folder}`)
        const { end } = await rig.run(engine, backupOf([folder], own), { tags: {} })
        ids.push(end.saved?.engineRef ?? '')
      }
      const [doomed = '', kept = ''] = ids
      const file = JSON.parse(await bareRestic(program, own, 'find', '--json', '--snapshot', doomed, 'noise'))
      const node = await bareRestic(program, own, 'cat', 'snapshot', doomed)
      const tree = (JSON.parse(node) as { tree: string }).tree
      expect(file).toHaveLength(1)
      const before = sizeOf(own.location)
      await rig.run(engine, forgetOf([doomed], own))
      expect(sizeOf(own.location)).toBeGreaterThan(before - 1_000_000)

      // The snapshot is dropped already: an attempt that was cut off before it freed anything is made up for.
      const { end, phases, progress } = await rig.run(engine, forgetOf([doomed], own, { free: true }))
      expect(end).toMatchObject({ result: 'success', repositoryId: expect.any(String) })
      expect(phases).toEqual(['prepare', 'cleanup', 'commit'])
      expect(progress.length).toBeGreaterThan(0)
      expect(sizeOf(own.location)).toBeLessThan(before - 2_900_000)
      await expect(bareRestic(program, own, 'find', '--blob', tree)).resolves.toBe('')
      const stats = JSON.parse(await bareRestic(program, own, 'stats', '--json', '--mode', 'raw-data'))
      expect(stats).toMatchObject({ snapshots_count: 1 })
      expect((await rig.run(engine, restoreOf(kept, rig.dir.join('kept-again'), own))).end.result).toBe(
        'success',
      )
      await bareRestic(program, own, 'check', '--read-data')
    })

    it('is content, when asked to free, with a repository that is gone', async () => {
      const gone = rig.access('never-was')
      const { end } = await rig.run(engine, forgetOf(['deadbeef'.repeat(8)], gone, { free: true }))
      expect(end).toMatchObject({ result: 'success' })
      expect(fs.existsSync(gone.location)).toBe(false)
    })

    it('takes no shortened ids', async () => {
      const { end } = await rig.run(engine, forgetOf([saved.slice(0, 8)], access()))
      expect(end).toMatchObject({ result: 'failed', reason: { code: 'config' } })
    })
  })
})

function packsOf(repository: string): string[] {
  const files = fs.readdirSync(path.join(repository, 'data'), { recursive: true, encoding: 'utf8' })
  return files.map((file) => path.join(repository, 'data', file)).filter((file) => fs.statSync(file).isFile())
}

const sizeOf = (repository: string): number =>
  packsOf(repository).reduce((sum, file) => sum + fs.statSync(file).size, 0)
