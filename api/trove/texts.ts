import { z } from 'zod'
import { line } from '../plain-text.ts'

const lengthMax = 255

/** Trove counts characters, not UTF-16 units. */
const isShort = (text: string): boolean => text.length <= lengthMax || Array.from(text).length <= lengthMax

/** One line with an ASCII letter or digit in it: that is Trove's rule, so a name in another script alone is refused. */
const namePattern = /^.*[0-9a-zA-Z].*$/

/** Names and descriptions. */
export const nameText = line(
  z.string().regex(namePattern, 'must be one line with at least one letter or digit (a-z, A-Z, 0-9)'),
)
  .refine(isShort, `must have at most ${lengthMax} characters`)
  .meta({ minLength: 1, maxLength: lengthMax })

/** A container becomes a place of its own on a node, so it is a single name in characters that need no quoting. */
const containerPattern = /^(?!\.{1,2}$)[\w@%+=:,.-]{1,255}$/

export const containerText = z
  .string()
  .regex(containerPattern, 'must have 1 to 255 letters, digits or "_@%+=:,.-"')

/** In either case. */
export const uuidText = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, 'must be a UUID')
