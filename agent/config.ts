import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { datastores, type DatastoreType } from '../core/datastores.ts'
import { badField, Fault } from '../core/fault.ts'
import { isInstanceKey } from '../core/instance.ts'
import type { Database, Template } from './ports/databases.ts'
import type { Autonomy, Capacity, Policy } from './ports/policy.ts'

/** All that an agent is told by its node. docs/agent.md explains every field. */
export interface AgentConfig {
  /** Absolute. Identity, journal, logs and caches; 0700. */
  readonly stateDir: string
  /** host:port of servers; absent: those of the enrolment. */
  readonly servers?: readonly string[]
  /** nats://host:port; absent: those of the enrolment. */
  readonly natsServers?: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly policy: Policy
  readonly capacity: Capacity
  readonly autonomy: Autonomy
  /** Databases that the agent looks after, and what it may make more from. */
  readonly instances: readonly Database[]
  readonly templates: readonly Template[]
  /** The restic to use; absent: the first in PATH. */
  readonly resticPath?: string
  /** How long running work may end by itself when the agent is asked to stop. Milliseconds; 0: not at all. */
  readonly drainMs: number
  /** A step that does not get on for so long is stopped. Milliseconds. */
  readonly stallMs: number
  readonly runLogs: { readonly totalMax: number; readonly ageMax: number }
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
}

const absolute = z
  .string()
  .refine((text) => path.isAbsolute(text) && !text.includes('\0'), 'must be an absolute path')
  .transform((text) => path.normalize(text))
const hostPort = z.string().regex(/^(\[[0-9a-f:]+\]|[\w.-]+):\d{1,5}$/i, 'must be host:port')
const natsUrl = z.string().regex(/^nats:\/\//, 'must be nats://host:port')
const place = z.string().regex(/^\/|^[a-z0-9]+:/, 'must be an absolute path or the beginning of a URL')
const few = (max: number) => z.number().int().min(1).max(max)
const rate = z.number().int().min(1).optional()
const name = z.string().refine(isInstanceKey, 'must be 1 to 64 letters, digits, ".", "_" or "-"')
const shown = z.string().min(1).max(255)

const allow = z.strictObject({
  paths: z.array(absolute).default([]),
  targets: z.array(absolute).default([]),
  repositories: z
    .array(place)
    .default([])
    .transform((places) => places.map((it) => (it.startsWith('/') ? path.normalize(it) : it))),
  engines: z.array(name).optional(),
  commands: z.union([z.literal('any'), z.array(z.string().min(1))]).default([]),
})

const limits = z.strictObject({
  parallel: few(64).default(2),
  parallel_commands: few(1_024).default(16),
  queue: z.number().int().min(0).max(10_000).default(100),
  nice: z.number().int().min(0).max(19).optional(),
  io_class: z.enum(['idle', 'best-effort']).optional(),
  io_level: z.number().int().min(0).max(7).optional(),
  upload_kib_per_second: rate,
  download_kib_per_second: rate,
})

/** A datastore with a port has a kind of its own here, with the `port` that others do not know. */
const kinds = Object.keys(datastores) as DatastoreType[]
const datastore = z.enum(kinds, `must be ${kinds.map((kind) => `"${kind}"`).join(' or ')}`)
const instance = z.strictObject({ key: name, name: shown.optional(), datastore, path: absolute })
const template = z.strictObject({ name, datastore, root: absolute })

const unique =
  <T>(nameOf: (item: T) => string, field: string) =>
  (items: readonly T[], context: z.core.$RefinementCtx<T[]>): void => {
    const names = items.map(nameOf)
    const twice = names.findIndex((it, at) => names.indexOf(it) < at)
    if (twice >= 0)
      context.addIssue({ code: 'custom', path: [twice, field], message: 'is used by another one' })
  }

/** The file as it is written; every field is a row in docs/agent.md. */
export const configForm = z.strictObject({
  state_dir: z.string().min(1),
  servers: z.array(hostPort).min(1).optional(),
  nats_servers: z.array(natsUrl).min(1).optional(),
  labels: z.record(name, z.string().max(256)).default({}),
  allow: allow.prefault({}),
  limits: limits.prefault({}),
  instances: z
    .array(instance)
    .max(500)
    .default([])
    .superRefine(unique((it) => it.key, 'key')),
  templates: z
    .array(template)
    .max(500)
    .default([])
    .superRefine(unique((it) => it.name, 'name')),
  restic: absolute.optional(),
  autonomy: z
    .strictObject({
      enabled: z.boolean().default(true),
      grace_seconds: z.number().min(1).max(86_400).default(30),
    })
    .prefault({}),
  drain_seconds: z.number().min(0).max(86_400).default(30),
  stall_seconds: z.number().min(10).max(86_400).default(600),
  run_logs: z
    .strictObject({ mebibytes: few(1_048_576).default(256), days: few(3_650).default(30) })
    .prefault({}),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
})

/** Reads a YAML (or JSON) file. Throws Fault('bad_request') naming the field, or the file when it cannot be read. */
export async function readConfig(file: string): Promise<AgentConfig> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    throw new Fault('bad_request', `cannot read the configuration ${file}`, { cause })
  }
  return parseConfig(text, path.dirname(path.resolve(file)))
}

