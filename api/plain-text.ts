import type { z } from 'zod'

/* What people read in tables and terminals must not steer them: names hold no control characters, longer texts only breaks. */

const isLine = (text: string): boolean => !/\p{Cc}/u.test(text)

const isProse = (text: string): boolean => isLine(text.replace(/[\t\r\n]/g, ''))

/** A name: one line. */
export const line = <T extends z.ZodType<string>>(of: T): T =>
  of.refine(isLine, 'must hold no control characters')

/** A description: lines, with tabs in them. */
export const prose = <T extends z.ZodType<string>>(of: T): T =>
  of.refine(isProse, 'must hold no control characters but tabs and line breaks')
