import type { Backup } from '../../core/catalogue.ts'
import { isFault } from '../../core/fault.ts'
import type { BackupId, InstanceBackupId, InstanceId, ProjectId } from '../../core/ids.ts'
import type { Instance, InstanceBackup } from '../../core/instance.ts'
import type { Epoch } from '../../core/link.ts'
import type { Reason, Run } from '../../core/run.ts'
import {
  built,
  closed,
  missingBackup,
  missingRemoval,
  missingRestore,
  released,
  settleBackup,
  settleRemoval,
  settleRestore,
  type Settlement,
} from '../plan/instance-backups.ts'
import { put, ref, unchanged, type Stored, type Transaction } from '../state/documents.ts'
import type { Context } from '../use-cases/context.ts'
import { locationOf } from '../use-cases/containers.ts'
import { backupTree, savedEntry } from '../use-cases/instance-records.ts'

/** Records in one transaction, each with its entry in the catalogue or a requirement beside it. */
const atOnce = 50

export interface InstanceWorkOptions {
  readonly context: Pick<Context, 'state' | 'clock'>
  readonly epoch: () => Epoch | undefined
}

/**
 * Leader only: carries over what became of the runs that make instances' backups, create instances and remove data.
 * A record that waits for a run which is not there ends as failed: nothing waits for ever.
 */
export class InstanceWork {
  readonly #options: InstanceWorkOptions

  constructor(options: InstanceWorkOptions) {
    this.#options = options
  }