/** A relative `state_dir` is taken from `base`. Throws Fault('bad_request') naming the field. */
export function parseConfig(text: string, base: string): AgentConfig {
  let document: unknown
  try {
    document = parse(text)
  } catch (cause) {
    throw new Fault('bad_request', 'the configuration is no YAML', { cause })
  }
  const parsed = configForm.safeParse(document)
  if (parsed.success) return configOf(parsed.data, base)
  const [issue] = parsed.error.issues
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : []
  const field = [...(issue?.path ?? []), ...unknown].join('.')
  throw badField(
    field || 'configuration',
    unknown.length > 0 ? 'is not known' : (issue?.message ?? 'is not valid'),
  )
}

function configOf(file: z.infer<typeof configForm>, base: string): AgentConfig {
  const { allow, limits } = file
  const { engines, ...allowed } = allow
  return {
    stateDir: path.resolve(base, file.state_dir),
    ...(file.servers ? { servers: file.servers } : {}),
    ...(file.nats_servers ? { natsServers: file.nats_servers } : {}),
    labels: file.labels,
    policy: { ...allowed, ...(engines ? { engines } : {}) },
    capacity: {
      parallel: limits.parallel,
      light: limits.parallel_commands,
      queue: limits.queue,
      limits: nodeLimits(limits),
    },
    autonomy: { enabled: file.autonomy.enabled, graceMs: file.autonomy.grace_seconds * 1_000 },
    instances: file.instances.map(({ key, name = key, ...rest }) => ({ key, name, ...rest })),
    templates: file.templates,
    ...(file.restic === undefined ? {} : { resticPath: file.restic }),
    drainMs: file.drain_seconds * 1_000,
    stallMs: file.stall_seconds * 1_000,
    runLogs: { totalMax: file.run_logs.mebibytes * 1024 * 1024, ageMax: file.run_logs.days },
    logLevel: file.log.level,
  }
}

const nodeLimits = (limits: z.infer<typeof configForm>['limits']): Capacity['limits'] => ({
  ...(limits.nice === undefined ? {} : { nice: limits.nice }),
  ...(limits.io_class === undefined ? {} : { ioClass: limits.io_class }),
  ...(limits.io_level === undefined ? {} : { ioLevel: limits.io_level }),
  ...(limits.upload_kib_per_second === undefined ? {} : { uploadKiBs: limits.upload_kib_per_second }),
  ...(limits.download_kib_per_second === undefined ? {} : { downloadKiBs: limits.download_kib_per_second }),
})
