// How many columns a text takes on a terminal, and texts that cannot steer one.

/**
 * Characters that take two columns, without emoji: East_Asian_Width W and F of Unicode, gaps of unassigned characters
 * closed. JavaScript's regular expressions do not know this property.
 */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2329, 0x232a],
  [0x2e80, 0x303e],
  [0x3041, 0x3247],
  [0x3250, 0x4dbf],
  [0x4e00, 0xa4c6],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfad9],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6b],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18d08],
  [0x1aff0, 0x1b2fb],
  [0x1f200, 0x1f265],
  [0x20000, 0x3fffd],
]

const PLAIN = /^[\x20-\x7e]*$/
const EMOJI = /^(?:\p{RGI_Emoji}|\p{Emoji_Presentation})/v
/** Marks, joiners, variation selectors, and the vowels and finals that join a Hangul syllable. */
const ZERO = /^[\p{Mn}\p{Me}\p{Cf}\p{Default_Ignorable_Code_Point}\u1160-\u11ff\ud7b0-\ud7fb]$/u

/**
 * What a terminal acts on or shows deceptively: C0 and C1 controls and DEL, line and paragraph separators, and the
 * marks that turn the direction of writing, which would let a name pose as another.
 */
// eslint-disable-next-line no-control-regex -- they are the point
const STEERING = /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** The text cut into what a reader takes for one character each. */
export function* graphemesOf(text: string): Generator<string> {
  if (PLAIN.test(text)) yield* text
  else for (const { segment } of graphemes.segment(text)) yield segment
}

/** Columns that `text` takes. Controls count as nothing: call `visible` first. */
export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length
  let width = 0
  for (const grapheme of graphemesOf(text)) width += graphemeWidth(grapheme)
  return width
}

function graphemeWidth(grapheme: string): number {
  if (EMOJI.test(grapheme)) return 2
  let width = 0
  for (const character of grapheme) {
    if (!ZERO.test(character)) width += isWide(character.codePointAt(0) ?? 0) ? 2 : 1
  }
  return width
}

function isWide(code: number): boolean {
  return code >= 0x1100 && WIDE.some(([first, last]) => first <= code && code <= last)
}

const NAMED: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/**
 * The text on one line, with everything a terminal would act on spelled out (`\x1b`, `\u202e`, `\n`) and lone surrogates
 * replaced. All text that comes from a server passes through here before it is printed for people.
 */
export function visible(text: string): string {
  if (PLAIN.test(text)) return text
  return text.toWellFormed().replace(STEERING, (it) => NAMED[it] ?? escaped(it))
}

function escaped(character: string): string {
  const hex = character.charCodeAt(0).toString(16)
  return hex.length > 2 ? `\\u${hex.padStart(4, '0')}` : `\\x${hex.padStart(2, '0')}`
}

/** JSON text that means the same and holds nothing a terminal acts on; JSON itself escapes only some of it. */
export function visibleJson(json: string): string {
  return json.replace(STEERING, (it) =>
    it === '\n' ? it : `\\u${it.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** The text in at most `width` columns; a cut is shown by `…`. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  if (width <= 0) return ''
  let kept = ''
  let used = 1
  for (const grapheme of graphemesOf(text)) {
    used += graphemeWidth(grapheme)
    if (used > width) break
    kept += grapheme
  }
  return `${kept}…`
}

/** The text, filled with blanks to `width` columns. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const blanks = ' '.repeat(Math.max(0, width - displayWidth(text)))
  return align === 'left' ? text + blanks : blanks + text
}
