import { constants } from 'node:os'
import type { ItemError } from '../../../core/run.ts'

/** One line of restic's output, understood as far as it can be. Every field is optional: restic leaves out zeros. */
export type ResticMessage =
  | ({ readonly type: 'status' } & Status)
  | ({ readonly type: 'summary' } & Summary)
  | { readonly type: 'item_error'; readonly error: ItemError }
  /** Since 0.17 the last word of a command that failed. */
  | { readonly type: 'exit_error'; readonly text: string }
  | { readonly type: 'initialized'; readonly id?: string }
  /** A bar of a command that prints text: `[0:02] 50.00%  1 / 2 packs`. */
  | { readonly type: 'bar'; readonly done: number; readonly total: number; readonly unit: string }
  /** Anything else, for the log. `json`: a message of a kind that is not known here. */
  | { readonly type: 'text'; readonly text: string; readonly json: boolean }

export interface Status {
  /** 0 to 1. */
  readonly fraction?: number
  readonly bytesDone?: number
  readonly bytesTotal?: number
  readonly filesDone?: number
  readonly filesTotal?: number
  readonly errors?: number
  readonly current?: string
}

export interface Summary {
  /** Eight digits before 0.17, then all 64. */
  readonly snapshotId?: string
  readonly filesNew?: number
  readonly filesChanged?: number
  readonly filesUnmodified?: number
  readonly bytesProcessed?: number
  readonly bytesAdded?: number
  readonly bytesStored?: number
  /** Restores. */
  readonly bytesRestored?: number
}

/** Never throws, whatever the line holds. */
export function parseLine(line: string): ResticMessage {
  const value = line.startsWith('{') ? objectOf(line) : undefined
  return value === undefined
    ? textMessage(line)
    : (jsonMessage(value) ?? { type: 'text', text: line, json: true })
}

type Loose = Readonly<Record<string, unknown>>

function jsonMessage(value: Loose): ResticMessage | undefined {
  switch (value['message_type']) {
    case 'status':
      return { type: 'status', ...statusOf(value) }
    case 'summary':
      return { type: 'summary', ...summaryOf(value) }
    case 'error':
      return { type: 'item_error', error: itemErrorOf(value) }
    case 'exit_error':
      return { type: 'exit_error', text: textOf(value['message']) ?? 'restic failed without a word' }
    case 'initialized':
      return { type: 'initialized', ...kept({ id: textOf(value['id']) }) }
    default:
      return undefined
  }
}

function statusOf(value: Loose): Status {
  const current = value['current_files']
  const fraction = countOf(value['percent_done'])
  return kept({
    fraction: fraction === undefined ? undefined : Math.min(fraction, 1),
    bytesDone: countOf(value['bytes_done']) ?? countOf(value['bytes_restored']),
    bytesTotal: countOf(value['total_bytes']),
    filesDone: countOf(value['files_done']) ?? countOf(value['files_restored']),
    filesTotal: countOf(value['total_files']),
    errors: countOf(value['error_count']),
    current: Array.isArray(current) ? textOf(current[0]) : undefined,
  })
}

function summaryOf(value: Loose): Summary {
  return kept({
    snapshotId: textOf(value['snapshot_id']),
    filesNew: countOf(value['files_new']),
    filesChanged: countOf(value['files_changed']),
    filesUnmodified: countOf(value['files_unmodified']),
    bytesProcessed: countOf(value['total_bytes_processed']),
    bytesAdded: countOf(value['data_added']),
    bytesStored: countOf(value['data_added_packed']),
    bytesRestored: countOf(value['bytes_restored']) ?? countOf(value['total_bytes']),
  })
}

/** Before 0.17 an error is Go's PathError with an errno and no text; later it is a text and no errno. */
function itemErrorOf(value: Loose): ItemError {
  const error = isObject(value['error']) ? value['error'] : {}
  const errno = countOf(error['Err'])
  const op = textOf(error['Op'])
  const path = textOf(value['item']) ?? textOf(error['Path'])
  const text = textOf(error['message']) ?? textOf(value['message'])
  const code = errno === undefined ? codeIn(text ?? '') : errnoNames.get(errno)
  // Of a folder that cannot be read 0.14 gives no reason at all.
  const cause = code ?? (errno === undefined ? 'restic does not say why' : `errno ${errno}`)
  const message = text ?? `${op ?? 'cannot be read'}: ${cause}`
  return kept({ path, code, message: message.trim() })
}

const bar = /^\[[\d:]+\]\s+(?:[\d.]+%\s+)?(\d+) \/ (\d+) (.+)$/
const skipped = /^(.*) does not exist, skipping$/
const ignored = /^ignoring error for (.+?): (.*)$/

function textMessage(text: string): ResticMessage {
  const counted = bar.exec(text)
  if (counted !== null) {
    const [, done, total, unit = ''] = counted
    return { type: 'bar', done: Number(done), total: Number(total), unit }
  }
  const missing = skipped.exec(text)?.[1]
  if (missing !== undefined)
    return { type: 'item_error', error: { path: missing, code: 'ENOENT', message: 'does not exist' } }
  const [, path, message] = ignored.exec(text) ?? []
  if (path !== undefined && message !== undefined)
    return { type: 'item_error', error: kept({ path, code: codeIn(message), message }) }
  return { type: 'text', text, json: false }
}

const errnoNames: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([name, errno]) => [errno, name]),
)

/** Go's words for an errno at the end of an error text. */
const errnoTexts: readonly (readonly [RegExp, string])[] = [
  [/permission denied/i, 'EACCES'],
  [/operation not permitted/i, 'EPERM'],
  [/no such file or directory/i, 'ENOENT'],
  [/input\/output error/i, 'EIO'],
  [/no space left on device/i, 'ENOSPC'],
  [/disk quota exceeded/i, 'EDQUOT'],
  [/stale (NFS )?file handle/i, 'ESTALE'],
  [/read-only file system/i, 'EROFS'],
  [/too many open files/i, 'EMFILE'],
]

const codeIn = (text: string): string | undefined => errnoTexts.find(([form]) => form.test(text))?.[1]

export function objectOf(text: string): Loose | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

export const isObject = (value: unknown): value is Loose =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

export const countOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined

type Kept<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

/** Without the fields that are undefined. */
export function kept<T extends object>(value: T): Kept<T> {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Kept<T>
}