  async lookAtBackup(project: ProjectId, id: InstanceBackupId): Promise<undefined> {
    await this.#surely(async (last) => {
      const stored = this.#options.context.state.get('instance_backup', project, id)
      if (stored?.value.state.is === 'open') return this.#settleBackup(stored, last)
      return stored?.value.deleting === undefined ? true : this.#settleRemoval(stored, last)
    })
    return undefined
  }

  async lookAtEntry(project: ProjectId, id: BackupId): Promise<undefined> {
    await this.#surely(async (last) => {
      const stored = this.#options.context.state.get('backup', project, id)
      return stored?.value.forgetting === undefined ? true : this.#settleForgetting(stored, last)
    })
    return undefined
  }

  async lookAtInstance(project: ProjectId, id: InstanceId): Promise<undefined> {
    await this.#surely(async (last) => {
      const stored = this.#options.context.state.get('instance', project, id)
      if (stored?.value.state.is === 'building') return this.#settleRestore(stored, last)
      return stored?.value.busy === undefined ? true : this.#release(stored, last)
    })
    return undefined
  }

  /**
   * Decides once more on a state that has caught up when something was not there that should be (`false`), or when somebody else
   * was faster. The second time (`last`) the answer stands; a write that is refused then comes back with the next look.
   */
  async #surely(settle: (last: boolean) => Promise<boolean>): Promise<void> {
    if (this.#options.epoch() === undefined) return
    try {
      if (await settle(false)) return
    } catch (error) {
      if (isFault(error, 'fenced')) return
      if (!isFault(error, 'stale_write')) throw error
    }
    await this.#options.context.state.catchUp()
    await settle(true)
  }

  /** What follows from a run. One that is stored and cannot be read is not gone: it is waited for. */
  #by<T>(
    project: ProjectId,
    id: Run['id'] | undefined,
    settle: (run: Run | undefined) => Settlement<T>,
  ): Settlement<T> {
    const { state } = this.#options.context
    if (id !== undefined && state.unreadable('run', project, id)) return { do: 'wait' }
    return settle(id && state.get('run', project, id)?.value)
  }

  async #settleBackup(stored: Stored<InstanceBackup>, last: boolean): Promise<boolean> {
    const { state, clock } = this.#options.context
    const record = stored.value
    const { project, id } = record
    const entry = savedEntry(state, record)
    const found = this.#by(project, record.run, (run) => settleBackup(run, entry))
    if (found.do === 'wait') return true
    if (found.do === 'missing' && !last) return false
    const settled = found.do === 'close' ? found.state : missingBackup
    // What it has saved may be catalogued, and not be known here yet.
    if (settled.is === 'failed' && !last) return false
    const instance = record.instance && state.get('instance', project, record.instance)
    const now = clock.now()
    const after = closed(record, settled, {
      ...{ entry, now, location: locationOf(record) },
      instance: instance?.value,
    })
    await this.#commit({
      requires: [
        unchanged('instance_backup', project, id, stored),
        ...(instance ? [unchanged('instance', project, instance.value.id, instance)] : []),
      ],
      puts: [
        put('instance_backup', project, id, after),
        ...(instance
          ? [put('instance', project, instance.value.id, released(instance.value, after, now))]
          : []),
      ],
    })
    return true
  }

  async #settleRemoval(stored: Stored<InstanceBackup>, last: boolean): Promise<boolean> {
    const record = stored.value
    const found = this.#by(record.project, record.deleting, settleRemoval)
    if (found.do === 'wait') return true
    if (found.do === 'missing' && !last) return false
    const failed = found.do === 'close' ? found.failed : missingRemoval
    await (failed ? this.#keepTree(stored, failed) : this.#dropTree(record))
    return true
  }

  /** A backup whose data could not be removed is as good as before. */
  async #settleForgetting(stored: Stored<Backup>, last: boolean): Promise<boolean> {
    const { forgetting, ...kept } = stored.value
    const { project, id } = kept
    const found = this.#by(project, forgetting, settleRemoval)
    if (found.do === 'wait') return true
    if (found.do === 'missing' && !last) return false
    const gone = found.do === 'close' && !found.failed
    await this.#commit({
      requires: [unchanged('backup', project, id, stored)],
      puts: gone ? [] : [put('backup', project, id, kept)],
      deletes: gone ? [ref('backup', project, id)] : [],
    })
    return true
  }

  /** What builds on a record goes before it: a crash in between leaves a tree that is still marked, and goes on from there. */
  async #dropTree(root: InstanceBackup): Promise<void> {
    const { state } = this.#options.context
    const tree = backupTree(state, root).reverse()
    for (let from = 0; from < tree.length; from += atOnce)
      await this.#commit({
        requires: [],
        puts: [],
        deletes: tree.slice(from, from + atOnce).flatMap((record) => {
          const entry = savedEntry(state, record)
          return [
            ref('instance_backup', record.project, record.id),
            ...(entry ? [ref('backup', entry.project, entry.id)] : []),
          ]
        }),
      })
  }

  /** The data of some may be gone: none can be built on or restored any more, and each may be deleted again. */
  async #keepTree(root: Stored<InstanceBackup>, reason: Reason): Promise<void> {
    const { state, clock } = this.#options.context
    const { project } = root.value
    const now = clock.now()
    const tree = backupTree(state, root.value).reverse()
    for (let from = 0; from < tree.length; from += atOnce) {
      const part = tree
        .slice(from, from + atOnce)
        .flatMap(({ id }) => state.get('instance_backup', project, id) ?? [])
      await this.#commit({
        requires: part.map((stored) => unchanged('instance_backup', project, stored.value.id, stored)),
        puts: part.map(({ value }) => {
          const { deleting, ...kept } = value
          const own = value.id === root.value.id || deleting === undefined ? {} : { deleting }
          const after = { ...kept, ...own, deleteFailed: reason, updatedAt: now }
          return put('instance_backup', project, value.id, after)
        }),
      })
    }
  }

  async #settleRestore(stored: Stored<Instance>, last: boolean): Promise<boolean> {
    const instance = stored.value
    if (instance.state.is !== 'building') return true
    const found = this.#by(instance.project, instance.state.run, settleRestore)
    if (found.do === 'wait') return true
    if (found.do === 'missing' && !last) return false
    const settled = found.do === 'close' ? found.state : missingRestore
    await this.#putInstance(stored, built(instance, settled, this.#options.context.clock.now()))
    return true
  }

  /** An instance that waits for a backup which is over, or was never there. */
  async #release(stored: Stored<Instance>, last: boolean): Promise<boolean> {
    const { state } = this.#options.context
    const { busy, ...free } = stored.value
    const backup = busy && state.get('instance_backup', free.project, busy)
    if (backup?.value.state.is === 'open') return true
    if (busy && state.unreadable('instance_backup', free.project, busy)) return true
    if (!last) return false
    await this.#putInstance(stored, free)
    return true
  }

  async #putInstance(stored: Stored<Instance>, after: Instance): Promise<void> {
    const { project, id } = after
    await this.#commit({
      requires: [unchanged('instance', project, id, stored)],
      puts: [put('instance', project, id, after)],
    })
  }

  async #commit(transaction: Transaction): Promise<void> {
    const epoch = this.#options.epoch()
    if (epoch !== undefined) await this.#options.context.state.commit({ ...transaction, epoch })
  }
}
