import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryDatabases } from '../../../test/support/databases.ts'
import {
  backupOf,
  EngineRig,
  forgetOf,
  restoreOf,
  verifyOf,
  type Ran,
} from '../../../test/support/engine-rig.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { execute, noisyDatabase, SqliteWriter, transactionsIn } from '../../../test/support/sqlite.ts'
import { toolPath } from '../../../scripts/tools.ts'
import type { RepositoryAccess } from '../../../core/link.ts'
import type { Database, Databases } from '../../ports/databases.ts'
import type { Engine, EngineContext, EngineEvent } from '../../ports/engine.ts'
import { groupLives } from '../process/proc.ts'
import { resticEngine } from '../restic/engine.ts'
import { sqliteEngine } from './engine.ts'
import { sqliteTool } from './look.ts'

const stateMark = `sqlite-${process.pid}`
const keeper = resticEngine({ program: toolPath('restic'), stateMark })

let rig: EngineRig
let access: RepositoryAccess
let databases: Databases
let engine: Engine
let root: string
let runs = 0

beforeAll(async () => {
  rig = await EngineRig.open()
  access = rig.access('repository')
  root = rig.dir.join('made')
  fs.mkdirSync(root)
  const keys = [
    'orders',
    'rolling',
    'small',
    'held',
    'noise',
    'no-database',
    'corrupt',
    'missing',
    'folder',
    'foreign',
  ]
  const declared = keys.map((key): Database => ({ key, name: key, datastore: 'sqlite', path: at(key) }))
  databases = memoryDatabases(declared, [{ name: 'spare', datastore: 'sqlite', root }])
  engine = sqliteEngine({ keeper, databases, stateMark })
  noisyDatabase(at('noise'), 20_000_000)
  execute(at('small'), 'CREATE TABLE t (a); INSERT INTO t VALUES (1)')
})
afterAll(() => rig[Symbol.asyncDispose]())

const at = (key: string): string => rig.dir.join(`${key}.db`)
/** What lies where copies are made and where restores work; a context of another run each time. */
const left = (): string[] => [
  ...fs.readdirSync(rig.dir.join('state', 'copies')),
  ...fs.readdirSync(root).filter((name) => name.startsWith('.')),
]
const tags = () => ({ tags: { run: `run-${runs++}`, step: '0' } })
const save = (instance: string, more: Partial<EngineContext> = {}, see?: (event: EngineEvent) => void) =>
  rig.run(engine, backupOf([], access, { engine: 'sqlite', instance }), { ...tags(), ...more }, see)
const make = (engineRef: string, instance: string, more: Partial<EngineContext> = {}, template = 'spare') =>
  rig.run(
    engine,
    restoreOf(engineRef, '', access, { engine: 'sqlite', create: { template, instance, name: instance } }),
    { ...tags(), ...more },
  )
const refOf = ({ end }: Ran): string => end.saved?.engineRef ?? 'nothing'
const failed = (code: string, retryable = false) => ({ result: 'failed', retryable, reason: { code } })

