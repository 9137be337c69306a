import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Json, JsonObject } from './action.ts'
import { meaningOf } from './freezer-action.ts'

const etc: JsonObject = { action: 'backup', path_to_backup: '/etc', backup_name: 'etc' }
const actionOf = (freezer: JsonObject) => {
  const meaning = meaningOf(freezer)
  if ('refusal' in meaning) throw new Error(meaning.refusal.text)
  return meaning.action
}
const refusal = (code: string, text: string) => ({ refusal: { code, text: expect.stringContaining(text) } })

describe('a backup', () => {
  it('means restic in the default repository, unless something else is said', () => {
    expect(actionOf(etc)).toEqual({
      do: 'backup',
      engine: 'restic',
      backupName: 'etc',
      paths: ['/etc'],
      excludes: [],
      oneFileSystem: false,
      onUnreadable: 'partial',
      levels: { noIncremental: false },
      repository: { is: 'default' },
      limits: {},
    })
  })

  it('is what an action without a word for it means', () => {
    expect(actionOf({ path_to_backup: '/etc' })).toMatchObject({ do: 'backup', backupName: '' })
  })

  it('takes several paths and excludes, and the options of this project', () => {
    const more = {
      path_to_backup: ['/etc', '/var'],
      exclude: '*.tmp',
      one_file_system: 'True',
      on_unreadable: 'fail',
    }
    expect(actionOf({ ...etc, ...more, engine_name: 'tar' })).toMatchObject({
      engine: 'tar',
      paths: ['/etc', '/var'],
      excludes: ['*.tmp'],
      oneFileSystem: true,
      onUnreadable: 'fail',
    })
  })

  it('takes levels in the forms that clients send', () => {
    const levels = (over: JsonObject) => (actionOf({ ...etc, ...over }) as { levels: unknown }).levels
    expect(levels({ max_level: 6 })).toEqual({ noIncremental: false, maxLevel: 6 })
    expect(levels({ max_level: '6', always_level: '', restart_always_level: false })).toEqual({
      noIncremental: false,
      maxLevel: 6,
    })
    expect(levels({ always_level: 2, restart_always_level: 7 })).toEqual({
      noIncremental: false,
      alwaysLevel: 2,
      restartAlwaysLevelDays: 7,
    })
    for (const over of [{ no_incremental: true }, { no_incremental: '1' }, { incremental: false }])
      expect(levels(over)).toEqual({ noIncremental: true })
    expect(levels({ incremental: true, no_incremental: '' })).toEqual({ noIncremental: false })
  })

  it('takes limits: rates in bytes a second, with Freezer’s units', () => {
    const limits = (over: JsonObject) => (actionOf({ ...etc, ...over }) as { limits: unknown }).limits
    expect(limits({ upload_limit: '10K', download_limit: '120M' })).toEqual({
      uploadKiBs: 10,
      downloadKiBs: 122_880,
    })
    expect(limits({ upload_limit: 2_048, download_limit: '0.5G' })).toEqual({
      uploadKiBs: 2,
      downloadKiBs: 524_288,
    })
    expect(limits({ upload_limit: 1, download_limit: -1 })).toEqual({ uploadKiBs: 1 })
    expect(limits({ upload_limit: '', download_limit: null })).toEqual({})
    expect(limits({ nice: 30, io_class: 'best-effort', io_level: 9 })).toEqual({
      nice: 19,
      ioClass: 'best-effort',
      ioLevel: 7,
    })
    expect(limits({ io_class: 'real-time' })).toEqual({})
  })

  it.each<[JsonObject, string]>([
    [{ path_to_backup: '' }, 'path_to_backup'],
    [{ path_to_backup: ['/etc', ''] }, 'path_to_backup'],
    [{ path_to_backup: [7] }, 'path_to_backup'],
    [{ path_to_backup: 'etc' }, 'path_to_backup'],
    [{ path_to_backup: '/etc/../root' }, 'path_to_backup'],
    [{ path_to_backup: '/etc\0' }, 'path_to_backup'],
    [{ backup_name: 7 }, 'backup_name'],
    [{ max_level: 'six' }, 'max_level'],
    [{ max_level: -1 }, 'max_level'],
    [{ upload_limit: 'fast' }, 'upload_limit'],
    [{ upload_limit: '999999999999G' }, 'upload_limit'],
    [{ on_unreadable: 'Fail' }, 'on_unreadable'],
    [{ action: 'exec', command: 'true', time_limit: 1e15 }, 'time_limit'],
    [{ repository_id: 'a/b' }, 'repository_id'],
    [{ storage: 'local', container: 'backups' }, 'container'],
  ])('is stored and refused when run: %o', (over, field) => {
    expect(meaningOf({ ...etc, ...over })).toEqual(refusal('bad_action', field))
  })

  it.each<[JsonObject, string]>([
    [{ action: 'admin' }, '"admin"'],
    [{ mode: 'cinder' }, '"cinder"'],
    [{ storage: 'swift' }, '"swift"'],
    [{ storage: 'ssh', container: '/srv' }, '"ssh"'],
  ])('of a kind that this release does not do says so: %o', (over, word) => {
    expect(meaningOf({ ...etc, ...over })).toEqual(refusal('unsupported', word))
  })
})

