import { roles, type Role } from '../../core/catalogue.ts'
import { Fault } from '../../core/fault.ts'
import { projectId, userId } from '../../core/ids.ts'
import type { Identity } from '../ports/identity.ts'

/** Which of Keystone's roles mean what here: names, in any case of letters. */
export type RoleNames = Readonly<Record<Role, readonly string[]>>

/** What Keystone says of a token. */
export interface Validated {
  readonly identity: Identity
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/**
 * Reads the answer to a look-up of a token. Throws Fault 'unauthenticated' for one without a project, 'forbidden' when none of its
 * roles means anything here, 'bad_message' for what is no such answer.
 */
export function validatedFrom(document: unknown, names: RoleNames): Validated {
  const token = objectIn(document, 'token')
  if (token['project'] === undefined)
    throw new Fault('unauthenticated', 'the token is for no project: ask Keystone for one with a project')
  const [project, user] = [objectIn(token, 'project'), objectIn(token, 'user')]
  const held = listIn(token, 'roles').map((role) => textIn(role, 'name').toLowerCase())
  const role = roles.find((it) => names[it].some((name) => held.includes(name.toLowerCase())))
  if (!role) throw new Fault('forbidden', 'none of the roles of this token means anything here')
  const identity = {
    project: known(() => projectId(project['id'])),
    user: known(() => userId(user['id'])),
    userName: textIn(user, 'name'),
    role,
  }
  return { identity, expiresAt: expiryIn(document) }
}

/** When a token ends. Milliseconds since 1970. Throws Fault('bad_message'). */
export function expiryIn(document: unknown): number {
  const at = Date.parse(textIn(objectIn(document, 'token'), 'expires_at'))
  if (Number.isNaN(at)) throw unreadable('expires_at')
  return at
}

function known<T>(id: () => T): T {
  try {
    return id()
  } catch (cause) {
    throw new Fault('bad_message', 'Keystone names a project or user in a form that is not known here', {
      cause,
    })
  }
}

function objectIn(document: unknown, key: string): Record<string, unknown> {
  const value = field(document, key)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unreadable(key)
  return value as Record<string, unknown>
}

function listIn(document: unknown, key: string): readonly unknown[] {
  const value = field(document, key)
  // A token without roles may leave the list out.
  if (value === undefined) return []
  if (!Array.isArray(value)) throw unreadable(key)
  return value
}

function textIn(document: unknown, key: string): string {
  const value = field(document, key)
  if (typeof value !== 'string') throw unreadable(key)
  return value
}

const field = (document: unknown, key: string): unknown =>
  typeof document === 'object' && document !== null && Object.hasOwn(document, key)
    ? (document as Record<string, unknown>)[key]
    : undefined

const unreadable = (key: string): Fault =>
  new Fault('bad_message', `Keystone's answer cannot be read: ${key} is not as it should be`)
