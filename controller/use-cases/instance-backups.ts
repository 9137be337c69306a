import type { Instant } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import type { InstanceBackupId, InstanceId } from '../../core/ids.ts'
import type { InstanceBackup } from '../../core/instance.ts'
import type { Stored } from '../state/documents.ts'
import type { Caller, Context } from './context.ts'

/** A backup of an instance, as it is asked for. */
export interface NewInstanceBackup {
  readonly instance: InstanceId
  readonly name: string
  readonly description?: string
  /** Build on this backup, whatever `incremental` says. */
  readonly parent?: InstanceBackupId
  /** Build on the newest completed backup of the instance; a full one when there is none. */
  readonly incremental: boolean
  /** Absent: as the instance's strategy says, else the project's, else `database_backups`. */
  readonly container?: string
}

/** Data that is there already, to be known as a backup of its own. */
export interface RegisteredBackup {
  readonly name: string
  readonly description?: string
  /** The `location` of a completed backup of the caller's project. */
  readonly location: string
  /** As the caller knows it; bytes. */
  readonly bytes: number
}

/** What callers are shown of how far a backup is. */
export interface Progress {
  readonly status: 'NEW' | 'BUILDING' | 'COMPLETED' | 'FAILED' | 'DELETE_FAILED' | 'RESTORED'
  /** Of the last change of the status. */
  readonly updatedAt: Instant
  /** Size of the data; absent until the work has begun. */
  readonly bytes?: number
}

/** The caller's backup; an administrator's are those of every project. Throws Fault('not_found'). */
export function existingInstanceBackup(
  _context: Pick<Context, 'state'>,
  _caller: Caller,
  id: InstanceBackupId,
): Stored<InstanceBackup> {
  throw new Fault('not_found', `no backup ${id}`)
}

/**
 * Starts a backup of an instance: its record, its run and the instance's being busy are one transaction, so two at once
 * cannot both be accepted. Throws Fault 'not_found' (instance or parent), 'busy' (the instance is not ready, or another
 * backup of it is running), 'bad_request' (a parent that has not completed, or of another instance; the field is
 * `parent_id`), 'unsupported' (its node cannot back it up), 'too_much' (the project's quota), 'store_down'.
 */
export function createInstanceBackup(
  _context: Context,
  _caller: Caller,
  wish: NewInstanceBackup,
): Promise<Stored<InstanceBackup>> {
  return Promise.reject(new Fault('not_found', `no instance ${wish.instance}`))
}

/**
 * Registers data of another backup under a name of its own: restorable, and never deleted by this record. Throws Fault
 * 'bad_request' (nothing is known of that location; the field is `remote_location`), 'too_much' (quota), 'store_down'.
 */
export function registerInstanceBackup(
  _context: Context,
  _caller: Caller,
  _wish: RegisteredBackup,
): Promise<Stored<InstanceBackup>> {
  return Promise.reject(new Fault('bad_request', 'unknown', { field: 'remote_location' }))
}

/**
 * Deletes a backup with all that build on it, at every depth: all or nothing. Returns when that is accepted; records go when
 * their data is gone. Done again meanwhile it changes nothing. Throws Fault 'not_found', 'busy' (one of them is running, and
 * which, or one is being restored), 'store_down'.
 */
export function removeInstanceBackup(
  _context: Context,
  _caller: Caller,
  id: InstanceBackupId,
): Promise<void> {
  return Promise.reject(new Fault('not_found', `no backup ${id}`))
}

/** How far a backup is. Of one that is open its run tells. */
export function progressOf(_context: Pick<Context, 'state'>, backup: InstanceBackup): Progress {
  return { status: 'NEW', updatedAt: backup.updatedAt }
}
