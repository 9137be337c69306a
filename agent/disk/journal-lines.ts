import { crc32 } from 'node:zlib'
import { runId } from '../../core/ids.ts'
import type { JournalEntry, JournalRead } from '../ports/journal.ts'

/*
 * A journal is text: each line is the CRC-32 of its JSON as eight hex digits, a blank, and the JSON. The first line names
 * the format.
 */

/** Grows with a change that an older agent would misread. */
const formatNow = 1
const headJson = JSON.stringify({ journal: 'firn-agent', format: formatNow })

/** The first line of every journal. */
export const headLine = (): Buffer => line(headJson)

export const lineOf = (entry: JournalEntry): Buffer => line(JSON.stringify(entry))

const line = (json: string): Buffer => Buffer.from(`${checksum(json)} ${json}\n`)
const checksum = (text: string | Buffer): string => crc32(text).toString(16).padStart(8, '0')

/** What a line says; undefined when it is not as it was written. */
function jsonOf(bytes: Buffer): unknown {
  if (bytes.length < 10 || bytes[8] !== 0x20) return undefined
  const json = bytes.subarray(9)
  if (checksum(json) !== bytes.toString('latin1', 0, 8)) return undefined
  try {
    return JSON.parse(json.toString('utf8'))
  } catch {
    return undefined
  }
}

/** `unknown`: a format that this version cannot read, so that nothing may be done with the file. */
export type Parsed =
  ({ readonly is: 'read' } & JournalRead) | { readonly is: 'unknown'; readonly format: unknown }

/** Reads whatever the bytes are. Never throws. */
export function parseJournal(bytes: Buffer): Parsed {
  const entries: JournalEntry[] = []
  const damaged: number[] = []
  const doubtful: JournalRead['doubtful'][number][] = []
  let torn = false
  for (const { text, number, isLast } of linesOf(bytes)) {
    const said = jsonOf(text)
    if (isHead(said)) {
      if (said.format !== formatNow) return { is: 'unknown', format: said.format }
    } else if (said !== undefined) entries.push(said as JournalEntry)
    else if (isLast) torn = true
    else {
      damaged.push(number)
      const about = attemptIn(text)
      if (about) doubtful.push(about)
    }
  }
  return { is: 'read', entries, torn, damaged, doubtful }
}

const isHead = (said: unknown): said is { format: unknown } =>
  typeof said === 'object' && said !== null && 'journal' in said && 'format' in said

function* linesOf(bytes: Buffer): Iterable<{ text: Buffer; number: number; isLast: boolean }> {
  let number = 0
  for (let from = 0; from < bytes.length;) {
    const found = bytes.indexOf(0x0a, from)
    const to = found < 0 ? bytes.length : found
    yield { text: bytes.subarray(from, to), number: ++number, isLast: to + 1 >= bytes.length }
    from = to + 1
  }
}

/** The attempt that a damaged line names, when its bytes still look like one. */
function attemptIn(text: Buffer): JournalRead['doubtful'][number] | undefined {
  const found = /"run":"([\w-]{1,64})"[^{}]{0,20}?"attempt":(\d{1,9})\b/.exec(text.toString('latin1'))
  return found ? { run: runId(found[1]), attempt: Number(found[2]) } : undefined
}
