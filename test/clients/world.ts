// What all tests of the clients share: a real Keystone and a whole Firn that asks it, with two nodes. Made once, because
// Keystone takes longest.
import { inject } from 'vitest'
import type { TestProject } from 'vitest/node'
import { startStack } from '../../scripts/up/stack.ts'
import { startKeystone } from '../support/keystone.ts'
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
  /** What the command lines of Keystone's users get, by user: `operator`, `viewer` and `admin`. */
  readonly environments: Readonly<Record<'operator' | 'viewer' | 'admin', Record<string, string>>>
  /** The nodes. */
  readonly clients: readonly string[]
  /** A folder for the data that is backed up and restored. */
  readonly data: string
}

declare module 'vitest' {
  export interface ProvidedContext {
    world: World
  }
}

/** Called by vitest before all tests; what it answers, after them. */
export default async function setup(tests: TestProject): Promise<() => Promise<void>> {
  await using undo = new AsyncDisposableStack()
  const dir = undo.use(await tempDir('clients'))
  const keystone = undo.use(await startKeystone())
  const project = await keystone.project('backups')
  await keystone.user('operator', { backups: 'member' })
  await keystone.user('viewer', { backups: 'reader' })
  await keystone.user('administrator', { backups: 'admin' })
  const stack = undo.use(
    await startStack({
      dataDir: dir.join('firn'),
      project,
      agents: ['node-1', 'node-2'].map((client) => ({ client, commands: 'any', drainSeconds: 1 })),
    }),
  )
  await keystone.endpoint('backup', stack.url)
  await keystone.endpoint('database', `${stack.url}/v1.0/$(project_id)s`)
  await keystone.endpoint('function-engine', `${stack.url}/qinling`)
  const environment = (user: string) => environmentOf(dir.path, keystone.environmentOf(user, 'backups'))
  tests.provide('world', {
    ...{ url: stack.url, token: stack.token, project, clients: stack.clients, data: dir.join('data') },
    environments: {
      operator: environment('operator'),
      viewer: environment('viewer'),
      admin: environment('administrator'),
    },
  })
  const end = undo.move()
  return () => end.disposeAsync()
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
  path: string,
  more: object = {},
): PythonClient {
  const { url, token, project, environments } = inject('world')
  const { PATH = '', HOME = '' } = environments.operator
  return new PythonClient(
    { client, token, endpoint: `${url}${path}`, project, ...more },
    environmentOf(HOME, { PATH }),
  )
}
