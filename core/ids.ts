import { createHash } from 'node:crypto'
import { badField } from './fault.ts'

declare const kind: unique symbol
type Id<K extends string> = string & { readonly [kind]: K }

/** A tenant: whatever is stored belongs to one. */
export type ProjectId = Id<'project'>
/** Who made something, as the token says. */
export type UserId = Id<'user'>
/** A node with an agent: Freezer's `client_id`. */
export type ClientId = Id<'client'>
/** Actions for a client, or for all clients with some labels. */
export type JobId = Id<'job'>
/** Jobs that start together. */
export type SessionId = Id<'session'>
/** One entry of a job's actions. */
export type ActionId = Id<'action'>
/** One job on one client for one slot. */
export type RunId = Id<'run'>
/** One entry of the catalogue. */
export type BackupId = Id<'backup'>
/** Where an engine keeps data. */
export type RepositoryId = Id<'repository'>
/** A database that an agent looks after: a UUID with dashes. */
export type InstanceId = Id<'instance'>
/** One backup of an instance, as those who asked for it know it: a UUID with dashes. */
export type InstanceBackupId = Id<'instance_backup'>
/** One server process, new at each start. */
export type ServerId = Id<'server'>
/** What a run is for: `at:<instant ms>`, `manual:<key>` (a user's: `manual:<user>:<key>`) or `session:<session id>:<tag>`. */
export type Slot = Id<'slot'>

/** Freezer's ID form; its published documents use up to 64 characters. */
const idForm = /^[\w-]{1,64}$/
/** Freezer's CLIENT form: an optional `<prefix>_`, then a host name. */
const clientForm =
  /^([\w-]+_)?[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/
const clientLengthMax = 255

function checked<K extends string>(field: string, text: unknown): Id<K> {
  if (typeof text !== 'string' || !idForm.test(text))
    throw badField(field, 'must be 1 to 64 letters, digits, "_" or "-"')
  return text as Id<K>
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Whether a text is a UUID with dashes, in either case. */
export const isUuid = (text: string): boolean => uuidPattern.test(text)

function uuidForm<K extends string>(field: string, text: unknown): Id<K> {
  if (typeof text !== 'string' || !isUuid(text)) throw badField(field, 'must be a UUID')
  return text.toLowerCase() as Id<K>
}

/** Each throws Fault('bad_request') naming the field when the text has not the form of such an id. */
export const projectId = (text: unknown): ProjectId => checked<'project'>('project_id', text)
export const userId = (text: unknown): UserId => checked<'user'>('user_id', text)
export const jobId = (text: unknown): JobId => checked<'job'>('job_id', text)
export const sessionId = (text: unknown): SessionId => checked<'session'>('session_id', text)
export const actionId = (text: unknown): ActionId => checked<'action'>('action_id', text)
export const runId = (text: unknown): RunId => checked<'run'>('run_id', text)
export const backupId = (text: unknown): BackupId => checked<'backup'>('backup_id', text)
export const repositoryId = (text: unknown): RepositoryId => checked<'repository'>('repository_id', text)
export const serverId = (text: unknown): ServerId => checked<'server'>('server_id', text)
export const instanceId = (text: unknown): InstanceId => uuidForm<'instance'>('instance', text)
export const instanceBackupId = (text: unknown): InstanceBackupId =>
  uuidForm<'instance_backup'>('backup', text)

/** Throws Fault('bad_request') when the text is no host name, optionally after a prefix. */
export function clientId(text: unknown): ClientId {
  if (typeof text !== 'string' || text.length > clientLengthMax || !clientForm.test(text))
    throw badField('client_id', 'must be a host name, optionally after a "prefix_"')
  return text as ClientId
}

const slotKeyForm = /^[\x21-\x7e]{1,128}$/

/** A UTC instant at which a schedule is due. Milliseconds. */
export const slotAt = (at: number): Slot => `at:${at}` as Slot
/** A manual start; the key makes a repeated request the same slot. 1 to 128 printable characters without blanks. */
export function manualSlot(key: unknown): Slot {
  if (typeof key !== 'string' || !slotKeyForm.test(key))
    throw badField('idempotency_key', 'must be 1 to 128 printable characters without blanks')
  return `manual:${key}` as Slot
}
/** A start that a user asked for: keys are each user's own, and a user's id has no colon. */
export function userSlot(user: UserId, key: unknown): Slot {
  manualSlot(key)
  return `manual:${user}:${String(key)}` as Slot
}
/** One start of a session; its members share it. */
export const sessionSlot = (session: SessionId, tag: number): Slot => `session:${session}:${tag}` as Slot
/** The slot text back from storage or a message: any of the three forms above. */
export function slot(text: unknown): Slot {
  if (typeof text !== 'string' || !/^(at|manual|session):[\x21-\x7e]{1,200}$/.test(text))
    throw badField('slot', 'unknown form')
  return text as Slot
}

/** 128 bits of SHA-256 over the parts, NUL-separated (no part can hold a NUL), as 32 hex digits. */
function digest(...parts: string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 32)
}

/** The same job, client and slot always give the same run: that is why a slot cannot start twice. */
export const runIdOf = (project: ProjectId, job: JobId, client: ClientId, slot: Slot): RunId =>
  digest('run', project, job, client, slot) as RunId

/** One catalogue entry for each action of a run that saves something, whichever attempt saved it. */
export const backupIdOf = (run: RunId, action: number): BackupId =>
  digest('backup', run, String(action)) as BackupId

/** A place on a node is one repository of that node, however often it is named; without a node, one that all share. */
export const repositoryIdOf = (
  project: ProjectId,
  client: ClientId | undefined,
  engine: string,
  location: string,
): RepositoryId => digest('repository', project, client ?? '', engine, location) as RepositoryId

/** One restore request: the same user's same key is the same request. */
export const restoreIdOf = (project: ProjectId, user: UserId, key: string): string =>
  digest('restore', project, user, key)

/** 32 hex digits (Freezer's form) as a UUID with dashes. */
const dashed = (hex: string): string =>
  [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')

/** The namespace of ids that are no UUIDs themselves (RFC 9562, version 5). */
const uuidNamespace = Buffer.from('6f9d1c7ce0b84c52a1d37b4f5e20a9c3', 'hex')

/** UUIDv5 of a name: the same name always gives the same UUID. */
export function uuidOfName(...parts: readonly string[]): string {
  const hash = createHash('sha1').update(uuidNamespace).update(parts.join('\0')).digest().subarray(0, 16)
  // Version and variant.
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6)
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8)
  return dashed(hash.toString('hex'))
}

/** How an id of any form is shown where only UUIDs are: 32 hex digits get their dashes, another form gives a UUIDv5. */
export function uuidOf(id: string): string {
  if (/^[0-9a-f]{32}$/.test(id)) return dashed(id)
  return isUuid(id) ? id.toLowerCase() : uuidOfName('id', id)
}

/** The job that an instance's backups are runs of. It is stored nowhere: nothing but requests starts it. */
export const instanceJobOf = (instance: InstanceId): JobId => instance.replaceAll('-', '') as JobId

/** An instance is known by the node that it is on and the agent's own key for it. */
export const instanceIdOf = (project: ProjectId, client: ClientId, key: string): InstanceId =>
  uuidOfName('instance', project, client, key) as InstanceId
