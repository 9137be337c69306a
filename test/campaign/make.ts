// Makes the schedules of a campaign by the API, each in the words of the API that it comes from, and changes them.
import { appendFileSync } from 'node:fs'
import path from 'node:path'
import { uuidOf } from '../../core/ids.ts'
import type { Rule } from './expected.ts'
import type { Schedule, Version } from './judge.ts'
import { dateOf, type Wanted, type Work } from './schedules.ts'
import type { Stage } from './stage.ts'

/** A schedule that was made, and where its jobs write. */
export interface Made {
  readonly wanted: Wanted
  /** The job's id or the session's, as runs and sets name it. */
  readonly id: string
  readonly units: readonly string[]
  readonly evidence: readonly string[]
  readonly versions: Version[]
}

/** What nobody asks to be there: a schedule is over then. */
const never = Number.MAX_SAFE_INTEGER

/** As long as the schedule may still change or be stopped. */
const openVersion = (rule: Rule, sent: number, from: number): Version => ({
  rule,
  // What it is made after has passed when it was.
  must: [Math.max(from, Date.now()), never],
  may: [sent, never],
})

/** Makes all of them; the first slot that has to be there is at `from`. */
export async function makeAll(stage: Stage, all: readonly Wanted[], from: number): Promise<Made[]> {
  const made: Made[] = []
  for (const wanted of all) made.push(await makeOne(stage, wanted, from))
  return made
}

function makeOne(stage: Stage, wanted: Wanted, from: number): Promise<Made> {
  switch (wanted.kind) {
    case 'job':
      return makeJob(stage, wanted, from)
    case 'session':
      return makeSession(stage, wanted, from)
    case 'qinling':
      return makeQinling(stage, wanted, from)
  }
}

async function makeJob(stage: Stage, wanted: Extract<Wanted, { kind: 'job' }>, from: number): Promise<Made> {
  const { id, node, rule, fields, firn, work = {}, count } = wanted
  const { clients } = stage.stack
  const units =
    typeof node === 'number'
      ? [clients[node] ?? '']
      : clients.filter((_, nth) => (nth % 2 === 0) === (node === 'even'))
  const more = { ...firn, ...(count === undefined ? {} : { count }) }
  const selector = typeof node === 'number' ? {} : { client_selector: { side: node } }
  const sent = Date.now()
  await stage.must('POST', `/v1/jobs/${id}`, {
    ...(typeof node === 'number' ? { client_id: units[0] } : {}),
    job_schedule: fields,
    job_actions: [actionOf(stage, id, work)],
    firn: { ...more, ...selector },
  })
  return { wanted, id, units, evidence: [evidenceOf(stage, id)], versions: [openVersion(rule, sent, from)] }
}

async function makeSession(
  stage: Stage,
  wanted: Extract<Wanted, { kind: 'session' }>,
  from: number,
): Promise<Made> {
  const { id, nodes, rule, fields } = wanted
  const sent = Date.now()
  await stage.must('POST', `/v1/sessions/${id}`, {
    schedule: fields,
    hold_off: 0,
    firn: { missing: 'degrade' },
  })
  const jobs = nodes.map((node) => `${id}-node-${node + 1}`)
  for (const [nth, node] of nodes.entries()) {
    const job = jobs[nth] ?? ''
    await stage.must('POST', `/v1/jobs/${job}`, {
      client_id: stage.stack.clients[node],
      job_actions: [actionOf(stage, job, {})],
      firn: { autostart: false },
    })
    await stage.must('PUT', `/v1/sessions/${id}/jobs/${job}`)
  }
  const evidence = jobs.map((job) => evidenceOf(stage, job))
  return { wanted, id, units: ['start'], evidence, versions: [openVersion(rule, sent, from)] }
}

async function makeQinling(
  stage: Stage,
  wanted: Extract<Wanted, { kind: 'qinling' }>,
  from: number,
): Promise<Made> {
  const { id, node, pattern, count } = wanted
  const client = stage.stack.clients[node] ?? ''
  const saved = await stage.must('POST', `/v1/actions/${id}`, actionOf(stage, id, {}))
  const sent = Date.now()
  const job = await stage.must('POST', '/qinling/v1/jobs', {
    ...{ name: id, function_id: uuidOf(saved.action_id), pattern },
    ...{ function_input: JSON.stringify({ client_id: client }) },
    ...(count === undefined ? {} : { count }),
  })
  const rule = { is: 'cron', pattern } as const
  const own = String(job.id).replaceAll('-', '')
  return {
    ...{ wanted, id: own, units: [client], evidence: [evidenceOf(stage, id)] },
    versions: [openVersion(rule, sent, from)],
  }
}

const evidenceOf = (stage: Stage, name: string): string => path.join(stage.evidence, name)

function actionOf(
  stage: Stage,
  name: string,
  { takes = 0.2, failsFirst = false, retries = 0 }: Work,
): object {
  const file = evidenceOf(stage, name)
  appendFileSync(file, '')
  const command = ['/bin/sh', stage.program, file, `${takes}`, ...(failsFirst ? ['fails-first'] : [])]
  return {
    freezer_action: { action: 'exec', command },
    ...{ max_retries: retries, max_retries_interval: 1, mandatory: true },
  }
}

/** Gives an interval job another interval, which counts from another instant on. Resolves when a server has done it. */
export async function changeInterval(stage: Stage, made: Made, from: number, seconds: number): Promise<void> {
  const sent = Date.now()
  const job_schedule = { schedule_interval: `${seconds} seconds`, schedule_start_date: dateOf(from) }
  await stage.must('PATCH', `/v1/jobs/${made.id}`, { job_schedule })
  end(made, sent, Date.now())
  const rule = { is: 'grid', from, everyMs: seconds * 1_000 } as const
  made.versions.push(openVersion(rule, sent, from))
}

/** Stops all schedules: from now on nothing more is due. */
export async function stopAll(stage: Stage, all: readonly Made[]): Promise<void> {
  for (const made of all) {
    const sent = Date.now()
    const { kind } = made.wanted
    if (kind === 'session') await stage.must('PATCH', `/v1/sessions/${made.id}`, { event: 'stop' })
    else await stage.must('POST', `/v1/jobs/${made.id}/event`, { stop: null })
    end(made, sent, Date.now())
  }
}

/** The newest version has to account for its slots until `sent`, and may have some until `done`. */
function end(made: Made, sent: number, done: number): void {
  const last = made.versions.pop()
  if (!last) return
  const [must, may] = [last.must[0], last.may[0]]
  // A slot may be under way while the change is.
  made.versions.push({ ...last, must: [must, Math.max(must, sent - 50)], may: [may, done] })
}

/** A clock that was ahead had slots claimed before their time. */
export const allowAhead = (made: readonly Made[], aheadMs: number): void => {
  for (const { versions } of made)
    for (const [nth, version] of versions.entries())
      versions[nth] = { ...version, may: [version.may[0], version.may[1] + aheadMs] }
}

/** As the judge takes it. */
export function scheduleOf({ wanted, id, units, versions }: Made): Schedule {
  if (wanted.kind === 'session') return { id, units, versions }
  const { count } = wanted
  const counted = count === undefined ? {} : { count }
  if (wanted.kind === 'qinling') return { id, units, versions, ...counted }
  const { jitterMs, isPlain, work } = wanted
  return {
    ...{ id, units, versions, ...counted, retries: work?.retries ?? 0 },
    ...(jitterMs === undefined ? {} : { jitterMs }),
    ...(isPlain === undefined ? {} : { isPlain }),
  }
}
