// Progress bars as lines of text. Pure: `live.ts` puts them on a terminal.
import { paint, paintState, type Paint } from './colour.ts'
import { formatBytes, formatRate, formatSecondsLeft } from './format.ts'
import { displayWidth, pad, truncate, visible } from './width.ts'

/** One thing that makes progress: a member of a set, a run. */
export interface ProgressItem {
  readonly name: string
  /** A run's state (`waiting`, `running` …) or, once it has ended, its result (`success`, `partial` …). */
  readonly state: string
  /** What it does while `running`: `scan`, `transfer` … */
  readonly phase?: string | undefined
  /** 0 to 1; absent while the total is unknown. */
  readonly fraction?: number | undefined
  /** Bytes. */
  readonly done?: number | undefined
  /** Bytes; absent while unknown. */
  readonly total?: number | undefined
  /** Bytes a second. */
  readonly rate?: number | undefined
  readonly secondsLeft?: number | undefined
  /** Items that could not be read so far. */
  readonly errors?: number | undefined
}

/** How a frame is drawn. */
export interface FrameOptions {
  /** Columns: no line is wider. */
  readonly width: number
  readonly colour: boolean
  /** Block characters; else plain ASCII. */
  readonly unicode?: boolean
  /** Shown above the bars. */
  readonly title?: string | undefined
  /** At most so many lines; what does not fit is counted in the last one, unfinished items are shown first. */
  readonly height?: number | undefined
}

const ENDED: readonly string[] = ['success', 'partial', 'failed', 'aborted', 'lost']

/** Whether a state is the end of a run. */
export const hasEnded = ({ state }: ProgressItem): boolean => ENDED.includes(state)

/** The lines of one picture of `items`: a bar each, columns aligned, narrower terminals seeing fewer of them. */
export function frame(items: readonly ProgressItem[], options: FrameOptions): string[] {
  const width = Math.max(1, options.width)
  const style = paint(options.colour)
  const title = options.title === undefined ? [] : [style.bold(truncate(visible(options.title), width))]
  const { shown, rest } = fit(items, (options.height ?? Infinity) - title.length)
  const layout = layoutFor(shown, width)
  const rows = shown.map((item) => row(item, layout, style, options.unicode ?? true))
  const more = rest.length === 0 ? [] : [style.dim(truncate(`and ${countStates(rest)}`, width))]
  return [...title, ...rows, ...more]
}

function fit(items: readonly ProgressItem[], height: number) {
  if (items.length <= height) return { shown: items, rest: [] }
  const room = Math.max(0, height - 1)
  const preferred = new Set(
    [...items.filter((it) => !hasEnded(it)), ...items.filter(hasEnded)].slice(0, room),
  )
  return { shown: items.filter((it) => preferred.has(it)), rest: items.filter((it) => !preferred.has(it)) }
}

/** `3 running, 1 success`. */
export function countStates(items: readonly ProgressItem[]): string {
  const counts = new Map<string, number>()
  for (const { state } of items) counts.set(state, (counts.get(state) ?? 0) + 1)
  return [...counts].map(([state, count]) => `${count} ${visible(state)}`).join(', ')
}

interface Layout {
  readonly name: number
  readonly bar: number
  readonly extras: readonly Extra[]
  readonly width: number
}
interface Extra {
  readonly text: (item: ProgressItem) => string
  readonly width: number
  readonly align: 'left' | 'right'
}

const GAP = 2
const NAME_MAX = 28
const NAME_MIN = 8
const BAR_MIN = 8
const BAR_MAX = 40
const PERCENT = 4

/** The richest choice of columns that leaves the bar at least `BAR_MIN`; the columns that say least go first. */
function layoutFor(items: readonly ProgressItem[], width: number): Layout {
  const longest = Math.max(1, ...items.map((it) => displayWidth(visible(it.name))))
  const name = Math.min(longest, NAME_MAX, Math.max(NAME_MIN, Math.floor(width / 4)))
  const extra = (text: Extra['text'], least: number, align: Extra['align'] = 'right'): Extra => {
    return { text, align, width: Math.max(least, ...items.map((it) => displayWidth(text(it)))) }
  }
  // The least widths hold the usual values, so that columns do not jump from frame to frame.
  const amount = extra(amountOf, 19)
  const done = extra(doneOf, 8)
  const rate = extra(rateOf, 10)
  const left = extra(leftOf, 10)
  const activity = extra(activityOf, 8, 'left')
  const choices = [
    [amount, rate, left, activity],
    [amount, left, activity],
    [done, left, activity],
    [left, activity],
    [activity],
    [],
  ]
  const barOf = (extras: readonly Extra[], named: number) =>
    width - named - GAP - GAP - PERCENT - extras.reduce((sum, it) => sum + GAP + it.width, 0)
  const extras = choices.find((it) => barOf(it, name) >= BAR_MIN) ?? []
  const shortened = Math.min(name, Math.max(4, name + barOf(extras, name) - BAR_MIN))
  return { name: shortened, bar: Math.min(BAR_MAX, Math.max(0, barOf(extras, shortened))), extras, width }
}

