import type { RestoreChoice } from './action.ts'
import type { Backup, Client } from './catalogue.ts'

/** Whether a client has all labels of a selector. An empty selector matches nothing: it would match everything by mistake. */
export function matches(client: Pick<Client, 'labels'>, selector: Readonly<Record<string, string>>): boolean {
  const wanted = Object.entries(selector)
  return wanted.length > 0 && wanted.every(([key, value]) => client.labels[key] === value)
}

/** Whose jobs the servers plan and run: a client with an agent that was not revoked. */
export const isEnrolled = (client: Client | undefined): boolean =>
  client?.enrolled !== undefined && client.enrolled.revokedAt === undefined

/** The backup that a restore takes of a series: the newest that is not later than asked, and was kept. */
export function newestOf(
  backups: Iterable<Backup>,
  choice: Extract<RestoreChoice, { is: 'series' }>,
): Backup | undefined {
  let best: Backup | undefined
  for (const backup of backups) {
    if (backup.backupName !== choice.backupName || backup.result === 'failed') continue
    if (choice.notAfter !== undefined && backup.startedAt > choice.notAfter) continue
    if (!best || backup.startedAt > best.startedAt) best = backup
  }
  return best
}
