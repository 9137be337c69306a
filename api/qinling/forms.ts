import { z } from 'zod'
import { refusal } from '../fields.ts'
import { line } from '../plain-text.ts'

/* The parts that Qinling's documents have in common. Null is as good as absent in every request. */

/** A UUID in any spelling: dashes may be missing, letters may be capital. */
const uuidForm = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i

/** Optional and perhaps null, as the clients send what their callers left out. */
const left = <T extends z.ZodType>(of: T) => of.nullable().optional()

export const uuidText = left(z.string().regex(uuidForm, { error: 'is no UUID' }))

export const nameText = left(line(z.string().max(255)))

/** Inputs are opaque; so much of one is kept. Characters. */
const inputMax = 16 * 1024

export const inputText = left(z.string().max(inputMax)).meta({
  description:
    'Opaque text, returned as it came. Where it holds a JSON object, its `client_id` names the node, and its other keys override ' +
    'arguments of the saved action. It is no place for secrets.',
})

/** A whole number, perhaps as its digits. */
export const numberText = left(
  z.union([z.int().min(-1_000_000_000).max(1_000_000_000), z.string().regex(/^-?\d{1,9}$/)], {
    error: 'is no whole number',
  }),
)

export const versionText = left(
  z.union([z.int().min(0).max(1_000_000_000), z.string().regex(/^\d{1,9}$/)], {
    error: 'is no whole number from 0 on',
  }),
).meta({ description: 'Of the saved action; 0 is whatever it is by then' })

export const timeText = left(z.string().max(64)).meta({
  description: 'ISO 8601; in UTC unless it has an offset',
})

/** The number that a request gives; undefined when it is null or absent. */
export const numberOf = (value: number | string | null | undefined): number | undefined =>
  value === null || value === undefined ? undefined : Number(value)

/** The text that a request gives; undefined when it is null or absent. */
export const textOf = (value: string | null | undefined): string | undefined => value ?? undefined

/** An id of the path as a UUID with dashes. Throws Fault('bad_request') for another form. */
export function uuidIn(text: string, field: string): string {
  if (!uuidForm.test(text)) throw refusal(field, 'is no UUID')
  const hex = text.replaceAll('-', '').toLowerCase()
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/* The parts of answers. */

export const uuidShown = z.string().regex(uuidForm)
export const timeShown = z.string().meta({ description: '`YYYY-MM-DDTHH:MM:SSZ`' })
