import { createHash } from 'node:crypto'

/*
 * Where a page of a list ended, as clients carry it. Nothing in it is secret, and whoever makes one up only reads a list from
 * elsewhere: the sum is there so that a marker of another list, or a part of one, is refused and not misread.
 */

const sumLength = 8

const sumOf = (text: string, list: string): string =>
  createHash('sha256').update(`${list}\0${text}`).digest('hex').slice(0, sumLength)

/** A marker of this list that holds `text`. */
export const signedText = (text: string, list: string): string =>
  Buffer.from(`${sumOf(text, list)} ${text}`).toString('base64url')

/** The text of a marker; undefined for one that this list has not given. */
export function textSigned(marker: string, list: string): string | undefined {
  const whole = Buffer.from(marker, 'base64url').toString()
  const text = whole.slice(sumLength + 1)
  // Compared whole: decoding bears what encoding never gives.
  return signedText(text, list) === marker ? text : undefined
}
