// A tree that was written to while it was backed up: nothing in it may be wrong, only unfinished.
import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import { readRecords } from '../trees/records.ts'

/** What came back of a tree that was written to. */
export interface LiveComparison {
  readonly files: number
  readonly records: number
  /** Files that end in the middle of a record, with the bytes of it that are there. */
  readonly torn: readonly { readonly file: string; readonly bytes: number }[]
  /** Files that are no prefix of what was written. */
  readonly problems: readonly string[]
}

/** Compares restored files with those that have been written on: each must be a prefix, of whole records or torn. */
export async function compareLive(written: string, restored: string): Promise<LiveComparison> {
  const torn: { file: string; bytes: number }[] = []
  const problems: string[] = []
  let records = 0
  const names = await readdir(restored).catch((): string[] => [])
  for (const name of names) {
    const now = await readFile(path.join(written, name)).catch(() => undefined)
    const then = await readFile(path.join(restored, name))
    const { count, rest, damage } = readRecords(then)
    records += count
    if (now === undefined) problems.push(`${name} was never written`)
    else if (!now.subarray(0, then.length).equals(then))
      problems.push(`${name} is not the beginning of what was written`)
    else if (damage !== undefined) problems.push(`${name}: ${damage}`)
    else if (rest > 0) torn.push({ file: name, bytes: rest })
  }
  if (records === 0) problems.push('not a single record came back')
  return { files: names.length, records, torn, problems }
}
