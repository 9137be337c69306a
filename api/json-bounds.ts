import { badField, Fault } from '../core/fault.ts'
import type { Json } from '../core/action.ts'

/* What is refused of a JSON text before anything is made of it: what costs its sender little and the server much. */

/** How deep a document may be nested: far more than any published one, far less than what a recursion bears. */
const depthMax = 64

/** Values in a whole document. The largest published ones have some hundreds. */
const valuesMax = 20_000

/** Fields of one object. */
const fieldsMax = 1_000

const code = (sign: string): number => sign.charCodeAt(0)
const signs = {
  quote: code('"'),
  backslash: code('\\'),
  comma: code(','),
  openObject: code('{'),
  closeObject: code('}'),
  openArray: code('['),
  closeArray: code(']'),
}

/**
 * Counts brackets and commas, without a parse: some two milliseconds for a megabyte. Texts that are no JSON may pass. Throws
 * Fault('bad_request') for one that is nested too deeply or holds too much.
 */
export function demandBounds(text: Uint8Array): void {
  /** Commas of each open object, by depth; -1: it is an array. */
  const commas = new Int32Array(depthMax + 1).fill(-1)
  let depth = 0
  let values = 0
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case signs.quote:
        at = endOfString(text, at)
        break
      case signs.openObject:
      case signs.openArray:
        values++
        if (++depth > depthMax) throw badField('body', `is nested more than ${depthMax} levels deep`)
        commas[depth] = text[at] === signs.openObject ? 0 : -1
        break
      case signs.closeObject:
      case signs.closeArray:
        if (depth > 0) depth--
        break
      case signs.comma: {
        values++
        const before = commas[depth] ?? -1
        if (before >= 0) commas[depth] = before + 1
        if (before + 2 > fieldsMax) throw badField('body', `has an object of more than ${fieldsMax} fields`)
        break
      }
      default:
    }
    if (values > valuesMax) throw badField('body', `has more than ${valuesMax} values`)
  }
}

/** Where the string ends that begins at `from`. */
function endOfString(text: Uint8Array, from: number): number {
  let at = from + 1
  while (at < text.length && text[at] !== signs.quote) at += text[at] === signs.backslash ? 2 : 1
  return at
}

/**
 * Texts with half of a surrogate pair are no Unicode: they cannot be stored as they are. Throws Fault('bad_request') that
 * names the field. `value` is of a text that is in bounds, so recursion ends.
 */
export function demandUnicode(value: Json): void {
  const found = brokenIn(value)
  if (found === undefined) return
  const field = found.join('.') || 'body'
  throw new Fault('bad_request', `${field}: must be Unicode, without half surrogate pairs`, { field })
}

/** The way to the first broken text; to its object where a name is broken. */
function brokenIn(value: Json): readonly string[] | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? undefined : []
  if (typeof value !== 'object' || value === null) return undefined
  for (const [key, inner] of Object.entries(value)) {
    if (!key.isWellFormed()) return []
    const found = brokenIn(inner as Json)
    if (found) return [key, ...found]
  }
  return undefined
}