describe('a backup of a database in use', () => {
  it.each([
    ['wal', 'orders'],
    ['delete', 'rolling'],
  ] as const)(
    'in %s mode is what was committed at one instant, and its writer goes on',
    async (mode, key) => {
      await using writer = new SqliteWriter(at(key), mode)
      await eventually(() => writer.committed >= 2_000, { withinMs: 30_000 })
      const before = writer.committed
      const saved = await save(key)
      expect(saved.end).toMatchObject({ result: 'success', saved: { paths: [at(key)] } })
      const after = await eventually(() => (writer.committed > before ? writer.committed : undefined))
      await eventually(() => writer.committed > after + 100, { withinMs: 30_000 })
      expect([writer.said, writer.runs]).toEqual(['', true])

      expect((await make(refOf(saved), `${key}-again`)).end.result).toBe('success')
      const held = transactionsIn(`${root}/${key}-again.db`)
      expect(held).toBeGreaterThanOrEqual(before)
      expect(held).toBeLessThan(after + 100)
      expect(left()).toEqual([])
    },
  )

  it('tells how far it is, what was saved and how much', async () => {
    const { end, phases, progress, items } = await save('noise')
    expect(phases).toEqual(['prepare', 'scan', 'verify', 'prepare', 'transfer', 'commit'])
    const fractions = progress.map(({ fraction }) => fraction ?? -1)
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b))
    expect(progress.every(({ done, total }) => total === undefined || done <= total)).toBe(true)
    expect(items).toEqual([])
    expect(end).toMatchObject({
      saved: {
        paths: [at('noise')],
        engineVersion: expect.stringMatching(/^SQLite 3\.\d+.*, restic 0\.\d+/),
      },
      stats: { bytesProcessed: expect.any(Number), durationMs: expect.any(Number) },
    })
    expect(end.stats?.bytesProcessed).toBeGreaterThan(20_000_000)
    expect(end.stats?.bytesProcessed).toBeLessThan(22_000_000)
  })

  it('adds little when little has changed', async () => {
    const first = await save('noise')
    execute(at('noise'), `INSERT INTO noise VALUES ('a row more')`)
    const task = backupOf([], access, { engine: 'sqlite', instance: 'noise', parent: refOf(first) })
    const second = await rig.run(engine, task, tags())
    expect(second.end.result).toBe('success')
    expect(second.end.stats?.bytesAdded).toBeLessThan(5_000_000)
  })

  it('leaves a database that nobody uses as it found it', async () => {
    const before = fs.readFileSync(at('noise'))
    expect((await save('noise')).end.result).toBe('success')
    expect(fs.readFileSync(at('noise')).equals(before)).toBe(true)
    expect(fs.readdirSync(rig.dir.path).filter((name) => name.startsWith('noise'))).toEqual(['noise.db'])
  })

  it('is to be tried again when somebody holds the whole database', async () => {
    const holder = new DatabaseSync(at('held'))
    holder.exec('CREATE TABLE IF NOT EXISTS t (a); BEGIN EXCLUSIVE')
    expect((await save('held')).end).toMatchObject(failed('locked', true))
    holder.exec('COMMIT')
    expect((await save('held')).end.result).toBe('success')
    holder.close()
    expect(left()).toEqual([])
  })

  it.each([
    ['no-database', () => fs.writeFileSync(at('no-database'), 'x'.repeat(10_000)), 'damaged'],
    ['corrupt', () => corruptDatabase(at('corrupt')), 'damaged'],
    ['missing', () => undefined, 'source_missing'],
    ['folder', () => fs.mkdirSync(at('folder')), 'damaged'],
    ['foreign', () => foreignDatabase(at('foreign')), 'config'],
    ['unheard-of', () => undefined, 'config'],
  ])('of what is no sound database fails and says why: %s', async (key, prepare, code) => {
    prepare()
    const snapshots = fs.existsSync(access.location) ? fs.readdirSync(`${access.location}/snapshots`) : []
    const { end } = await save(key)
    expect(end).toMatchObject(failed(code))
    expect(end.saved).toBeUndefined()
    expect(fs.readdirSync(`${access.location}/snapshots`)).toEqual(snapshots)
    expect(left()).toEqual([])
  })

  it('that is cancelled is aborted, and leaves neither a copy nor a process', async () => {
    for (const phase of ['scan', 'verify', 'transfer']) {
      const abort = new AbortController()
      const pids = new Set<number>()
      const { end } = await save('noise', { signal: abort.signal }, (event) => {
        for (const pid of rig.running.keys()) pids.add(pid)
        if (event.type === 'phase' && event.phase === phase) abort.abort(new Error('not needed any more'))
      })
      expect(end).toMatchObject({
        result: 'aborted',
        reason: { code: 'cancelled', text: 'not needed any more' },
      })
      expect([...pids].filter((pid) => groupLives(pid))).toEqual([])
      expect(left()).toEqual([])
    }
  })

  it('that hangs is stopped as stalled, one whose process is killed has failed', async () => {
    const act = (signal: NodeJS.Signals) => (event: EngineEvent) => {
      if (event.type !== 'phase' || event.phase !== 'scan') return
      for (const pid of rig.running.keys()) process.kill(-pid, signal)
    }
    expect((await save('noise', { stallMs: 400 }, act('SIGSTOP'))).end).toMatchObject(failed('stalled', true))
    expect((await save('noise', {}, act('SIGKILL'))).end).toMatchObject(failed('killed', true))
    expect(left()).toEqual([])
    await eventually(() => rig.running.size === 0)
  })

  it('waits while another one of the same database is made', async () => {
    const both = await Promise.all([save('small'), save('small')])
    expect(both.map(({ end }) => end.result)).toEqual(['success', 'success'])
    const abort = new AbortController()
    const [first, second] = await Promise.all([
      save('small', {}, (event) => void (event.type === 'phase' && abort.abort())),
      save('small', { signal: abort.signal }),
    ])
    expect([first.end.result, second.end.result]).toEqual(['success', 'aborted'])
    expect((await save('small')).end.result).toBe('success')
  })
})

