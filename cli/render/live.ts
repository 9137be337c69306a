// Puts progress on a stream: bars that are redrawn in place on a terminal, plain lines elsewhere.
import { wantsColour, wantsUnicode } from './colour.ts'
import { formatSecondsLeft } from './format.ts'
import { frame, hasEnded, overall, plainLine, type ProgressItem } from './progress.ts'
import { displayWidth, visible } from './width.ts'

/** What progress is written to: `process.stdout`, `process.stderr`, or a test's own. */
export interface ProgressStream {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  readonly rows?: number | undefined
}

/** Shows progress until it is closed; closing leaves the last picture. Never throws. */
export interface ProgressView extends Disposable {
  /** The state of everything, as often as it is known. */
  update(items: readonly ProgressItem[], title?: string): void
  /** A line of its own among the progress. */
  note(text: string): void
}

/** Settings of a view; all but `stream` have the defaults of a person at a terminal. */
export interface ProgressOptions {
  readonly stream: ProgressStream
  readonly env: Readonly<Record<string, string | undefined>>
  /** Overrides what stream and environment say. */
  readonly colour?: boolean
  /** Milliseconds on any clock that does not go back. */
  readonly now?: () => number
}

/** Bars on a terminal, plain lines elsewhere. */
export function progressView(options: ProgressOptions): ProgressView {
  const isTerminal = options.stream.isTTY === true && options.env['TERM'] !== 'dumb'
  return isTerminal ? new LiveView(options) : new PlainView(options)
}

/** Ten pictures a second look smooth, and cost little over a slow connection. */
const REDRAW_MS = 100
/** How often the elapsed time moves on when nothing else does. */
const TICK_MS = 1000

class LiveView implements ProgressView {
  readonly #region: LiveRegion
  readonly #options: ProgressOptions
  readonly #now: () => number
  readonly #startedAt: number
  readonly #ticker: NodeJS.Timeout
  #items: readonly ProgressItem[] = []
  #title: string | undefined
  #drawnAt = -Infinity
  #pending: NodeJS.Timeout | undefined

  constructor(options: ProgressOptions) {
    this.#options = options
    this.#region = new LiveRegion(options.stream)
    this.#now = options.now ?? (() => performance.now())
    this.#startedAt = this.#now()
    this.#ticker = setInterval(() => this.#draw(), TICK_MS)
  }

  update(items: readonly ProgressItem[], title?: string): void {
    this.#items = items
    this.#title = title
    const wait = REDRAW_MS - (this.#now() - this.#drawnAt)
    if (wait <= 0) this.#draw()
    else this.#pending ??= setTimeout(() => this.#draw(), wait)
  }

  note(text: string): void {
    this.#region.print(visible(text))
  }

  [Symbol.dispose](): void {
    clearInterval(this.#ticker)
    if (this.#pending !== undefined) this.#draw()
    this.#region.release()
  }

  #draw(): void {
    clearTimeout(this.#pending)
    this.#pending = undefined
    if (this.#items.length === 0) return
    const { stream, env, colour = wantsColour(stream, env) } = this.#options
    this.#drawnAt = this.#now()
    const elapsed = formatSecondsLeft(Math.floor((this.#drawnAt - this.#startedAt) / 1000))
    const title = this.#title === undefined ? undefined : `${this.#title} · ${elapsed}`
    const { width, height } = this.#region
    this.#region.draw(frame(this.#items, { width, height, colour, unicode: wantsUnicode(env), title }))
  }
}

/** Lines at the end of a terminal's text that are drawn again in place. */
export class LiveRegion {
  readonly #stream: ProgressStream
  #drawn: readonly string[] = []

  constructor(stream: ProgressStream) {
    this.#stream = stream
  }

  /** Columns that may be used: not the last, where terminals differ in when they wrap. */
  get width(): number {
    return Math.max(1, (this.#stream.columns || 80) - 1)
  }

  /** Lines that may be used: one stays for the cursor. */
  get height(): number {
    return Math.max(1, (this.#stream.rows || 24) - 1)
  }

  /** Replaces what was drawn. The lines may hold colours, and nothing else that moves the cursor. */
  draw(lines: readonly string[]): void {
    const text = lines.map((line) => `${line}\x1b[K\n`).join('')
    this.#stream.write(`${this.#backToTop()}${text}\x1b[J`)
    this.#drawn = lines
  }

  /** Puts a line above the region. */
  print(line: string): void {
    const below = this.#drawn.map((it) => `${it}\x1b[K\n`).join('')
    this.#stream.write(`${this.#backToTop()}${line}\x1b[K\n${below}\x1b[J`)
  }

  /** Leaves the lines where they are; the next drawing starts below them. */
  release(): void {
    this.#drawn = []
  }

  /** A terminal that has become narrower since has wrapped the lines: they take more rows now. */
  #backToTop(): string {
    const columns = Math.max(1, this.#stream.columns || 80)
    const rows = this.#drawn.reduce(
      (sum, line) => sum + Math.max(1, Math.ceil(plainWidth(line) / columns)),
      0,
    )
    return rows === 0 ? '\r' : `\r\x1b[${rows}A`
  }
}

// eslint-disable-next-line no-control-regex -- the colours' own codes
const plainWidth = (line: string): number => displayWidth(line.replace(/\x1b\[\d*m/g, ''))

/** Between two lines that only tell of bytes; grows, so that an hour's log stays readable. */
const PLAIN_FIRST_MS = 1000
const PLAIN_LONGEST_MS = 30_000

class PlainView implements ProgressView {
  readonly #stream: ProgressStream
  readonly #now: () => number
  readonly #activity = new Map<string, string>()
  #title: string | undefined
  #nextAt: number
  #pauseMs = PLAIN_FIRST_MS
  #told = ''

  constructor({ stream, now = () => performance.now() }: ProgressOptions) {
    this.#stream = stream
    this.#now = now
    this.#nextAt = now() + PLAIN_FIRST_MS
  }

  update(items: readonly ProgressItem[], title?: string): void {
    if (title !== undefined && title !== this.#title) this.note(title)
    this.#title = title
    for (const item of items) this.#tellChange(item)
    this.#tellAmount(items)
  }

  note(text: string): void {
    this.#stream.write(`${visible(text)}\n`)
  }

  [Symbol.dispose](): void {}

  #tellChange(item: ProgressItem): void {
    const activity = `${item.state} ${item.state === 'running' ? (item.phase ?? '') : ''}`
    if (this.#activity.get(item.name) === activity) return
    this.#activity.set(item.name, activity)
    this.#write(plainLine(item))
  }

  #tellAmount(items: readonly ProgressItem[]): void {
    const now = this.#now()
    if (now < this.#nextAt || items.every(hasEnded)) return
    const line = plainLine(overall(items))
    if (line === this.#told) return
    this.#told = line
    this.#pauseMs = Math.min(PLAIN_LONGEST_MS, this.#pauseMs * 1.5)
    this.#write(line)
  }

  /** A change has just told the amounts too, so the next line about them alone waits anew. */
  #write(line: string): void {
    this.#nextAt = this.#now() + this.#pauseMs
    this.#stream.write(`${line}\n`)
  }
}