describe('a backup of a database', () => {
  const orders: JsonObject = { action: 'backup', mode: 'sqlite', instance: 'orders', backup_name: 'orders' }

  it('names it by the key that its agent knows it by, in place of paths', () => {
    expect(actionOf({ ...orders, max_level: 6 })).toEqual({
      do: 'backup',
      engine: 'sqlite',
      backupName: 'orders',
      paths: [],
      instance: 'orders',
      excludes: [],
      oneFileSystem: false,
      onUnreadable: 'partial',
      levels: { noIncremental: false, maxLevel: 6 },
      repository: { is: 'default' },
      limits: {},
    })
    expect(actionOf({ ...orders, engine_name: 'sqlite' })).toEqual(actionOf(orders))
  })

  it.each<[JsonObject, string]>([
    [{ instance: '' }, 'instance: is needed'],
    [{ instance: 'a/b' }, 'instance: must be'],
    [{ instance: 'x'.repeat(65) }, 'instance: must be'],
    [{ path_to_backup: '/srv/orders.db' }, 'path_to_backup: has no place'],
    [{ engine_name: 'restic' }, 'engine_name: "restic" does not do mode "sqlite"'],
    [
      { mode: 'fs', engine_name: 'sqlite', path_to_backup: '/srv/orders.db' },
      'engine_name: "sqlite" needs mode',
    ],
    [{ mode: '', engine_name: 'sqlite' }, 'engine_name: "sqlite" needs mode'],
  ])('is refused when it is said otherwise: %o', (over, why) => {
    expect(meaningOf({ ...orders, ...over })).toEqual(refusal('bad_action', why))
  })
})

describe('the repository of an action', () => {
  const repository = (over: JsonObject) =>
    (actionOf({ ...etc, ...over }) as { repository: unknown }).repository

  it('is the one it names, else the place it describes, else the default', () => {
    const place = { storage: 'local', container: '/var/backups' }
    expect(repository({ repository_id: 'r1', ...place })).toEqual({ is: 'named', id: 'r1' })
    expect(repository(place)).toEqual({ is: 'place', ...place })
    expect(repository({ storage: 'local' })).toEqual({ is: 'default' })
    expect(repository({})).toEqual({ is: 'default' })
  })
})

describe('a restore', () => {
  const restore: JsonObject = { action: 'restore', restore_abs_path: '/srv/back' }

  it('takes one backup by its id', () => {
    expect(actionOf({ ...restore, backup_id: 'b1', include: '/etc/hosts', overwrite: true })).toMatchObject({
      do: 'restore',
      from: { is: 'backup', id: 'b1' },
      include: ['/etc/hosts'],
      target: '/srv/back',
      overwrite: true,
    })
  })

  it('takes the newest of a series, perhaps of another host, not later than a date', () => {
    const from = (over: JsonObject) =>
      (actionOf({ ...restore, backup_name: 'etc', ...over }) as { from: unknown }).from
    expect(from({})).toEqual({ is: 'series', backupName: 'etc' })
    const notAfter = Date.UTC(2027, 0, 1, 2)
    for (const date of ['2027-01-01T02:00:00', '2027-01-01T02:00:00Z', '2027-01-01T03:00:00+01:00'])
      expect(from({ hostname: 'node2', restore_from_date: date })).toEqual({
        is: 'series',
        backupName: 'etc',
        hostname: 'node2',
        notAfter,
      })
  })

  it.each<[JsonObject, string]>([
    [{ action: 'restore', backup_name: 'etc' }, 'restore_abs_path'],
    [{ ...restore }, 'backup_name'],
    [{ ...restore, restore_abs_path: 'back', backup_id: 'b1' }, 'restore_abs_path'],
    [{ ...restore, backup_name: 'etc', restore_from_date: 'yesterday' }, 'restore_from_date'],
    [{ ...restore, backup_id: 'no such id' }, 'backup_id'],
  ])('is refused when it does not say what, or where to: %o', (freezer, field) => {
    expect(meaningOf(freezer)).toEqual(refusal('bad_action', field))
  })
})

