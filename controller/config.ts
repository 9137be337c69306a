import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { Fault, badField } from '../core/fault.ts'

const file = z.string().min(1)
const hostPort = z.string().regex(/^(\[[0-9a-f:]+\]|[\w.-]+):\d{1,5}$/i, 'must be host:port')
const port = z.number().int().min(0).max(65_535)

const roleNames = (name: string) => z.array(z.string().min(1)).default([name])

const keystoneForm = z.strictObject({
  /** With or without `/v3`. */
  url: z.url({ protocol: /^https?$/, error: 'must be http://host:port or https://host:port' }),
  /** The server asks as this user, who needs the role `service` in that project. */
  user: z.string().min(1).default('firn'),
  password_file: file,
  project: z.string().min(1).default('service'),
  user_domain: z.string().min(1).default('Default'),
  project_domain: z.string().min(1).default('Default'),
  /** Keystone's roles that mean ours, in any case of letters; of several the highest counts. */
  roles: z
    .strictObject({
      admin: roleNames('admin'),
      operator: roleNames('member'),
      viewer: roleNames('reader'),
    })
    .prefault({}),
  /** How long an answer of Keystone is believed. */
  cache_seconds: z.number().min(0).max(3_600).default(60),
  /** How long a caller waits for Keystone. */
  timeout_seconds: z.number().positive().max(60).default(10),
})

/** The file as its writer sees it; docs/server.md explains each option. */
export const configForm = z.strictObject({
  /** Where the REST API listens. Port 0: any. */
  http: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: port.default(9_090),
      /** How many may be open at once; more are closed at once. */
      connections: z.number().int().positive().default(4_096),
    })
    .prefault({}),
  /** Where agents connect; `advertise` is what they are told when it differs. */
  agents: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: port.default(9_091),
      advertise: z.array(hostPort).default([]),
      /** DNS names and addresses of this server's certificate, beside its host. */
      names: z.array(z.string()).default([]),
    })
    .prefault({}),
  etcd: z.strictObject({
    endpoints: z.array(z.url()).min(1),
    ca: file.optional(),
    certificate: file.optional(),
    key: file.optional(),
  }),
  nats: z.strictObject({
    servers: z.array(z.string().regex(/^nats:\/\//, 'must be nats://host:port')).min(1),
  }),
  /** Keys that all servers of an installation share: the agents' CA, the NATS operator, the sealing key. */
  keys: file,
  /** Where a client's default repository lies on its node. */
  default_repository: z
    .string()
    .startsWith('/', 'must be an absolute path')
    .refine(
      (text) => text.includes('{client}') && text.includes('{engine}'),
      'must hold {client} and {engine}',
    )
    .default('/var/lib/firn/repositories/{project}/{client}/{engine}'),
  /** A file with a token that is made an administrator's of `project` when there is none yet. */
  first_token: z.strictObject({ file, project: z.string() }).optional(),
  /** Whose tokens are taken besides Firn's own. */
  keystone: keystoneForm.optional(),
  /** Written when the server takes requests: JSON with its addresses. */
  ready_file: file.optional(),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
  limits: z
    .strictObject({
      /** How long a run may wait for its start, and take. Seconds. */
      start_seconds: z.number().positive().default(86_400),
      run_seconds: z.number().positive().default(86_400),
      /** How long the members of a session may take to be ready. Seconds. */
      prepare_seconds: z.number().positive().default(60),
      /** What one token may ask for: in the long run, and at once after a rest. */
      requests_per_second: z.number().positive().default(20_000),
      requests_burst: z.number().int().positive().default(40_000),
      /** Backups of databases that a project may have. 50 is Trove's default. */
      backups_per_project: z.number().int().min(0).max(1_000_000).default(50),
    })
    .prefault({}),
})

/** A server's configuration; file names are absolute. */
export type ServerConfig = z.infer<typeof configForm>

/** Reads a YAML (or JSON) file. Throws Fault('bad_request') naming the field, or the file when it cannot be read. */
export async function readConfig(name: string): Promise<ServerConfig> {
  let text: string
  try {
    text = await readFile(name, 'utf8')
  } catch (cause) {
    throw new Fault('bad_request', `cannot read the configuration ${name}`, { cause })
  }
  return parseConfig(text, path.dirname(path.resolve(name)))
}

/** Relative file names are taken from `base`. */
export function parseConfig(text: string, base: string): ServerConfig {
  let document: unknown
  try {
    document = parse(text)
  } catch (cause) {
    throw new Fault('bad_request', 'the configuration is no YAML', { cause })
  }
  const parsed = configForm.safeParse(document)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw badField(issue?.path.join('.') || 'configuration', issue?.message ?? 'is not valid')
  }
  return withBase(parsed.data, base)
}

function withBase(config: ServerConfig, base: string): ServerConfig {
  const at = (name: string): string => path.resolve(base, name)
  const { etcd, first_token: token, keystone } = config
  return {
    ...config,
    keys: at(config.keys),
    etcd: {
      ...etcd,
      ...(etcd.ca === undefined ? {} : { ca: at(etcd.ca) }),
      ...(etcd.certificate === undefined ? {} : { certificate: at(etcd.certificate) }),
      ...(etcd.key === undefined ? {} : { key: at(etcd.key) }),
    },
    ...(token ? { first_token: { ...token, file: at(token.file) } } : {}),
    ...(keystone
      ? {
          keystone: {
            ...keystone,
            url: `${keystone.url.replace(/\/+$/, '').replace(/\/v3$/, '')}/v3`,
            password_file: at(keystone.password_file),
          },
        }
      : {}),
    ...(config.ready_file === undefined ? {} : { ready_file: at(config.ready_file) }),
  }
}
