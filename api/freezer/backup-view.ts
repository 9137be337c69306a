import type { Json, JsonObject } from '../../core/action.ts'
import type { Backup, ForeignBackup } from '../../core/catalogue.ts'
import { isoOf } from '../../core/clock.ts'
import { ownerOf, secondsOf, type Seen, type Version } from './shown.ts'

/** A record that another system's agent registered. */
export const foreignBackupView = (backup: ForeignBackup, version: Version): JsonObject => ({
  backup_id: backup.id,
  ...ownerOf(backup, version),
  user_name: backup.userName,
  backup_metadata: backup.metadata,
})

/** A catalogue entry in the shape of Freezer's records; what those cannot say is in `firn`. */
export function backupView({ state }: Seen, backup: Backup, version: Version): JsonObject {
  const client = state.get('client', backup.project, backup.client)?.value
  const repository = state.get('repository', backup.project, backup.repository)?.value
  const [path = ''] = backup.paths
  return {
    backup_id: backup.id,
    ...ownerOf(backup, version),
    user_name: backup.user,
    backup_metadata: {
      action: 'backup',
      always_level: '',
      backup_media: 'fs',
      backup_name: backup.backupName,
      client_id: backup.client,
      client_os: client?.agent?.os ?? '',
      client_version: client?.agent?.version ?? '',
      compression: '',
      consistency_checksum: '',
      container: repository?.location ?? '',
      container_segments: '',
      curr_backup_level: backup.level,
      dry_run: '',
      engine_name: backup.engine,
      fs_real_path: path,
      hostname: client?.hostname ?? backup.client,
      job_id: backup.job,
      log_file: '',
      max_level: '',
      mode: 'fs',
      path_to_backup: backup.paths.join(' '),
      proxy: '',
      ssh_host: '',
      ssh_key: '',
      ssh_port: 22,
      ssh_username: '',
      storage: 'local',
      time_stamp: secondsOf(backup.startedAt),
      vol_snap_path: path,
    },
    firn: backupDetails(backup),
  }
}

/** What Firn knows of a backup beyond Freezer's record. */
function backupDetails(backup: Backup): JsonObject {
  return {
    result: backup.result,
    client_id: backup.client,
    run_id: backup.run,
    step: backup.step,
    session: backup.session ? { session_id: backup.session.id, tag: backup.session.tag } : null,
    engine: backup.engine,
    engine_ref: backup.engineRef,
    engine_version: backup.engineVersion,
    repository_id: backup.repository,
    parent_id: backup.parent ?? null,
    paths: [...backup.paths],
    started_at: isoOf(backup.startedAt),
    ended_at: isoOf(backup.endedAt),
    item_error_count: backup.itemErrorCount,
    stats: backup.stats ? statsView(backup.stats) : null,
  }
}

/** Statistics with names in snake_case, sizes in bytes. */
export const statsView = (stats: NonNullable<Backup['stats']>): JsonObject =>
  Object.fromEntries(
    Object.entries(stats)
      .filter((entry): entry is [string, number] => entry[1] !== undefined)
      .map(([key, value]): [string, Json] => [
        key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        value,
      ]),
  )