describe('a restore of a database', () => {
  const again: JsonObject = {
    ...{ action: 'restore', mode: 'sqlite', backup_id: 'b1' },
    ...{ template: 'spare', instance: 'orders-2', instance_name: 'orders again' },
  }

  it('makes a new one from a template of its node', () => {
    expect(actionOf(again)).toEqual({
      do: 'restore',
      engine: 'sqlite',
      from: { is: 'backup', id: 'b1' },
      create: { template: 'spare', instance: 'orders-2', name: 'orders again' },
      include: [],
      target: '',
      overwrite: false,
      repository: { is: 'default' },
      limits: {},
    })
    expect(actionOf({ ...again, instance_name: '' })).toMatchObject({ create: { name: 'orders-2' } })
  })

  it.each<[JsonObject, string]>([
    [{ instance: null }, 'instance: is needed'],
    [{ template: null }, 'template: is needed'],
    [{ template: '../x' }, 'template: must be'],
    [{ restore_abs_path: '/srv/back' }, 'restore_abs_path: has no place'],
    [{ instance_name: 7 }, 'instance_name'],
  ])('is refused when it does not say which, or where to: %o', (over, why) => {
    expect(meaningOf({ ...again, ...over })).toEqual(refusal('bad_action', why))
  })
})

describe('an exec', () => {
  const commands = (command: Json) =>
    (actionOf({ action: 'exec', command }) as { commands: unknown }).commands

  it('is an argument vector, or a string split at blanks and pipes, and never a shell', () => {
    expect(commands(['echo', 'a b', ''])).toEqual([['echo', 'a b', '']])
    expect(commands('  pg_dump  -Fc db | gzip -9 ')).toEqual([
      ['pg_dump', '-Fc', 'db'],
      ['gzip', '-9'],
    ])
  })

  it('has a time limit: an hour, unless it says another', () => {
    expect(actionOf({ action: 'exec', command: 'true' })).toMatchObject({
      timeLimitMs: 3_600_000,
      engine: 'exec',
    })
    expect(actionOf({ action: 'exec', command: 'true', time_limit: 5 })).toMatchObject({ timeLimitMs: 5_000 })
  })

  it.each<[Json]>([
    [''],
    ['ls |'],
    ['| ls'],
    [[]],
    [['']],
    [['echo', 5]],
    [['echo', 'a\0b']],
    [7],
    [null],
    [{}],
  ])('is refused without a program to run: %o', (command) => {
    expect(meaningOf({ action: 'exec', command })).toEqual(refusal('bad_action', 'command'))
  })
})

describe('a verify', () => {
  it('looks at the structure, or at all or a part of the data', () => {
    expect(actionOf({ action: 'verify' })).toMatchObject({ do: 'verify', scope: 'structure' })
    const data = actionOf({ action: 'verify', scope: 'data', part: '2/7' })
    expect(data).toMatchObject({ scope: 'data', part: { n: 2, of: 7 } })
  })

  it.each(['0/7', '8/7', '1/0', '2', 'a/b'])('has no part %s', (part) => {
    expect(meaningOf({ action: 'verify', scope: 'data', part })).toEqual(refusal('bad_action', 'part'))
  })
})

describe('any object that a client stores', () => {
  it('has a meaning or a reason why it has none; it never throws', () => {
    const keys = fc.constantFrom(
      ...[
        'action',
        'mode',
        'path_to_backup',
        'command',
        'storage',
        'container',
        'backup_id',
        'repository_id',
        'max_level',
      ],
      ...['upload_limit', 'restore_abs_path', 'restore_from_date', 'part', 'include', 'nice', 'backup_name'],
    )
    const words = fc.constantFrom(
      'backup',
      'restore',
      'exec',
      'verify',
      'fs',
      '/etc',
      'local',
      '1/2',
      '-1',
      '2027-01-01',
      '',
    )
    const values = fc.oneof(words, fc.jsonValue() as fc.Arbitrary<Json>)
    fc.assert(
      fc.property(fc.dictionary(keys, values), (freezer) => {
        const meaning = meaningOf(freezer)
        if ('refusal' in meaning) expect(meaning.refusal.text).not.toBe('')
        else expect(meaning.action.do).toBeTypeOf('string')
      }),
      { numRuns: 1_000 },
    )
  })
})