describe('a restore', () => {
  it('makes a database of its own, closed to others, and knows it from then on', async () => {
    const saved = await save('small')
    const { end, phases } = await make(refOf(saved), 'copy')
    expect(end).toMatchObject({ result: 'success', stats: { bytesProcessed: expect.any(Number) } })
    expect(phases).toEqual(['prepare', 'prepare', 'transfer', 'verify', 'commit'])
    expect(new DatabaseSync(`${root}/copy.db`).prepare('SELECT a FROM t').all()).toMatchObject([{ a: 1 }])
    expect(fs.statSync(`${root}/copy.db`).mode & 0o777).toBe(0o600)
    expect(fs.statSync(`${root}/copy.db`).nlink).toBe(1)
    expect(databases.find('copy')).toMatchObject({ path: `${root}/copy.db`, within: root })
    expect((await save('copy')).end.result).toBe('success')
  })

  it('finds what an earlier attempt at its step has made; another step is refused', async () => {
    const ref = refOf(await save('small'))
    const mine = { tags: { run: 'restore', step: '1' } }
    expect((await make(ref, 'twice', mine)).end.result).toBe('success')
    const made = fs.statSync(`${root}/twice.db`)
    expect((await make(ref, 'twice', { ...mine, attemptId: 'restore.2' })).end.result).toBe('success')
    expect(fs.statSync(`${root}/twice.db`).ino).toBe(made.ino)
    expect((await make(ref, 'twice')).end).toMatchObject(failed('config'))
  })

  it.each(['taken.db', 'taken.db-wal', 'taken.db-journal'])(
    'never replaces what is there: %s',
    async (name) => {
      const ref = refOf(await save('small'))
      fs.writeFileSync(`${root}/${name}`, 'mine')
      const { end } = await make(ref, 'taken')
      expect(end).toMatchObject({ ...failed('config'), reason: { text: expect.stringContaining(name) } })
      expect(fs.readFileSync(`${root}/${name}`, 'utf8')).toBe('mine')
      expect([databases.find('taken'), left()]).toEqual([undefined, []])
      fs.rmSync(`${root}/${name}`)
    },
  )

  it('leaves nothing when the backup is of something else, damaged or not there', async () => {
    const folder = rig.dir.join('files')
    fs.mkdirSync(folder)
    for (const name of ['a', 'b']) fs.writeFileSync(`${folder}/${name}`, name)
    const files = await rig.run(keeper, backupOf([folder], access), tags())
    const bad = await rig.run(keeper, backupOf([at('no-database')], access), tags())
    expect((await make(refOf(files), 'never')).end).toMatchObject(failed('config'))
    expect((await make(refOf(bad), 'never')).end).toMatchObject(failed('damaged'))
    expect((await make('deadbeef'.repeat(8), 'never')).end.result).toBe('failed')
    expect((await make(refOf(files), 'never', {}, 'no-template')).end).toMatchObject(failed('config'))
    expect([databases.find('never'), left(), fs.existsSync(`${root}/never.db`)]).toEqual([
      undefined,
      [],
      false,
    ])
  })

  it('that is cancelled leaves nothing', async () => {
    const ref = refOf(await save('noise'))
    for (const phase of ['transfer', 'verify']) {
      const abort = new AbortController()
      const { end } = await rig.run(
        engine,
        restoreOf(ref, '', access, {
          ...{ engine: 'sqlite', create: { template: 'spare', instance: 'half', name: 'half' } },
        }),
        { ...tags(), signal: abort.signal },
        (event) => void (event.type === 'phase' && event.phase === phase && abort.abort()),
      )
      expect(end.result).toBe('aborted')
      expect([databases.find('half'), left(), fs.existsSync(`${root}/half.db`)]).toEqual([
        undefined,
        [],
        false,
      ])
    }
  })
})

