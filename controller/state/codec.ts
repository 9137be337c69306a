import type { Kind } from '../ports/backend.ts'
import type { Documents } from './documents.ts'
import { formats, lowered, newestOf, raised, type Fields, type Formats } from './formats.ts'
import { misshapen } from './shapes.ts'
import { SharedTexts } from './shared-texts.ts'

/** Why a document cannot be used: it is in a format of a later release, or it is none. */
export type Unreadable = { readonly is: 'later'; readonly format: number } | { readonly is: 'damaged' }

/** What a text holds. */
export type Reading<T> = { readonly is: 'read'; readonly value: T } | Unreadable

/** A document as text, in the format that its kind is written in. */
export const encode = (kind: Kind, value: object, known: Formats = formats): string => {
  const format = known[kind]
  const fields = format.writes > format.steps.length ? value : lowered(format, value as Fields)
  return JSON.stringify({ v: format.writes, ...fields })
}

const sharedTexts = new SharedTexts()

/** What no two catalogue entries have in common. */
const ownTexts: ReadonlySet<string> = new Set(['id', 'run', 'engineRef', 'parent'])

/** The document in a text, in the newest format of its kind. Never throws. */
export function decode<K extends Kind>(
  kind: K,
  text: string,
  known: Formats = formats,
): Reading<Documents[K]> {
  try {
    const { v, ...fields } = JSON.parse(text) as Fields
    const format = known[kind]
    if (typeof v !== 'number' || !Number.isInteger(v) || v < 1) return damaged
    if (v > newestOf(format)) return { is: 'later', format: v }
    const value = raised(format, v, fields)
    if (misshapen(kind, value) !== undefined) return damaged
    if (kind === 'backup') sharedTexts.within(value, ownTexts)
    return { is: 'read', value: value as unknown as Documents[K] }
  } catch {
    return damaged
  }
}

const damaged: Unreadable = { is: 'damaged' }
