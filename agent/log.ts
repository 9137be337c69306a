import { destination, pino, type Logger } from 'pino'
import type { Events, Recorder } from './ports/events.ts'

/** Events that are no news in an orderly life, and those that ask for somebody's attention. Others are `info`. */
const levels: Partial<Record<keyof Events, 'debug' | 'warn' | 'error'>> = {
  'order.repeated': 'debug',
  'message.ignored': 'debug',
  'report.published': 'debug',
  'report.unpublished': 'warn',
  'journal.torn': 'warn',
  'journal.damaged': 'error',
  'journal.failed': 'error',
  'instances.damaged': 'error',
  'instance.dropped': 'warn',
  'orphans.found': 'warn',
  'orphans.stuck': 'error',
  'line.lost': 'warn',
  'line.failed': 'warn',
  'line.unreadable': 'warn',
  'certificate.refused': 'error',
  bug: 'error',
}

/** JSON lines on standard error: standard output stays free. */
export const openLog = (level: Logger['level']): Logger =>
  pino(
    { name: 'firn-agent', level, timestamp: pino.stdTimeFunctions.isoTime },
    destination({ dest: 2, sync: false }),
  )

export const recorderOf =
  (log: Logger): Recorder =>
  (event, fields) =>
    log[levels[event] ?? 'info']({ ...fields, event } as object, event)