function row(
  item: ProgressItem,
  { name, bar, extras, width }: Layout,
  style: Paint,
  unicode: boolean,
): string {
  const colour = paintState(item.state, style)
  const cells = extras.map(({ text, align, width }) => pad(text(item), width, align))
  const parts = [
    pad(truncate(visible(item.name), name), name),
    ...(bar > 0 ? [barOf(item, bar, unicode)] : []),
    pad(percentOf(item), PERCENT, 'right'),
    ...cells,
  ]
  const gap = ' '.repeat(GAP)
  // Measured without colours: their codes take no column. Too narrow even for the least layout: cut and left plain.
  const plain = parts.join(gap).trimEnd()
  if (displayWidth(plain) > width) return truncate(plain, width)
  const last = parts.length - 1
  const painted = parts.map((part, at) => {
    if (at === last) return colour(part.trimEnd())
    return at === 1 && bar > 0 ? colour(part) : part
  })
  return painted.join(gap).trimEnd()
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

function barOf(item: ProgressItem, width: number, unicode: boolean): string {
  const fraction = fractionOf(item) ?? 0
  if (!unicode) {
    const inner = Math.max(0, width - 2)
    return `[${'#'.repeat(Math.floor(inner * fraction)).padEnd(inner, '-')}]`
  }
  const filled = width * fraction
  const whole = Math.floor(filled)
  const eighth = EIGHTHS[Math.floor((filled - whole) * 8)] ?? ''
  return ('█'.repeat(whole) + eighth).padEnd(width, '░')
}

/** Between 0 and 1; 1 for what ended well without ever telling. */
function fractionOf({ state, fraction, done, total }: ProgressItem): number | undefined {
  if (state === 'success' || state === 'partial') return 1
  const known =
    fraction ?? (done !== undefined && total !== undefined && total > 0 ? done / total : undefined)
  return known === undefined || Number.isNaN(known) ? undefined : Math.min(1, Math.max(0, known))
}

/** Whole percents, rounded down: 100 % is said only of what is done. */
function percentOf(item: ProgressItem): string {
  const fraction = fractionOf(item)
  return fraction === undefined ? '' : `${Math.floor(fraction * 100)}%`
}

const doneOf = ({ done }: ProgressItem): string => (done === undefined ? '' : formatBytes(done))
const rateOf = (item: ProgressItem): string =>
  item.rate === undefined || hasEnded(item) ? '' : formatRate(item.rate)
const leftOf = (item: ProgressItem): string =>
  item.secondsLeft === undefined || hasEnded(item) ? '' : `${formatSecondsLeft(item.secondsLeft)} left`

function amountOf(item: ProgressItem): string {
  if (item.total === undefined || hasEnded(item)) return doneOf(item)
  return `${formatBytes(item.done ?? 0)} / ${formatBytes(item.total)}`
}

/** The phase of what runs, else the state; and how many items could not be read. */
function activityOf({ state, phase, errors }: ProgressItem): string {
  const word = visible(state === 'running' && phase !== undefined ? phase : state)
  return errors === undefined || errors === 0 ? word : `${word}, ${errors} error${errors === 1 ? '' : 's'}`
}

/** One item as a sentence, for output that is no terminal. */
export function plainLine(item: ProgressItem): string {
  const amount = amountOf(item).replace(' / ', ' of ')
  const facts = [activityOf(item), percentOf(item), amount, rateOf(item), leftOf(item)]
  return `${visible(item.name)}: ${facts.filter((it) => it !== '').join(', ')}`
}

/** All items as one: sums, and the longest time left. */
export function overall(items: readonly ProgressItem[]): ProgressItem {
  const sum = (values: readonly (number | undefined)[]) =>
    values.reduce<number>((total, value) => total + (value ?? 0), 0)
  const totals = items.map((it) => it.total ?? (hasEnded(it) ? (it.done ?? 0) : undefined))
  const running = items.filter((it) => !hasEnded(it))
  const lefts = running.flatMap(({ secondsLeft }) => (secondsLeft === undefined ? [] : [secondsLeft]))
  const name = running.length === 1 && running[0] !== undefined ? running[0].name : 'all'
  return {
    name,
    state: countStates(items),
    done: sum(items.map(({ done }) => done)),
    ...(totals.includes(undefined) ? {} : { total: sum(totals) }),
    ...(running.some(({ rate }) => rate !== undefined) ? { rate: sum(running.map(({ rate }) => rate)) } : {}),
    ...(lefts.length === running.length && lefts.length > 0 ? { secondsLeft: Math.max(...lefts) } : {}),
  }
}
