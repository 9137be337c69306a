import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { LiveRegion, progressView } from './live.ts'
import { frame, overall, plainLine, type ProgressItem } from './progress.ts'
import { displayWidth } from './width.ts'

const GIB = 1024 ** 3
const items: ProgressItem[] = [
  {
    name: 'node-1',
    state: 'running',
    phase: 'transfer',
    fraction: 0.63,
    done: 1.26 * GIB,
    total: 2 * GIB,
    rate: 85.3 * 1024 ** 2,
    secondsLeft: 9,
  },
  { name: '日本-2', state: 'running', phase: 'scan', done: 12_345_678 },
  { name: 'node-3', state: 'waiting' },
  { name: 'node-4', state: 'success', fraction: 0.9, done: 5 * GIB, total: 6 * GIB, rate: 1, secondsLeft: 1 },
  { name: 'node-5', state: 'failed', fraction: 0.25, done: 1, total: 4, errors: 1 },
]

describe('a frame', () => {
  it('has one line each, with all there is to say when there is room', () => {
    expect(frame(items, { width: 100, colour: false, title: 'session web, tag 3' })).toEqual([
      'session web, tag 3',
      'node-1  ███████████████░░░░░░░░░   63%  1.26 GiB / 2.00 GiB  85.3 MiB/s   0:09 left  transfer',
      '日本-2  ░░░░░░░░░░░░░░░░░░░░░░░░                   11.8 MiB                          scan',
      'node-3  ░░░░░░░░░░░░░░░░░░░░░░░░                                                     waiting',
      'node-4  ████████████████████████  100%             5.00 GiB                          success',
      'node-5  ██████░░░░░░░░░░░░░░░░░░   25%                  1 B                          failed, 1 error',
    ])
  })

  it('drops the columns that say least on a narrow terminal', () => {
    const shown = (width: number) => frame(items.slice(0, 1), { width, colour: false })[0] ?? ''
    expect(shown(70)).toMatch(/63% +1.26 GiB \/ 2.00 GiB +0:09 left {2}transfer$/)
    expect(shown(60)).toMatch(/63% +1.26 GiB +0:09 left {2}transfer$/)
    expect(shown(48)).toMatch(/63% +0:09 left {2}transfer$/)
    expect(shown(36)).toMatch(/63% {2}transfer$/)
    expect(shown(26)).toMatch(/^node-1 {2}█+.*63%$/)
  })

  it('is never wider or higher than it may be, whatever it shows', () => {
    const item = fc.record(
      {
        name: fc.string({ unit: 'binary' }),
        state: fc.constantFrom('waiting', 'running', 'success', 'failed', 'x\x1b[2J'),
        phase: fc.constantFrom('scan', 'transfer'),
        fraction: fc.double(),
        done: fc.double(),
        total: fc.double(),
        rate: fc.double(),
        secondsLeft: fc.double(),
        errors: fc.nat(),
      },
      { requiredKeys: ['name', 'state'] },
    )
    fc.assert(
      fc.property(
        fc.array(item, { minLength: 1 }),
        fc.integer({ min: 1, max: 150 }),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        (some, width, height, unicode) => {
          const lines = frame(some, { width, height, colour: false, unicode, title: 'title' })
          expect(lines.length).toBeLessThanOrEqual(Math.max(2, height))
          for (const line of lines) {
            expect(displayWidth(line)).toBeLessThanOrEqual(width)
            // eslint-disable-next-line no-control-regex -- none may be there
            expect(line).not.toMatch(/[\0-\x1f\x7f-\x9f]/)
          }
        },
      ),
    )
  })

  it('shows what is not finished first when there are too many, in their order, and counts the rest', () => {
    const lines = frame(items, { width: 60, colour: false, height: 4 })
    expect(lines.map((line) => line.split(' ')[0])).toEqual(['node-1', '日本-2', 'node-3', 'and'])
    expect(lines.at(-1)).toBe('and 1 success, 1 failed')
  })

  it('does without block characters', () => {
    const [line] = frame(items.slice(0, 1), { width: 40, colour: false, unicode: false })
    expect(line).toMatch(/^node-1 {2}\[#+-+\] {3}63% {2}transfer$/)
  })

  it('colours bar and state by their meaning, and leaves the columns where they are', () => {
    const [plain] = frame(items.slice(3, 4), { width: 60, colour: false })
    const [coloured] = frame(items.slice(3, 4), { width: 60, colour: true })
    expect(coloured).toContain('\x1b[32m')
    // eslint-disable-next-line no-control-regex -- the colours' codes
    expect(coloured?.replace(/\x1b\[\d+m/g, '').trimEnd()).toBe(plain)
  })

  it('never says 100 % of what has not ended', () => {
    const [line] = frame([{ name: 'a', state: 'running', fraction: 0.9999 }], { width: 40, colour: false })
    expect(line).toContain(' 99%')
  })
})

describe('off a terminal', () => {
  const output: string[] = []
  let time = 0
  const view = () => {
    output.length = 0
    time = 0
    return progressView({ stream: { write: (text) => output.push(text) }, env: {}, now: () => time })
  }
  const at = (ms: number, fraction: number, extra: Partial<ProgressItem> = {}) => {
    time = ms
    return [
      { name: 'n1', state: 'running', phase: 'transfer', done: fraction * 100, total: 100, ...extra },
      { name: 'n2', state: 'waiting' },
    ]
  }

  it('each change is a line, bytes alone at most one a second, and ever fewer', () => {
    using shown = view()
    for (let ms = 0; ms <= 10_000; ms += 100) shown.update(at(ms, ms / 10_000), 'set s tag 1')
    shown.update(at(10_050, 1, { state: 'success' }))
    expect(output.join('')).toBe(
      [
        'set s tag 1',
        'n1: transfer, 0%, 0 B of 100 B',
        'n2: waiting',
        'all: 1 running, 1 waiting, 10 B',
        'all: 1 running, 1 waiting, 25 B',
        'all: 1 running, 1 waiting, 48 B',
        'all: 1 running, 1 waiting, 82 B',
        'n1: success, 100%, 100 B',
        '',
      ].join('\n'),
    )
  })

  it('writes no code that a terminal acts on', () => {
    using shown = view()
    shown.update([{ name: 'evil\x1b[2J', state: 'running\x07' }], 'title\x1b]0;x')
    shown.note('note\x1b[2J')
    // eslint-disable-next-line no-control-regex -- none may be there
    expect(output.join('')).not.toMatch(/[\0-\x09\x0b-\x1f]/)
  })

  it('says an item as a sentence, and all of them as one', () => {
    expect(plainLine(items[0]!)).toBe('node-1: transfer, 63%, 1.26 GiB of 2.00 GiB, 85.3 MiB/s, 0:09 left')
    expect(overall(items.slice(0, 2))).toMatchObject({ name: 'all', state: '2 running' })
    expect(overall(items.slice(2)).name).toBe('node-3')
  })

  it('does so on a dumb terminal too', () => {
    const stream = { write: (text: string) => output.push(text), isTTY: true }
    output.length = 0
    using shown = progressView({ stream, env: { TERM: 'dumb' } })
    shown.update(items)
    expect(output.join('')).not.toContain('\x1b')
  })
})

describe('on a terminal', () => {
  it('draws over what it drew, and below what is printed', () => {
    const screen = new Screen(40, 10)
    const region = new LiveRegion(screen)
    screen.write('before\n')
    region.draw(['one', 'two'])
    region.draw(['1', '2', '3'])
    region.print('note')
    region.draw(['end'])
    region.release()
    region.draw(['next'])
    expect(screen.lines()).toEqual(['before', 'note', 'end', 'next'])
  })

  it('finds its first line again after the terminal became narrower', () => {
    const screen = new Screen(40, 10)
    const region = new LiveRegion(screen)
    region.draw(['x'.repeat(30), 'y'])
    screen.resize(20)
    region.draw(['new'])
    expect(screen.lines()).toEqual(['new'])
  })

  it('leaves the last picture when it is closed', () => {
    const screen = new Screen(60, 10)
    const env = { LANG: 'C.UTF-8', NO_COLOR: '1' }
    {
      using view = progressView({ stream: screen, env, now: () => 0 })
      view.update([{ name: 'a', state: 'running' }], 'set')
      view.update([{ name: 'a', state: 'success' }], 'set')
    }
    expect(screen.lines()).toEqual(['set · 0:00', expect.stringMatching(/^a {2}█{18} {2}100% +success$/)])
  })
})

/** Just enough of a terminal: text, line feeds, carriage returns, cursor up, and the two kinds of clearing. */
class Screen {
  readonly isTTY = true
  columns: number
  readonly rows: number
  #cells: string[] = ['']
  #row = 0
  #column = 0

  constructor(columns: number, rows: number) {
    this.columns = columns
    this.rows = rows
  }

  write(text: string): void {
    // eslint-disable-next-line no-control-regex -- what a terminal is told
    for (const [token] of text.matchAll(/\x1b\[(\d*)([A-Za-z])|[^\x1b]/gs)) this.#take(token)
  }

  /** As terminals do that wrap their text anew. */
  resize(columns: number): void {
    this.#cells = this.#cells.flatMap((line) => line.match(new RegExp(`.{1,${columns}}`, 'g')) ?? [''])
    this.#row = this.#cells.length - 1
    this.columns = columns
  }

  lines(): string[] {
    return this.#cells.map((line) => line.trimEnd()).filter((line) => line !== '')
  }

  #take(token: string): void {
    const line = this.#cells[this.#row] ?? ''
    if (token === '\r') this.#column = 0
    else if (token === '\n') {
      this.#row++
      this.#column = 0
      this.#cells[this.#row] ??= ''
    } else if (token === '\x1b[K') this.#cells[this.#row] = line.slice(0, this.#column)
    else if (token === '\x1b[J') {
      this.#cells[this.#row] = line.slice(0, this.#column)
      this.#cells.length = this.#row + 1
    } else if (token.endsWith('A')) this.#row = Math.max(0, this.#row - Number(token.slice(2, -1)))
    else if (token.startsWith('\x1b')) throw new Error(`unknown to this terminal: ${JSON.stringify(token)}`)
    else {
      this.#cells[this.#row] =
        line.padEnd(this.#column).slice(0, this.#column) + token + line.slice(this.#column + 1)
      this.#column++
    }
  }
}
