import type { Clock } from '../../core/clock.ts'
import type { Reason, Report } from '../../core/run.ts'
import { overall } from '../../core/steps.ts'
import type { Engine, LogLine } from '../ports/engine.ts'
import type { Recorder } from '../ports/events.ts'
import type { ServerLine } from '../ports/line.ts'
import type { Capacity } from '../ports/policy.ts'
import type { Publisher } from '../ports/publisher.ts'
import type { RunLogs } from '../ports/run-logs.ts'
import { runAttempt } from './attempt.ts'
import type { Book } from './book.ts'
import { cleanBefore } from './cleaning.ts'
import { waitUntil } from './instant-start.ts'
import { ofRun, type Seat } from './seat.ts'

export interface ExecutionTools {
  readonly book: Book
  readonly engines: ReadonlyMap<string, Engine>
  readonly capacity: Capacity
  readonly clock: Clock
  readonly record: Recorder
  readonly publisher: Pick<Publisher, 'log'>
  readonly runLogs: RunLogs
  readonly stallMs: number
  /** Absent until the agent connects. */
  line(): Pick<ServerLine, 'send' | 'toServerUs' | 'toLocalUs'> | undefined
  engineDir(engine: string): string
}

/** Said of a start that could not be placed on the server's clock. Microseconds. */
const unknownErrorUs = 1_000_000
/** A start is told as soon as the clocks are compared; after this its place in time is left unknown. Milliseconds. */
const tellStartMs = 60_000
const tellEveryMs = 200
/** A go that is further ahead is not believed. Milliseconds. */
const goAheadMs = 10 * 60_000

/** Brings a repository of the order into order, ahead of its start. Never throws. */
export async function prepare(seat: Seat, tools: ExecutionTools): Promise<void> {
  const { order, signal } = seat
  if (!order.repositories.some(({ id }) => tools.book.state.dirty.has(id))) return
  using log = tools.runLogs.open(order.run, order.attempt)
  await cleanBefore(order, { ...tools, signal, log: (line) => log.write(line) })
}

/** Runs an accepted attempt: waits for its instant, begins, and follows it to its report. Throws only for a bug. */
export async function execute(seat: Seat, tools: ExecutionTools): Promise<Report> {
  const { order, signal } = seat
  const { clock, book, publisher, record } = tools
  using runLog = tools.runLogs.open(order.run, order.attempt)
  const log = (line: LogLine): void => {
    runLog.write(line)
    publisher.log(order.job, order.run, order.attempt, line)
  }
  await seat.prepared
  await untilGo(seat, tools)
  if (!seat.stopped) begin(seat, tools)
  const report = await runAttempt(order, {
    ...{ engines: tools.engines, capacity: tools.capacity, clock, signal, log },
    stallMs: tools.stallMs,
    engineDir: (engine) => tools.engineDir(engine),
    stop: () => seat.stopped,
    children: book.ledger(order.run, order.attempt),
    progress: (progress) => tools.line()?.send({ type: 'progress', progress }),
    async ended(report, retry, last) {
      const entry = { type: 'step', run: order.run, attempt: order.attempt, report, retry } as const
      if (last) book.jot(entry)
      else await book.save(entry)
    },
  })
  const result = overall(report.steps.map((step) => step.result))
  record('run.ended', { ...ofRun(order), end: report.end, result })
  return report
}

async function untilGo(seat: Seat, tools: ExecutionTools): Promise<void> {
  if (seat.goUs === undefined) return
  const local = tools.line()?.toLocalUs(seat.goUs)
  if (!local) return
  const at = Math.min(local.us / 1_000, tools.clock.monotonic() + goAheadMs)
  await waitUntil(at, tools.clock, seat.signal).catch(() => undefined) // stopped: nothing will begin
}

function begin(seat: Seat, tools: ExecutionTools): void {
  const { clock, record } = tools
  seat.startedUs = Math.round(clock.monotonic() * 1_000)
  void tellStart(seat, tools)
  record('run.started', ofRun(seat.order))
  const overTime: Reason = { code: 'over_time', text: 'it took longer than allowed' }
  clock.sleep(seat.order.runMs, seat.signal).then(
    () => seat.stop({ end: 'aborted', reason: overTime }),
    () => undefined,
  )
}

/** Says when the attempt began, by the server's clock; waits for the clocks to be compared. May be called again. */
export async function tellStart(seat: Seat, tools: ExecutionTools): Promise<void> {
  const { startedUs, order, goUs, signal } = seat
  const { clock } = tools
  if (startedUs === undefined) return
  const until = clock.monotonic() + tellStartMs
  for (;;) {
    const line = tools.line()
    const estimate = line?.toServerUs(startedUs)
    const placed = estimate
      ? { serverUs: Math.max(0, Math.round(estimate.us)), errorUs: Math.max(0, Math.ceil(estimate.errorUs)) }
      : goUs === undefined
        ? undefined
        : { serverUs: goUs, errorUs: unknownErrorUs }
    if (placed && line?.send({ type: 'started', run: order.run, attempt: order.attempt, started: placed }))
      return
    if (signal.aborted || clock.monotonic() >= until) return
    await clock.sleep(tellEveryMs, signal).catch(() => undefined)
  }
}