describe('what a step that was cut off has left', () => {
  const work = (key: string): string => {
    const own = fs.readdirSync(root).find((name) => name.startsWith('.firn-'))
    return `${root}/${own?.slice(0, own.lastIndexOf('-')) ?? ''}-${key}`
  }

  it('goes, a database that has its name already stays, and one that has none is forgotten', async () => {
    const state = rig.dir.join('state')
    fs.mkdirSync(`${state}/copies/orders`, { recursive: true })
    fs.writeFileSync(`${state}/copies/orders/orders.db`, 'half a copy')
    // A restore under way shows what its folder is called.
    const ref = refOf(await save('small'))
    let folder = ''
    await rig.run(
      engine,
      restoreOf(ref, '', access, {
        ...{ engine: 'sqlite', create: { template: 'spare', instance: 'probe', name: 'probe' } },
      }),
      tags(),
      (event) => {
        if (event.type === 'phase' && event.phase === 'transfer') folder = work('')
      },
    )
    const [template] = databases.templates
    if (!template) throw new Error('no template')
    for (const key of ['named', 'nameless']) {
      fs.mkdirSync(`${folder}${key}/deep`, { recursive: true })
      fs.writeFileSync(`${folder}${key}/deep/${key}.db`, key)
      await databases.add({ key, name: key, template, madeBy: { run: 'r', step: '0' } })
    }
    fs.linkSync(`${folder}named/deep/named.db`, `${root}/named.db`)
    fs.writeFileSync(`${root}/nameless.db`, 'of somebody else')
    fs.mkdirSync(`${root}/.firn-another-agent`)
    await engine.settle?.(state)
    expect(left()).toEqual(['.firn-another-agent'])
    fs.rmdirSync(`${root}/.firn-another-agent`)
    expect(fs.readFileSync(`${root}/named.db`, 'utf8')).toBe('named')
    expect(fs.readFileSync(`${root}/nameless.db`, 'utf8')).toBe('of somebody else')
    expect([databases.find('named')?.key, databases.find('nameless')]).toEqual(['named', undefined])
  })

  it('goes with the cleaning of its repository, too', async () => {
    fs.mkdirSync(rig.dir.join('state', 'copies', 'orders'), { recursive: true })
    await engine.cleanUp(access, rig.context())
    expect(left()).toEqual([])
  })
})

describe('what its keeper does for it', () => {
  it('is to verify, to show and to drop backups', async () => {
    const ref = refOf(await save('small'))
    const verified = await rig.run(engine, verifyOf(access, { engine: 'sqlite' }), tags())
    expect(verified.end.result).toBe('success')
    const shown = await engine.browse(
      access,
      ref,
      rig.dir.join('state', 'copies', 'small'),
      10,
      rig.context(),
    )
    expect(shown.entries).toMatchObject([{ path: rig.dir.join('state', 'copies', 'small', 'small.db') }])
    const dropped = await rig.run(engine, forgetOf([ref], access, { engine: 'sqlite', free: true }), tags())
    expect(dropped.end.result).toBe('success')
    expect((await make(ref, 'dropped')).end.result).toBe('failed')
  })

  it('decides whether there is anything that it can do', async () => {
    expect(await engine.probe(rig.abort.signal)).toMatchObject({
      ...{ engine: 'sqlite', available: true, version: process.versions.sqlite },
      capabilities: ['vacuum_into', 'integrity_check', 'kept_by_restic'],
    })
    const without = resticEngine({ program: '/no/restic', stateMark })
    expect(
      await sqliteEngine({ keeper: without, databases, stateMark }).probe(rig.abort.signal),
    ).toMatchObject({
      ...{ available: false, problems: [expect.stringContaining('/no/restic')] },
    })
  })
})

describe('a look at a database', () => {
  it('tells whether it could be backed up, and its size with what is not merged yet', async () => {
    const file = rig.dir.join('looked.db')
    const writer = new DatabaseSync(file)
    writer.exec('PRAGMA journal_mode = wal; CREATE TABLE t (a); INSERT INTO t VALUES (1)')
    const { bytes = 0, up } = await sqliteTool.look(file)
    expect([up, bytes]).toEqual([true, fs.statSync(file).size + fs.statSync(`${file}-wal`).size])
    writer.close()
    fs.writeFileSync(rig.dir.join('empty.db'), '')
    expect(await sqliteTool.look(rig.dir.join('empty.db'))).toEqual({ up: true, bytes: 0 })
    expect(sqliteTool.version).toMatch(/^3\.\d+$/)
  })

  it.each([
    ['nowhere', 'not there'],
    ['no-database', 'no SQLite database'],
    ['folder', 'no file'],
  ])('says what is wrong with it: %s', async (key, problem) => {
    expect(await sqliteTool.look(at(key))).toEqual({ up: false, problem: expect.stringContaining(problem) })
  })
})

/** A page in the middle of its table is noise. */
function corruptDatabase(file: string): void {
  const database = new DatabaseSync(file)
  database.exec('CREATE TABLE t (a); CREATE INDEX i ON t (a); BEGIN')
  const insert = database.prepare('INSERT INTO t VALUES (?)')
  for (let row = 0; row < 5_000; row++) insert.run(`row ${row} ${'x'.repeat(50)}`)
  database.exec('COMMIT')
  database.close()
  const fd = fs.openSync(file, 'r+')
  fs.writeSync(fd, randomBytes(4_096), 0, 4_096, 4_096 * 20)
  fs.closeSync(fd)
}

/** One whose index needs a function that only its own program has. */
function foreignDatabase(file: string): void {
  const database = new DatabaseSync(file)
  database.function('own', { deterministic: true }, (value) => value)
  database.exec('CREATE TABLE t (a); INSERT INTO t VALUES (1); CREATE INDEX i ON t (own(a))')
  database.close()
}
