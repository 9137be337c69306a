// A real Keystone, from Debian's package as `node scripts/clients.mjs` unpacks it, on a free loopback port with its SQLite
// file in a temporary folder: `await using keystone = await startKeystone()`.
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { eventually } from './eventually.ts'
import { freePort } from './ports.ts'
import { tempDir, type TempDir } from './temp.ts'

/** A document of whatever shape: a test that looks for what is not there fails. */
// oxlint-disable-next-line typescript/no-explicit-any
type Loose = any

const bin = path.join(import.meta.dirname, '../../.tools/clients/bin')

/** Passwords are all this: it listens on loopback and is gone after the test. */
export const password = 'only-for-tests'

/** The user that a server asks Keystone as: it has the role `service` in the project `service`, and no other. */
export const serviceUser = { user: 'firn', password, project: 'service' } as const

/** A Keystone with the roles admin, member, reader and service, and the user and project `admin`. */
export class Keystone implements AsyncDisposable {
  /** `http://127.0.0.1:PORT/v3` */
  readonly url: string
  readonly #dir: TempDir
  readonly #port: number
  #child: ChildProcess | undefined
  #admin = ''

  private constructor(dir: TempDir, port: number) {
    this.#dir = dir
    this.#port = port
    this.url = `http://127.0.0.1:${port}/v3`
  }

