// Runs as tables, details and progress.
import { at, list, number, object, objects, text, type Document } from '../json.ts'
import type { Output, Pair, Shown } from '../output.ts'
import { paintState, type Paint } from '../render/colour.ts'
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatInstant,
  formatMicroseconds,
} from '../render/format.ts'
import type { ProgressItem } from '../render/progress.ts'
import type { Column } from '../render/table.ts'

/** Something that makes progress, and the run that makes it. */
export interface RunItem extends ProgressItem {
  readonly run: string
  /** How many actions it has; 0 when that is not known. */
  readonly steps: number
}

/** A run's result once it has one, else its state. */
export const statusOf = (run: unknown): string => text(run, 'result') || text(run, 'state')

/** How `firn run ls` and everything else shows runs. */
export function runsShown({ paint }: Output): Shown<Document> {
  return {
    name: (run) => text(run, 'run_id'),
    columns: [
      { title: 'RUN', cell: (run) => text(run, 'run_id') },
      { title: 'CLIENT', cell: (run) => text(run, 'client_id'), shrinks: true },
      { title: 'JOB', cell: (run) => text(run, 'job_id') },
      statusColumn(paint),
      { title: 'CREATED', cell: (run) => formatInstant(at(run, 'created_at')) },
      { title: 'DURATION', cell: durationOf, align: 'right' },
      { title: 'ADDED', cell: (run) => bytesCell(statsOf(run)['bytes_added']), align: 'right' },
      { title: 'PURPOSE', cell: (run) => text(run, 'purpose'), wide: true },
      { title: 'SESSION', cell: sessionOf, wide: true },
      { title: 'ATTEMPT', cell: (run) => text(run, 'attempt'), wide: true, align: 'right' },
      { title: 'REASON', cell: reasonOf, shrinks: true },
    ],
  }
}

/** Status, coloured by what it means. */
export const statusColumn = (paint: Paint): Column<Document> => ({
  title: 'STATUS',
  cell: statusOf,
  style: (row, shown) => paintState(statusOf(row), paint)(shown),
})

/** All about one run. */
export function runDetails(run: unknown, out: Output): string[] {
  const pairs: Pair[] = [
    ['run', text(run, 'run_id')],
    ['client', text(run, 'client_id')],
    ['job', text(run, 'job_id')],
    ['slot', text(run, 'slot')],
    ['session', sessionOf(run)],
    ['purpose', text(run, 'purpose')],
    ['restore', text(run, 'restore_id')],
    ['state', text(run, 'state')],
    ['result', text(run, 'result')],
    ['reason', reasonOf(run)],
    ['attempt', text(run, 'attempt')],
    ['created', formatInstant(at(run, 'created_at'))],
    ['started', formatInstant(at(run, 'started_at'))],
    ['ended', formatInstant(at(run, 'ended_at'))],
    ['duration', durationOf(run)],
    ['start measured to', microsecondsOf(run, 'start_error_us')],
  ]
  const steps = objects(run, 'steps')
  return steps.length === 0
    ? out.details(pairs)
    : [...out.details(pairs), '', ...out.table(steps, stepColumns(out.paint))]
}

const stepColumns = (paint: Paint): Column<Document>[] => [
  { title: 'STEP', cell: (step) => text(step, 'do') },
  { title: 'ENGINE', cell: (step) => text(step, 'engine') },
  { title: 'NAME', cell: (step) => text(step, 'backup_name') },
  {
    title: 'RESULT',
    cell: (step) => text(step, 'result'),
    style: (step, shown) => paintState(text(step, 'result'), paint)(shown),
  },
  { title: 'TRIES', cell: (step) => text(step, 'tries'), align: 'right' },
  { title: 'FILES', cell: (step) => filesCell(object(step['stats'])), align: 'right' },
  { title: 'READ', cell: (step) => bytesCell(at(step, 'stats', 'bytes_processed')), align: 'right' },
  { title: 'ADDED', cell: (step) => bytesCell(at(step, 'stats', 'bytes_added')), align: 'right' },
  { title: 'DURATION', cell: durationOf, align: 'right' },
  { title: 'ERRORS', cell: (step) => text(step, 'item_error_count'), align: 'right' },
  { title: 'BACKUP', cell: (step) => text(step, 'backup_id') },
  { title: 'REASON', cell: reasonOf, shrinks: true },
]

