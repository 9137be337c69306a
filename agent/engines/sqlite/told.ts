import type { Failure } from '../kept/ends.ts'

/** What the program says, one line each. */
export type Told =
  | { readonly is: 'phase'; readonly phase: 'scan' | 'verify'; readonly bytes: number }
  | { readonly is: 'done'; readonly bytes: number }
  | { readonly is: 'failed'; readonly failure: Failure }

/** undefined: not one of its lines. */
export function toldIn(line: string): Told | undefined {
  let said: { readonly [key: string]: unknown }
  try {
    said = JSON.parse(line) as typeof said
  } catch {
    return undefined
  }
  const { is, phase, bytes, number, text } = said ?? {}
  if (is === 'failed' && typeof number === 'number' && typeof text === 'string')
    return { is, failure: failureOf(number, text) }
  if (typeof bytes !== 'number') return undefined
  if (is === 'done') return { is, bytes }
  return is === 'phase' && (phase === 'scan' || phase === 'verify') ? { is, phase, bytes } : undefined
}

/** SQLite's primary result codes (sqlite3.h) by what they mean for a step. */
const codes: ReadonlyMap<number, Failure['code']> = new Map([
  [-1, 'source_missing'], // the program's own
  [1, 'config'], // ERROR: it needs a collation or a module that is not here
  [3, 'unreadable'], // PERM
  [5, 'locked'], // BUSY
  [6, 'locked'], // LOCKED
  [8, 'unreadable'], // READONLY: a write that was cut off cannot be taken back
  [11, 'damaged'], // CORRUPT
  [13, 'no_space'], // FULL
  [14, 'unreadable'], // CANTOPEN
  [23, 'unreadable'], // AUTH
  [26, 'damaged'], // NOTADB
])

const failureOf = (number: number, text: string): Failure => ({ code: codes.get(number) ?? 'unknown', text })
