// What a release stored, as record.ts wrote it down in a real run.
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { refOf } from '../../controller/etcd/keys.ts'
import type { Kind, RawTransaction, Ref } from '../../controller/ports/backend.ts'
import { instant, type Clock } from '../../core/clock.ts'
import { realClock } from '../support/real-clock.ts'
import type { TempDir } from '../support/temp.ts'

interface Recorded {
  /** When it was recorded. Milliseconds since the epoch. */
  readonly at: number
  readonly documents: readonly { readonly key: string; readonly text: string }[]
  readonly keys: Readonly<Record<string, string>>
  /** By node: files of its state directory. */
  readonly agents: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/** One of the recordings: `state-1`. */
export const recorded = (name: string): Recorded =>
  JSON.parse(readFileSync(path.join(import.meta.dirname, `${name}.json`), 'utf8')) as Recorded

/** Its documents by their names. Throws an Error for a key that this release does not know. */
export const documentsOf = ({ documents }: Recorded): (Ref & { readonly text: string })[] =>
  documents.map(({ key, text }) => {
    const ref = refOf(Buffer.from(key))
    if (ref === undefined) throw new Error(`no document is called ${key}`)
    return { ...ref, text }
  })

/** The transactions that store it. The servers of then are gone. */
export const writesOf = (recording: Recorded): RawTransaction[] =>
  documentsOf(recording)
    .filter(({ kind }) => kind !== 'server')
    .map((write) => ({ requires: [], writes: [write] }))

/** How many there are of each kind. */
export function countsOf(recording: Recorded): Map<Kind, number> {
  const counts = new Map<Kind, number>()
  for (const { kind } of documentsOf(recording)) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

/** A clock that goes on from when it was recorded, or from `laterMs` after that. */
export function clockOf({ at }: Recorded, laterMs = 0): Clock {
  const behind = Date.now() - at - laterMs
  return { ...realClock, now: () => instant(Date.now() - behind) }
}

/** Writes files of a recording into a folder. Gives its path. */
export async function unpacked(
  dir: TempDir,
  name: string,
  files: Readonly<Record<string, string>> = {},
): Promise<string> {
  const folder = dir.join(name)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  for (const [file, text] of Object.entries(files))
    await writeFile(path.join(folder, file), text, { mode: 0o600 })
  return folder
}
