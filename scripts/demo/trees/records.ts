// Records whose damage shows: a head with number, length and checksum, the payload, a line end.
import { createHash } from 'node:crypto'

const sumOf = (payload: Buffer): string => createHash('sha256').update(payload).digest('hex').slice(0, 16)

/** `NUMBER LENGTH CHECKSUM\nPAYLOAD\n` */
export function recordOf(number: number, payload: Buffer): Buffer {
  const head = `${number} ${payload.length} ${sumOf(payload)}\n`
  return Buffer.concat([Buffer.from(head), payload, Buffer.from('\n')])
}

/** How far a file holds whole records in order. */
export interface Records {
  readonly count: number
  /** Bytes after the last whole record. */
  readonly rest: number
  /** What is wrong there, when it is not merely the beginning of a record. */
  readonly damage?: string
}

const headMax = 64

/** Reads records that begin with number 0. */
export function readRecords(bytes: Buffer): Records {
  let at = 0
  for (let count = 0; ; count++) {
    const rest = bytes.length - at
    if (rest === 0) return { count, rest }
    const end = bytes.indexOf(0x0a, at)
    if (end < 0)
      return rest < headMax ? { count, rest } : { count, rest, damage: `record ${count} has no head` }
    const head = bytes.toString('latin1', at, end)
    const [, number, length, sum] = /^(\d+) (\d+) ([0-9a-f]{16})$/.exec(head) ?? []
    if (Number(number) !== count)
      return { count, rest, damage: `where record ${count} should be is something else` }
    const next = end + 1 + Number(length) + 1
    if (next > bytes.length) return { count, rest }
    const payload = bytes.subarray(end + 1, next - 1)
    if (sumOf(payload) !== sum || bytes[next - 1] !== 0x0a)
      return { count, rest, damage: `record ${count} has another checksum` }
    at = next
  }
}
