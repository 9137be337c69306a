// Aligned tables, and pairs of names and values.
import { displayWidth, pad, truncate, visible } from './width.ts'

/** One column of a table of `Row`s. */
export interface Column<Row> {
  /** Shown as it is; by custom in capitals. */
  readonly title: string
  /** The plain text of a cell; controls are spelled out by the table. Empty is shown as `-`. */
  readonly cell: (row: Row) => string
  readonly align?: 'left' | 'right'
  /** Paints the finished cell. */
  readonly style?: (row: Row, text: string) => string
  /** May be cut when the terminal is too narrow, down to eight columns. */
  readonly shrinks?: boolean
  /** Only shown with `-o wide`. */
  readonly wide?: boolean
}

/** How a table is laid out. */
export interface TableOptions {
  /** Columns of the terminal; absent: no limit. */
  readonly width?: number | undefined
  /** Shows the columns that are `wide` too. */
  readonly wide?: boolean
  /** Paints the titles. */
  readonly heading?: (text: string) => string
}

const GAP = '  '
const SHRUNK_MIN = 8

/** The lines of a table, without blanks at their ends. With no rows only the titles. */
export function table<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  { width, wide = false, heading = (text) => text }: TableOptions = {},
): string[] {
  const shown = columns.filter((column) => wide || column.wide !== true)
  const cells = rows.map((row) => shown.map((column) => visible(column.cell(row)) || '-'))
  const widths = shown.map(({ title }, at) =>
    Math.max(displayWidth(title), ...cells.map((line) => displayWidth(line[at] ?? ''))),
  )
  if (width !== undefined) shrink(widths, shown, width)
  const lineOf = (texts: readonly string[], styled: (at: number, text: string) => string) =>
    shown
      .map(({ align }, at) => {
        const size = widths[at] ?? 0
        const text = truncate(texts[at] ?? '', size)
        const blanks = ' '.repeat(Math.max(0, size - displayWidth(text)))
        if (align === 'right') return blanks + styled(at, text)
        // Nothing after the last cell, so that lines end where their text does.
        return at === shown.length - 1 ? styled(at, text) : styled(at, text) + blanks
      })
      .join(GAP)
  const titles = lineOf(
    shown.map(({ title }) => title),
    (_, text) => heading(text),
  )
  return [
    titles,
    ...rows.map((row, line) =>
      lineOf(cells[line] ?? [], (at, text) => shown[at]?.style?.(row, text) ?? text),
    ),
  ]
}

/** Takes the columns that are missing from the widest ones that may shrink, one at a time. */
function shrink<Row>(widths: number[], columns: readonly Column<Row>[], width: number): void {
  let excess = widths.reduce((sum, it) => sum + it, 0) + GAP.length * (widths.length - 1) - width
  while (excess > 0) {
    let widest = -1
    for (const [at, { shrinks }] of columns.entries()) {
      if (shrinks === true && (widths[at] ?? 0) > SHRUNK_MIN && (widths[at] ?? 0) > (widths[widest] ?? 0))
        widest = at
    }
    if (widest < 0) return
    widths[widest] = (widths[widest] ?? 0) - 1
    excess--
  }
}

/** `name  value` lines, the names aligned; pairs without a value, or with `-`, are left out. */
export function details(
  pairs: readonly (readonly [name: string, value: string | undefined])[],
  style: (text: string) => string = (text) => text,
): string[] {
  const present = pairs.filter(([, value]) => value !== undefined && value !== '' && value !== '-')
  const width = Math.max(0, ...present.map(([name]) => displayWidth(name)))
  return present.map(([name, value]) => `${style(pad(name, width))}${GAP}${visible(value ?? '')}`)
}
