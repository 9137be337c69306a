// What all tests of the clients share: a real Keystone and a whole Firn that asks it, with two nodes. Made once, because
// Keystone takes longest.
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { inject } from 'vitest'
import type { TestProject } from 'vitest/node'
import { startStack } from '../../scripts/up/stack.ts'
import { password, serviceUser, startKeystone } from '../support/keystone.ts'
import { tempDir } from '../support/temp.ts'
import { environmentOf, PythonClient } from './programs.ts'

/** Where things are, for the processes of the tests. */
export interface World {
  /** Firn's API. */
  readonly url: string
  /** Firn's own token of an administrator, for what no client can ask. */
  readonly token: string
  /** Keystone's id of the project `backups`, in which everything happens. */
  readonly project: string
  /** What the programs of Keystone's users get: of three in that project, and of Keystone's own administrator. */
  readonly environments: Readonly<
    Record<'operator' | 'viewer' | 'admin' | 'keystone', Record<string, string>>
  >
  /** The nodes. */
  readonly clients: readonly string[]
  /** A folder for the data that is backed up and restored; databases lie in those of their nodes. */
  readonly data: string
}

declare module 'vitest' {
  export interface ProvidedContext {
    world: World
  }
}

/** The databases of each node. A test that makes backups of one needs it for itself: one backup at a time. */
const databases: Readonly<Record<string, readonly string[]>> = {
  'node-1': ['orders', 'billing'],
  'node-2': ['ledger'],
}

/** An agent that runs anything, looks after its databases and may make more below `restored`. */
export async function nodeOf(client: string, folder: string) {
  const restored = path.join(folder, 'restored')
  await mkdir(restored, { recursive: true })
  const instances = (databases[client] ?? []).map((key) => {
    const file = path.join(folder, `${key}.db`)
    writeRows(file, ['first', 'second'])
    return { key, name: key, datastore: 'sqlite', path: file }
  })
  const templates = [{ name: 'spare', datastore: 'sqlite', root: restored }]
  return { client, commands: 'any', drainSeconds: 1, config: { instances, templates } } as const
}

/** Adds rows to a database of the tests. */
export function writeRows(file: string, texts: readonly string[]): void {
  const database = new DatabaseSync(file)
  database.exec('PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS rows (text TEXT NOT NULL)')
  const insert = database.prepare('INSERT INTO rows VALUES (?)')
  for (const text of texts) insert.run(text)
  database.close()
}

/** What is in one. */
export function rowsOf(file: string): string[] {
  const database = new DatabaseSync(file, { readOnly: true })
  const rows = database.prepare('SELECT text FROM rows ORDER BY rowid').all()
  database.close()
  return rows.map(({ text }) => String(text))
}

let made: AsyncDisposableStack | undefined

/** Called by vitest before all tests. */
export async function setup(tests: TestProject): Promise<void> {
  await using undo = new AsyncDisposableStack()
  const dir = undo.use(await tempDir('clients'))
  const keystone = undo.use(await startKeystone())
  const project = await keystone.project('backups')
  await keystone.user('operator', { backups: 'member' })
  await keystone.user('viewer', { backups: 'reader' })
  await keystone.user('administrator', { backups: 'admin' })
  const password_file = dir.join('password')
  await writeFile(password_file, password, { mode: 0o600 })
  const stack = undo.use(
    await startStack({
      dataDir: dir.join('firn'),
      project,
      serverConfig: {
        // It has one thread, and all clients ask it at once.
        keystone: {
          ...{ url: keystone.url, user: serviceUser.user, project: serviceUser.project },
          ...{ password_file, timeout_seconds: 30 },
        },
      },
      agents: await Promise.all(
        ['node-1', 'node-2'].map((client) => nodeOf(client, dir.join('data', client))),
      ),
    }),
  )
  await keystone.endpoint('backup', stack.url)
  await keystone.endpoint('database', `${stack.url}/v1.0/$(project_id)s`)
  await keystone.endpoint('function-engine', `${stack.url}/qinling`)
  const environment = (user: string, of = 'backups') =>
    environmentOf(dir.path, keystone.environmentOf(user, of))
  tests.provide('world', {
    ...{ url: stack.url, token: stack.token, project, clients: stack.clients, data: dir.join('data') },
    environments: {
      operator: environment('operator'),
      viewer: environment('viewer'),
      admin: environment('administrator'),
      keystone: environment('admin', 'admin'),
    },
  })
  made = undo.move()
}

/** Called by vitest after all tests. */
export async function teardown(): Promise<void> {
  await made?.disposeAsync()
}

/** A client with a Keystone session of a user, which finds Firn in the catalogue. */
export function withSession(
  client: 'freezer' | 'trove' | 'qinling',
  more: object = {},
  user: keyof World['environments'] = 'operator',
): PythonClient {
  return new PythonClient({ client, ...more }, inject('world').environments[user])
}

/** A client with a token of Firn's own and an endpoint, without any Keystone. */
export function withToken(
  client: 'freezer' | 'trove' | 'qinling',
  where: string,
  more: object = {},
): PythonClient {
  const { url, token, project, environments } = inject('world')
  const { PATH = '', HOME = '' } = environments.operator
  return new PythonClient(
    { client, token, endpoint: `${url}${where}`, project, ...more },
    environmentOf(HOME, { PATH }),
  )
}