/** `restic 2`, of a run that belongs to a session: the session's id and tag. */
export const sessionOf = (run: unknown): string =>
  [text(run, 'session', 'session_id'), text(run, 'session', 'tag')].filter((it) => it !== '').join(' ')

/** The sentence; the word in front of it when there is no sentence. */
export const reasonOf = (thing: unknown): string =>
  text(thing, 'reason', 'text') || text(thing, 'reason', 'code') || text(thing, 'reason')

/** From start to end, or empty. */
export function durationOf(thing: unknown): string {
  const ms = durationMsOf(thing)
  return ms === undefined ? '' : formatDuration(ms)
}

function durationMsOf(thing: unknown): number | undefined {
  const span = Date.parse(text(thing, 'ended_at')) - Date.parse(text(thing, 'started_at'))
  return Number.isNaN(span) ? undefined : Math.max(0, span)
}

/** A skew or an error of a measurement; empty when there is none. */
export function microsecondsOf(thing: unknown, name: string): string {
  const us = number(thing, name)
  return us === undefined ? '' : formatMicroseconds(us)
}

/** Bytes, or empty for what is no number. */
export const bytesCell = (bytes: unknown): string => (typeof bytes === 'number' ? formatBytes(bytes) : '')

/** All files that an action looked at; empty when nothing is known. */
export function filesCell(stats: Document): string {
  const counts = ['files_new', 'files_changed', 'files_unmodified'].map((name) => number(stats, name))
  if (counts.every((count) => count === undefined)) return ''
  return formatCount(counts.reduce<number>((sum, count) => sum + (count ?? 0), 0))
}

/** The statistics of a member or, summed over its steps, of a run. */
export function statsOf(thing: unknown): Document {
  const own = object(at(thing, 'stats'))
  if (Object.keys(own).length > 0) return own
  const sums: Record<string, number> = {}
  for (const step of objects(thing, 'steps')) {
    for (const [name, value] of Object.entries(object(step['stats'])))
      if (typeof value === 'number') sums[name] = (sums[name] ?? 0) + value
  }
  return sums
}

/** A run, or a member of a set, as a bar. */
export function runItem(run: unknown, name: string): RunItem {
  const state = statusOf(run) || 'waiting'
  const steps = list(at(run, 'steps')).length
  const item = { run: text(run, 'run_id'), name, state, steps }
  const progress = at(run, 'progress')
  const isOver = text(run, 'result') !== ''
  const processed = number(statsOf(run), 'bytes_processed')
  if (isOver || Object.keys(object(progress)).length === 0)
    return { ...item, ...(processed === undefined ? {} : { done: processed }) }
  return { ...item, ...progressFields(progress, steps) }
}

/** What a progress message says of a run. `steps`: how many the run has. */
export function progressFields(progress: unknown, steps: number): Partial<RunItem> {
  const phase = text(progress, 'phase')
  const step = number(progress, 'step')
  return {
    phase: steps > 1 && step !== undefined ? `${step + 1}/${steps} ${phase}` : phase || undefined,
    fraction: number(progress, 'fraction'),
    done: number(progress, 'done'),
    total: number(progress, 'total'),
    rate: number(progress, 'bytes_per_second'),
    secondsLeft: number(progress, 'seconds_left'),
    errors: number(progress, 'errors'),
  }
}

/** The worst of some results; undefined while one is missing. */
export function worstOf(results: readonly string[]): string | undefined {
  if (results.includes('')) return undefined
  return ['lost', 'failed', 'aborted', 'partial'].find((it) => results.includes(it)) ?? results[0]
}
