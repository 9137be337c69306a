import { describe, expect, it } from 'vitest'
import { paint, wantsColour, wantsUnicode } from './colour.ts'
import {
  formatBytes,
  formatDuration,
  formatInstant,
  formatMicroseconds,
  formatSecondsLeft,
} from './format.ts'
import { details, table } from './table.ts'
import { displayWidth, pad, truncate, visible, visibleJson } from './width.ts'

describe('the width of a text is the columns a terminal gives it', () => {
  it.each([
    ['abc', 3],
    ['', 0],
    ['naïve', 5],
    ['e\u0301', 1],
    ['日本語', 6],
    ['ｆｕｌｌ', 8],
    ['한국어', 6],
    ['\u1112\u1161\u11ab', 2],
    ['🙂', 2],
    ['👨‍👩‍👧‍👦', 2],
    ['🇨🇭', 2],
    ['✔️', 2],
    ['✔', 1],
    ['a\u200bb', 2],
    ['कि', 2],
    ['█▌░', 3],
  ])('%s: %i', (text, width) => {
    expect(displayWidth(text)).toBe(width)
  })

  it('cuts between characters, never through one', () => {
    expect(truncate('日本語', 5)).toBe('日本…')
    expect(truncate('日本語', 4)).toBe('日…')
    expect(truncate('👨‍👩‍👧‍👦x👨‍👩‍👧‍👦', 4)).toBe('👨‍👩‍👧‍👦x…')
    expect(truncate('short', 5)).toBe('short')
    expect(truncate('short', 0)).toBe('')
  })

  it('fills to a width', () => {
    expect(pad('日本', 6)).toBe('日本  ')
    expect(pad('7', 3, 'right')).toBe('  7')
    expect(pad('long', 2)).toBe('long')
  })
})

describe('text from elsewhere cannot steer the terminal', () => {
  it.each([
    ['\x1b[2J', '\\x1b[2J'],
    ['\x9b31m', '\\x9b31m'],
    ['a\nb\tc\rd', 'a\\nb\\tc\\rd'],
    ['\x7f\0', '\\x7f\\x00'],
    ['safe\u202egnp.exe', 'safe\\u202egnp.exe'],
    ['\ud800x', '\ufffdx'],
    ['日本 🙂 é', '日本 🙂 é'],
  ])('%j becomes %s', (text, shown) => {
    expect(visible(text)).toBe(shown)
  })

  it('in JSON, without changing what it means', () => {
    const value = { text: 'a\x9b\u202e\x7f\n\x1b日' }
    const json = visibleJson(JSON.stringify(value, null, 2))
    // eslint-disable-next-line no-control-regex -- the very thing
    expect(json).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/)
    expect(JSON.parse(json)).toEqual(value)
  })
})

describe('numbers as people read them', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '0.98 KiB'],
    [1536, '1.50 KiB'],
    [1024 ** 3 * 12.34, '12.3 GiB'],
    [1024 ** 2 * 999.4, '999 MiB'],
    [1024 ** 2 * 999.6, '0.98 GiB'],
    [NaN, '-'],
    [-5, '0 B'],
  ])('%d bytes: %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })

  it.each([
    [85, '85 ms'],
    [4230, '4.2 s'],
    [59_990, '1:00'],
    [187_000, '3:07'],
    [2 * 3_600_000 + 299_000, '2 h 05 m'],
    [76 * 3_600_000, '3 d 04 h'],
    [-1, '-'],
  ])('%d ms: %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })

  it('seconds left, skews, instants', () => {
    expect(formatSecondsLeft(8.2)).toBe('0:09')
    expect(formatSecondsLeft(7500)).toBe('2 h 05 m')
    expect(formatMicroseconds(85)).toBe('85 µs')
    expect(formatMicroseconds(3520)).toBe('3.52 ms')
    expect(formatMicroseconds(1.2e6)).toBe('1.20 s')
    expect(formatInstant('2026-11-21T23:43:01.250Z')).toBe('2026-11-21T23:43:01Z')
    expect(formatInstant(1795297004)).toBe('2026-11-21T21:36:44Z')
    for (const never of [-1, undefined, null, '', 'soon', 1e300, {}]) expect(formatInstant(never)).toBe('-')
  })
})

describe('a table', () => {
  interface Row {
    name: string
    size: number
    text: string
  }
  const columns = [
    { title: 'NAME', cell: (row: Row) => row.name },
    { title: 'SIZE', cell: (row: Row) => formatBytes(row.size), align: 'right' as const },
    { title: 'TEXT', cell: (row: Row) => row.text, shrinks: true },
    { title: 'RAW', cell: (row: Row) => String(row.size), wide: true },
  ]
  const rows: Row[] = [
    { name: 'node-1', size: 5, text: 'plain' },
    { name: '日本', size: 1024 ** 2, text: '\x1b]0;owned\x07' },
    { name: '🙂', size: 12, text: '' },
  ]

  it('aligns by columns of the terminal, spells out controls, shows empty cells', () => {
    expect(table(rows, columns)).toEqual([
      'NAME        SIZE  TEXT',
      'node-1       5 B  plain',
      '日本    1.00 MiB  \\x1b]0;owned\\x07',
      '🙂          12 B  -',
    ])
  })

  it('shows more when it may be wide', () => {
    expect(table(rows.slice(0, 1), columns, { wide: true })).toEqual([
      'NAME    SIZE  TEXT   RAW',
      'node-1   5 B  plain  5',
    ])
  })

  it('cuts the columns that may be cut to fit a terminal', () => {
    const lines = table([{ name: 'n', size: 1, text: 'x'.repeat(50) }], columns, { width: 30 })
    expect(lines[1]).toBe(`n      1 B  ${'x'.repeat(17)}…`)
    expect(Math.max(...lines.map(displayWidth))).toBe(30)
  })

  it('never goes below what is readable, and takes colours without losing its alignment', () => {
    const red = columns.map((it) => ({ ...it, style: (_: Row, text: string) => paint(true).bad(text) }))
    const lines = table(rows.slice(0, 1), red, { width: 3 })
    expect(lines[1]).toBe('\x1b[31mnode-1\x1b[0m   \x1b[31m5 B\x1b[0m  \x1b[31mplain\x1b[0m')
  })

  it('has only its titles without rows', () => {
    expect(table([], columns)).toEqual(['NAME  SIZE  TEXT'])
  })

  it('of pairs leaves out what is missing', () => {
    expect(
      details([
        ['run', 'r1'],
        ['reason', undefined],
        ['state', 'a\nb'],
      ]),
    ).toEqual(['run    r1', 'state  a\\nb'])
  })
})

describe('colours and block characters', () => {
  it.each([
    [{ isTTY: true }, {}, true],
    [{ isTTY: true }, { NO_COLOR: '1' }, false],
    [{ isTTY: true }, { NO_COLOR: '' }, true],
    [{ isTTY: true }, { TERM: 'dumb' }, false],
    [{}, {}, false],
  ])('%j with %j: colours %s', (stream, env, wanted) => {
    expect(wantsColour(stream, env)).toBe(wanted)
  })

  it('are for locales that have them', () => {
    expect(wantsUnicode({ LANG: 'de_CH.UTF-8' })).toBe(true)
    expect(wantsUnicode({ LANG: 'C.utf8', LC_ALL: 'C' })).toBe(false)
    expect(wantsUnicode({})).toBe(false)
  })
})
