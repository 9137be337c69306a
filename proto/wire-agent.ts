import { clientId, projectId, runId } from '../core/ids.ts'
import type { Answer, EngineProbe, Hello, Held, Progress, TreeEntry } from '../core/link.ts'
import type * as wire from './gen/firn/v1/agent.ts'
import { bytesOf, count, given, id, maybe, measure, pathOf, present, refuse, textOf } from './strict.ts'
import { instancesFromWire, wireFromInstances } from './wire-instances.ts'
import { reasonFromWire } from './wire-order.ts'
import {
  entryTypeFromWire,
  heldStateFromWire,
  phaseFromWire,
  wireFromEntryType,
  wireFromHeldState,
  wireFromPhase,
} from './words.ts'

export const wireFromHello = (hello: Hello): wire.Hello => ({
  projectId: hello.project,
  clientId: hello.client,
  protocolFrom: hello.protocol.from,
  protocolTo: hello.protocol.to,
  version: hello.version,
  hostname: hello.hostname,
  os: hello.os,
  incarnation: hello.incarnation,
  engines: hello.engines.map(wireFromProbe),
  labels: { ...hello.labels },
  held: hello.held.map(({ run, attempt, state }) => ({
    runId: run,
    attempt,
    state: wireFromHeldState[state],
  })),
  slots: hello.slots,
  instances:
    hello.instances || hello.templates
      ? wireFromInstances({ instances: hello.instances ?? [], templates: hello.templates ?? [] })
      : undefined,
  autonomous: hello.autonomous ?? false,
  decided: hello.decided ?? false,
})

export function helloFromWire(hello: wire.Hello): Hello {
  const from = count('protocol_from', hello.protocolFrom)
  const to = count('protocol_to', hello.protocolTo)
  if (from > to) refuse('protocol_from is above protocol_to')
  return {
    client: id(clientId, hello.clientId),
    project: id(projectId, hello.projectId),
    protocol: { from, to },
    version: hello.version,
    hostname: hello.hostname,
    os: hello.os,
    incarnation: hello.incarnation,
    engines: hello.engines.map(probeFromWire),
    labels: { ...hello.labels },
    held: hello.held.map(heldFromWire),
    slots: count('slots', hello.slots),
    ...(hello.instances ? instancesFromWire(hello.instances) : {}),
    ...(hello.autonomous ? { autonomous: true as const } : {}),
    ...(hello.decided ? { decided: true as const } : {}),
  }
}

const heldFromWire = (held: wire.Held): Held => ({
  run: id(runId, held.runId),
  attempt: count('held.attempt', held.attempt),
  state: heldStateFromWire(held.state),
})

const wireFromProbe = (probe: EngineProbe): wire.EngineProbe => ({
  engine: probe.engine,
  available: probe.available,
  version: probe.version ?? '',
  capabilities: [...probe.capabilities],
  problems: [...probe.problems],
})

const probeFromWire = (probe: wire.EngineProbe): EngineProbe => ({
  engine: probe.engine,
  available: probe.available,
  ...given({ version: textOf(probe.version) }),
  capabilities: probe.capabilities,
  problems: probe.problems,
})

export const wireFromProgress = (progress: Progress): wire.Progress => ({
  runId: progress.run,
  attempt: progress.attempt,
  step: progress.step,
  phase: wireFromPhase[progress.phase],
  done: progress.done,
  total: progress.total,
  filesDone: progress.filesDone,
  filesTotal: progress.filesTotal,
  fraction: progress.fraction,
  bytesPerSecond: progress.bytesPerSecond,
  secondsLeft: progress.secondsLeft,
  errors: progress.errors,
  current: progress.current ?? '',
})

export const progressFromWire = (progress: wire.Progress): Progress => ({
  run: id(runId, progress.runId),
  attempt: count('attempt', progress.attempt),
  step: count('step', progress.step),
  phase: phaseFromWire(progress.phase),
  done: count('done', progress.done),
  errors: count('errors', progress.errors),
  ...given({
    total: maybe(count, 'total', progress.total),
    filesDone: maybe(count, 'files_done', progress.filesDone),
    filesTotal: maybe(count, 'files_total', progress.filesTotal),
    fraction: maybe(fraction, 'fraction', progress.fraction),
    bytesPerSecond: maybe(measure, 'bytes_per_second', progress.bytesPerSecond),
    secondsLeft: maybe(measure, 'seconds_left', progress.secondsLeft),
    current: textOf(progress.current),
  }),
})

const fraction = (field: string, value: number): number =>
  measure(field, value) <= 1 ? value : refuse(`${field} is above 1`)

export const wireFromAnswer = (answer: Answer): wire.Answer => ({
  id: answer.id,
  result: answer.ok
    ? { $case: 'entries', value: { entries: answer.entries.map(wireFromEntry), more: answer.more } }
    : { $case: 'failure', value: { ...answer.reason } },
})

export function answerFromWire(answer: wire.Answer): Answer {
  const result = present('answer.result', answer.result)
  if (result.$case === 'failure')
    return { id: answer.id, ok: false, reason: reasonFromWire('answer.failure', result.value) }
  return {
    id: answer.id,
    ok: true,
    entries: result.value.entries.map(entryFromWire),
    more: result.value.more,
  }
}

const wireFromEntry = (entry: TreeEntry): wire.TreeEntry => ({
  path: bytesOf(entry),
  type: wireFromEntryType[entry.type],
  size: entry.size,
  mode: entry.mode,
  mtime: entry.mtime,
})

const entryFromWire = (entry: wire.TreeEntry): TreeEntry => ({
  ...pathOf(entry.path),
  type: entryTypeFromWire(entry.type),
  size: count('entries.size', entry.size),
  mode: count('entries.mode', entry.mode),
  mtime: entry.mtime,
})
