import { z } from 'zod'
import type { InstanceBackup } from '../../core/instance.ts'
import type { Context } from '../../controller/use-cases/context.ts'
import { progressOf } from '../../controller/use-cases/instance-backups.ts'
import { versionIdOf } from './datastore-ids.ts'
import { gigabytes, troveTime } from './times.ts'

/** Trove's resource. Every field is always there. */
export const backupForm = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  instance_id: z.string().nullable().meta({
    description: 'Of the source; it stays when the instance goes. Null only for one made by `restore_from`.',
  }),
  parent_id: z.string().nullable().meta({ description: 'What it builds on; null for a full backup.' }),
  status: z.enum(['NEW', 'BUILDING', 'COMPLETED', 'FAILED', 'DELETE_FAILED', 'RESTORED']),
  size: z.number().nullable().meta({ description: 'Of the data, in GB; null until the work starts.' }),
  locationRef: z.string().nullable().meta({
    description: 'Where the data lies: the last part but one is the container, the last the id.',
  }),
  created: z.string().meta({ description: 'UTC, without a zone.' }),
  updated: z.string().meta({ description: 'Of the last change of the status; lists are sorted by it.' }),
  datastore: z.object({ type: z.string(), version: z.string(), version_id: z.string() }),
  project_id: z.string(),
})

/** A backup as Trove shows it, the same in lists and alone. */
export function backupView(
  context: Pick<Context, 'state'>,
  backup: InstanceBackup,
): z.infer<typeof backupForm> {
  const { status, updatedAt, bytes } = progressOf(context, backup)
  return {
    id: backup.id,
    name: backup.name,
    description: backup.description ?? null,
    instance_id: backup.instance ?? null,
    parent_id: backup.parent ?? null,
    status,
    size: bytes === undefined ? null : gigabytes(bytes),
    locationRef: backup.location ?? null,
    created: troveTime(backup.createdAt),
    updated: troveTime(updatedAt),
    datastore: { ...backup.datastore, version_id: versionIdOf(backup.datastore) },
    project_id: backup.project,
  }
}
