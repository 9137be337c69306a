import { Fault } from '../../core/fault.ts'
import type { ClientId, InstanceBackupId, InstanceId } from '../../core/ids.ts'
import type { Instance } from '../../core/instance.ts'
import type { Stored } from '../state/documents.ts'
import type { Caller, Context } from './context.ts'

/** An instance to be created by restoring a backup. */
export interface NewInstance {
  readonly name: string
  /** One that has completed, or that is registered. */
  readonly backup: InstanceBackupId
  /** What the caller takes the backup to be of: its type must be the backup's, its version may be another. */
  readonly datastore?: { readonly type: string; readonly version?: string }
  /** The room for its data: not less than the backup's. Bytes. */
  readonly volumeBytes?: number
  /** Create it on this node. Absent: where the backup was made, else where its repository can be reached from. */
  readonly client?: ClientId
}

/**
 * The caller's instance; an administrator may look into every project. Throws Fault('not_found') for another project's,
 * too.
 */
export function existingInstance(
  _context: Pick<Context, 'state'>,
  _caller: Caller,
  id: InstanceId,
): Stored<Instance> {
  throw new Fault('not_found', `no instance ${id}`)
}

/**
 * Restores a backup into a new instance, which a node creates from a template of its own configuration. It is `building`
 * until its run has ended. Throws Fault 'not_found' (the backup, or its data), 'conflict' (it has neither completed nor is
 * it registered, or it is being deleted), 'forbidden' (the volume is smaller than the backup), 'bad_request' (another kind
 * of database; the field is `datastore`), 'unsupported' (no node has a template for it), 'store_down'.
 */
export function createInstance(
  _context: Context,
  _caller: Caller,
  _wish: NewInstance,
): Promise<Stored<Instance>> {
  return Promise.reject(new Fault('unsupported', 'no template'))
}

/**
 * Drops the record of an instance that is `down` or in `error`; its backups and its data stay. One that its agent announces
 * again comes back. Throws Fault 'not_found', 'busy' (any other state, or a backup of it is under way), 'store_down'.
 */
export function removeInstance(_context: Context, _caller: Caller, id: InstanceId): Promise<void> {
  return Promise.reject(new Fault('not_found', `no instance ${id}`))
}
