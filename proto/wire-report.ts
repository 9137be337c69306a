import { instant } from '../core/clock.ts'
import { Fault } from '../core/fault.ts'
import { clientId, runId } from '../core/ids.ts'
import type { ItemError, Report, Saved, Stats, StepReport } from '../core/run.ts'
import * as wire from './gen/firn/v1/report.ts'
import { bytesOf, count, given, id, maybe, pathOf, refuse, textOf } from './strict.ts'
import { reasonFromWire } from './wire-order.ts'
import { endFromWire, resultFromWire, wireFromEnd, wireFromStepResult } from './words.ts'

/** A report as it travels over NATS: proto3 JSON of firn.v1.Report. */
export const reportToJson = (report: Report): string =>
  JSON.stringify(wire.Report.toJSON(wireFromReport(report)))

/** Throws Fault('bad_message') for anything that is not a report of a version known here. Fields it does not know are dropped. */
export function reportFromJson(text: string): Report {
  try {
    return reportFromWire(wire.Report.fromJSON(JSON.parse(text)))
  } catch (cause) {
    throw cause instanceof Fault ? cause : new Fault('bad_message', 'not a report in JSON', { cause })
  }
}

export const wireFromReport = (report: Report): wire.Report => ({
  runId: report.run,
  attempt: report.attempt,
  clientId: report.client,
  steps: report.steps.map(wireFromStep),
  end: wireFromEnd[report.end],
  atMs: report.at,
})

export const reportFromWire = (report: wire.Report): Report => ({
  run: id(runId, report.runId),
  attempt: count('attempt', report.attempt),
  client: id(clientId, report.clientId),
  steps: report.steps.map(stepFromWire),
  end: endFromWire(report.end),
  at: instant(count('at_ms', report.atMs)),
})

const wireFromStep = (step: StepReport): wire.StepReport => ({
  step: step.step,
  result: wireFromStepResult[step.result],
  reason: step.reason === undefined ? undefined : { ...step.reason },
  stats: step.stats === undefined ? undefined : { ...step.stats },
  saved: step.saved === undefined ? undefined : wireFromSaved(step.saved),
  itemErrors: step.itemErrors.map(wireFromItemError),
  itemErrorCount: step.itemErrorCount,
  startedAtMs: step.startedAt,
  endedAtMs: step.endedAt,
})

const stepFromWire = (step: wire.StepReport): StepReport => ({
  step: count('steps.step', step.step),
  result: resultFromWire(step.result),
  ...given({
    reason: step.reason && reasonFromWire('steps.reason', step.reason),
    stats: step.stats && statsFromWire(step.stats),
    saved: step.saved && savedFromWire(step.saved),
  }),
  itemErrors: step.itemErrors.map(itemErrorFromWire),
  itemErrorCount: count('steps.item_error_count', step.itemErrorCount),
  startedAt: instant(count('steps.started_at_ms', step.startedAtMs)),
  endedAt: instant(count('steps.ended_at_ms', step.endedAtMs)),
})

const statsFromWire = (stats: wire.Stats): Stats => ({
  durationMs: count('stats.duration_ms', stats.durationMs),
  ...given({
    filesNew: maybe(count, 'stats.files_new', stats.filesNew),
    filesChanged: maybe(count, 'stats.files_changed', stats.filesChanged),
    filesUnmodified: maybe(count, 'stats.files_unmodified', stats.filesUnmodified),
    bytesProcessed: maybe(count, 'stats.bytes_processed', stats.bytesProcessed),
    bytesAdded: maybe(count, 'stats.bytes_added', stats.bytesAdded),
    bytesStored: maybe(count, 'stats.bytes_stored', stats.bytesStored),
  }),
})

const wireFromSaved = ({ engineRef, engineVersion, paths, repositoryId = '' }: Saved): wire.Saved => ({
  engineRef,
  engineVersion,
  paths: [...paths],
  repositoryEngineId: repositoryId,
})

const savedFromWire = (saved: wire.Saved): Saved => ({
  engineRef: textOf(saved.engineRef) ?? refuse('saved.engine_ref is missing'),
  engineVersion: saved.engineVersion,
  paths: saved.paths,
  ...given({ repositoryId: textOf(saved.repositoryEngineId) }),
})

const wireFromItemError = (error: ItemError): wire.ItemError => ({
  path: bytesOf({ ...error, path: error.path ?? '' }),
  code: error.code ?? '',
  message: error.message,
})

const itemErrorFromWire = (error: wire.ItemError): ItemError => ({
  ...(error.path.length === 0 ? {} : pathOf(error.path)),
  ...given({ code: textOf(error.code) }),
  message: error.message,
})
