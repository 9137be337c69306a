// What is stored before a benchmark begins, and the documents that it sends.
import { encode } from '../../controller/state/codec.ts'
import type { Connection } from '../../controller/etcd/connection.ts'
import type { Write } from '../../controller/ports/backend.ts'
import type { Client } from '../../core/catalogue.ts'
import { systemClock } from '../../core/clock-system.ts'
import { clientId, userId, type ClientId } from '../../core/ids.ts'
import { project, store } from './rig.ts'

/** Writes in one transaction: etcd takes 128. */
const writesAtOnce = 100
const storesAtOnce = 8

/** Stores documents that are not there yet. */
export async function storeAll(connection: Connection, writes: readonly Write[]): Promise<void> {
  let from = 0
  const one = async (): Promise<void> => {
    while (from < writes.length)
      await store(connection, { requires: [], writes: writes.slice(from, (from += writesAtOnce)) })
  }
  await Promise.all(Array.from({ length: storesAtOnce }, one))
}

export const nodeName = (n: number): ClientId => clientId(`node-${String(n).padStart(4, '0')}`)

/** The document of a node that is enrolled with a certificate of this fingerprint. */
export function clientWrite(
  id: ClientId,
  fingerprint: string,
  labels: Readonly<Record<string, string>> = {},
): Write {
  const now = systemClock.now()
  const client: Client = {
    ...{ id, project, user: userId('bench'), hostname: id, description: '', uuid: '0'.repeat(32) },
    ...{ labels, line: { is: 'never' }, createdAt: now, enrolled: { at: now, fingerprint } },
  }
  return { kind: 'client', project, id, text: encode('client', client) }
}

/** Clients that jobs name in the benchmarks without agents. */
export const enrolledNodes = 100
export const storeNodes = (connection: Connection): Promise<void> =>
  storeAll(
    connection,
    Array.from({ length: enrolledNodes }, (_, n) => clientWrite(nodeName(n), '0'.repeat(64))),
  )

/** A job as Freezer's clients send it: one backup, due every day, next in twelve hours. */
export function jobDocument(n: number) {
  const hour = (new Date(systemClock.now()).getUTCHours() + 12) % 24
  return {
    client_id: nodeName(n % enrolledNodes),
    description: `daily backup of the mail spool, shard ${n}`,
    job_schedule: { schedule_hour: String(hour), schedule_minute: '30' },
    job_actions: [
      {
        max_retries: 3,
        max_retries_interval: 60,
        freezer_action: {
          ...{ action: 'backup', mode: 'fs', engine_name: 'restic', backup_name: `mail-${n}` },
          ...{ path_to_backup: `/var/spool/mail/${n}`, hostname: nodeName(n % enrolledNodes), max_level: 14 },
        },
      },
    ],
  }
}