  static async start(): Promise<Keystone> {
    const keystone = new Keystone(await tempDir('keystone'), await freePort())
    try {
      keystone.#configure(3600)
      for (const words of [
        ['db_sync'],
        [
          'fernet_setup',
          '--keystone-user',
          `${process.getuid?.()}`,
          '--keystone-group',
          `${process.getgid?.()}`,
        ],
        ['bootstrap', '--bootstrap-password', password, '--bootstrap-region-id', 'RegionOne'].concat(
          ...['public', 'internal', 'admin'].map((kind) => [`--bootstrap-${kind}-url`, keystone.url]),
        ),
      ])
        await keystone.#manage(words)
      keystone.#letReadersBe()
      await keystone.restart()
      await keystone.#make('roles', { role: { name: 'service' } })
      await keystone.project(serviceUser.project)
      await keystone.user(serviceUser.user, { [serviceUser.project]: 'service' })
      return keystone
    } catch (error) {
      await keystone[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Starts it again, with the same data; tokens made from now on are valid for so many seconds. */
  async restart(tokenSeconds = 3600): Promise<void> {
    await this.stop()
    this.#configure(tokenSeconds)
    const log = openSync(this.#dir.join('log'), 'a')
    const child = spawn(
      path.join(bin, 'keystone-wsgi-public'),
      ['--host', '127.0.0.1', '--port', `${this.#port}`],
      { stdio: ['ignore', log, log], env: this.#environment() },
    )
    closeSync(log)
    this.#child = child
    running.add(child)
    child.once('exit', () => running.delete(child))
    await eventually(
      async () => {
        if (child.exitCode !== null) return true
        return (await fetch(this.url, { signal: AbortSignal.timeout(5_000) })).ok
      },
      { withinMs: 60_000, everyMs: 50 },
    )
    if (child.exitCode !== null) throw new Error(`Keystone does not start:\n${this.#log()}`)
    if (tokenSeconds >= 3600) this.#admin = await this.token('admin', 'admin')
  }

  /** Ends it at once; its data stay. */
  async stop(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    await this.#dir[Symbol.asyncDispose]()
  }

  /** Makes a project. Answers its id. */
  async project(name: string): Promise<string> {
    return (await this.#make('projects', { project: { name, domain_id: 'default' } })).project.id
  }

  /** Makes a user with a role in some projects, both by their names. Answers its id. */
  async user(name: string, roles: Readonly<Record<string, string>>): Promise<string> {
    const user = { name, password, domain_id: 'default' }
    const { id } = (await this.#make('users', { user })).user
    for (const [project, role] of Object.entries(roles)) {
      const of = await this.#idOf('projects', project)
      await this.#ask('PUT', `/projects/${of}/users/${id}/roles/${await this.#idOf('roles', role)}`)
    }
    return id
  }

  /** A new token of a user in a project, both by their names; without a project it is for none. */
  async token(user: string, project?: string): Promise<string> {
    const domain = { id: 'default' }
    const identity = { methods: ['password'], password: { user: { name: user, domain, password } } }
    const scope = project === undefined ? {} : { scope: { project: { name: project, domain } } }
    const response = await fetch(`${this.url}/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ auth: { identity, ...scope } }),
    })
    const token = response.headers.get('x-subject-token')
    if (token === null) throw new Error(`Keystone gives no token: ${await response.text()}`)
    await response.body?.cancel()
    return token
  }

  async revoke(token: string): Promise<void> {
    await this.#ask('DELETE', '/auth/tokens', undefined, { 'x-subject-token': token })
  }

  /** Ends all tokens of a user, by name, as a change of the password does. */
  async revokeAll(user: string): Promise<void> {
    const id = await this.#idOf('users', user)
    await this.#ask('PATCH', `/users/${id}`, { user: { password } })
  }

  /** Where a user who has this token finds a service of this type. */
  async endpointFor(token: string, type: string): Promise<string> {
    const { catalog } = await this.#ask('GET', '/auth/catalog', undefined, { 'x-auth-token': token })
    return catalog.find((service: Loose) => service.type === type).endpoints[0].url
  }

  /** Puts a service into the catalogue: `endpoint('backup', 'http://…')`. Keystone fills in `$(project_id)s`. */
  async endpoint(type: string, url: string): Promise<void> {
    const { service } = await this.#make('services', { service: { type, name: `firn-${type}` } })
    const region_id = 'RegionOne'
    for (const kind of ['public', 'internal', 'admin'])
      await this.#make('endpoints', { endpoint: { service_id: service.id, interface: kind, url, region_id } })
  }

  /** What `openstack` and the other command lines are told in their environment. */
  environmentOf(user: string, project: string): Record<string, string> {
    return {
      OS_AUTH_URL: this.url,
      OS_IDENTITY_API_VERSION: '3',
      OS_USERNAME: user,
      OS_PASSWORD: password,
      OS_PROJECT_NAME: project,
      OS_USER_DOMAIN_ID: 'default',
      OS_PROJECT_DOMAIN_ID: 'default',
      OS_REGION_NAME: 'RegionOne',
    }
  }

  #make(things: string, body: object): Promise<Loose> {
    return this.#ask('POST', `/${things}`, body)
  }

  async #idOf(things: string, name: string): Promise<string> {
    return (await this.#ask('GET', `/${things}?name=${encodeURIComponent(name)}`))[things][0].id
  }

  async #ask(method: string, where: string, body?: object, headers: object = {}): Promise<Loose> {
    const response = await fetch(`${this.url}${where}`, {
      method,
      headers: { 'x-auth-token': this.#admin, 'content-type': 'application/json', ...headers },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    const text = await response.text()
    if (!response.ok)
      throw new Error(
        `Keystone: ${method} ${where}: ${response.status} ${text}\n${this.#log().slice(-4_000)}`,
      )
    return text === '' ? undefined : JSON.parse(text)
  }

  #log(): string {
    return readFileSync(this.#dir.join('log'), 'utf8')
  }

  #configure(tokenSeconds: number): void {
    const [keys, database] = [this.#dir.join('keys'), this.#dir.join('keystone.db')]
    mkdirSync(keys, { recursive: true, mode: 0o700 })
    const lines = [
      ...['[database]', `connection = sqlite:///${database}`],
      ...['[token]', `expiration = ${tokenSeconds}`, 'allow_expired_window = 0'],
      ...['[fernet_tokens]', `key_repository = ${keys}`],
      // The cheapest hash that there is: a test's time is worth more than these passwords.
      ...['[identity]', 'password_hash_rounds = 4'],
    ]
    writeFileSync(this.#dir.join('keystone.conf'), `${lines.join('\n')}\n`, { mode: 0o600 })
  }

  #environment(): Record<string, string> {
    return {
      PATH: process.env['PATH'] ?? '',
      HOME: this.#dir.path,
      OS_KEYSTONE_CONFIG_FILES: this.#dir.join('keystone.conf'),
    }
  }

  /** Else a writer is refused while another connection of the same Keystone has not finished reading. */
  #letReadersBe(): void {
    using database = new DatabaseSync(this.#dir.join('keystone.db'))
    database.exec('PRAGMA journal_mode = WAL')
  }

  async #manage(words: readonly string[]): Promise<void> {
    await promisify(execFile)(
      path.join(bin, 'keystone-manage'),
      ['--config-file', this.#dir.join('keystone.conf'), ...words],
      { env: this.#environment(), timeout: 120_000 },
    )
  }
}

/** The last resort for a test process that ends without disposing. */
const running = new Set<ChildProcess>()
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')))

/** Starts one. Takes some 10 s. */
export const startKeystone = (): Promise<Keystone> => Keystone.start()
