import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { isFault } from '../../core/fault.ts'
import { tempDir } from '../../test/support/temp.ts'
import type { Database } from '../ports/databases.ts'
import { KeptDatabases } from './databases.ts'

const spare = { name: 'spare', datastore: 'sqlite', root: '/srv/spare' } as const
const orders: Database = { key: 'orders', name: 'orders', datastore: 'sqlite', path: '/srv/orders.db' }
const madeBy = { run: 'r1', step: '0' }
const again = { key: 'again', name: 'Again', template: spare, madeBy }
const keys = (databases: KeptDatabases): string[] => databases.all().map(({ key }) => key)

describe('the databases of a node', () => {
  it('are those of its configuration, and what was made here, also after a restart', async () => {
    await using dir = await tempDir()
    const open = () => new KeptDatabases({ stateDir: dir.path, instances: [orders], templates: [spare] })
    const databases = open()
    expect([keys(databases), databases.damaged]).toEqual([['orders'], undefined])
    await databases.add(again)
    const made = {
      ...{ key: 'again', name: 'Again', datastore: 'sqlite', path: '/srv/spare/again.db' },
      ...{ within: '/srv/spare', madeBy },
    }
    expect(databases.find('again')).toEqual(made)
    expect(open().all()).toEqual([orders, made])
    expect(fs.statSync(dir.join('instances.json')).mode & 0o777).toBe(0o600)
    await databases.remove('again')
    expect(keys(open())).toEqual(['orders'])
  })

  it('made here are missing when their file is, in the folder that they were made in', async () => {
    await using dir = await tempDir()
    const root = dir.join('root')
    const template = { ...spare, root }
    const file = path.join(root, 'again.db')
    fs.mkdirSync(root)
    const given = { stateDir: dir.path, instances: [orders], templates: [template] }
    await new KeptDatabases(given).add({ ...again, template })
    const databases = new KeptDatabases(given)
    const isMissing = () => databases.isMissing('again')
    fs.writeFileSync(file, '')
    expect(await isMissing()).toBe(false)
    fs.rmSync(file)
    expect(await isMissing()).toBe(true)
    // As when the file system that holds it is not mounted.
    fs.renameSync(root, dir.join('away'))
    expect(await isMissing()).toBe(false)
    fs.mkdirSync(root)
    expect(await isMissing()).toBe(false)
    expect([await databases.isMissing('orders'), await databases.isMissing('other')]).toEqual([false, false])
  })

  it('have keys of their own, however many are made at once', async () => {
    await using dir = await tempDir()
    const databases = new KeptDatabases({ stateDir: dir.path, instances: [orders], templates: [spare] })
    const added = await Promise.allSettled([
      ...['again', 'again', 'other'].map((key) => databases.add({ ...again, key })),
      databases.add({ ...again, key: 'orders' }),
    ])
    expect(added.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected'])
    const [, twice] = added
    expect(twice?.status === 'rejected' && isFault(twice.reason, 'conflict')).toBe(true)
    expect(keys(databases)).toEqual(['orders', 'again', 'other'])
  })

  it('made from a template that is not configured any more do not count, until it is again', async () => {
    await using dir = await tempDir()
    const given = { stateDir: dir.path, instances: [orders] }
    await new KeptDatabases({ ...given, templates: [spare] }).add(again)
    const without = new KeptDatabases({ ...given, templates: [] })
    expect(keys(without)).toEqual(['orders'])
    const other = { ...spare, name: 'other' }
    await new KeptDatabases({ ...given, templates: [other] }).add({ ...again, key: 'new', template: other })
    expect(keys(new KeptDatabases({ ...given, templates: [spare, other] }))).toEqual([
      'orders',
      'again',
      'new',
    ])
  })

  it('do not count when the configuration has taken their key', async () => {
    await using dir = await tempDir()
    await new KeptDatabases({ stateDir: dir.path, instances: [], templates: [spare] }).add({
      ...again,
      key: 'orders',
    })
    const databases = new KeptDatabases({ stateDir: dir.path, instances: [orders], templates: [spare] })
    expect(databases.all()).toEqual([orders])
  })

  it.each(['no JSON', '{}', '{"format":1,"instances":[{"key":"../x"}]}', '[]', 'null'])(
    'a file that cannot be read is put aside: %s',
    async (text) => {
      await using dir = await tempDir()
      fs.writeFileSync(dir.join('instances.json'), text)
      const databases = new KeptDatabases({ stateDir: dir.path, instances: [orders], templates: [] })
      expect(keys(databases)).toEqual(['orders'])
      expect(fs.readFileSync(databases.damaged ?? '', 'utf8')).toBe(text)
    },
  )

  it('a file of a later version is left alone', async () => {
    await using dir = await tempDir()
    fs.writeFileSync(dir.join('instances.json'), '{"format":2}')
    expect(() => new KeptDatabases({ stateDir: dir.path, instances: [], templates: [] })).toThrow(
      'later version',
    )
    expect(fs.existsSync(dir.join('instances.json'))).toBe(true)
  })
})
