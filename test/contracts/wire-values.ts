import fc, { type Arbitrary } from 'fast-check'
import type { Action } from '../../core/action.ts'
import type { Decided, JobPlan, PlannedSchedule, SlotList } from '../../core/autonomy.ts'
import { instant } from '../../core/clock.ts'
import {
  actionId,
  backupId,
  clientId,
  jobId,
  projectId,
  repositoryId,
  runId,
  sessionId,
  slot,
} from '../../core/ids.ts'
import type { InstanceProbe } from '../../core/instance.ts'
import { epoch, type Answer, type Order, type ToAgent, type ToServer } from '../../core/link.ts'
import { catchUps, overlaps, type StartPolicies } from '../../core/policy.ts'
import { skipReasons, type Skip } from '../../core/skip.ts'
import type { ItemError, Report, StepReport, Task } from '../../core/run.ts'

/*
 * Any value that core allows, for round trips. Optional texts are absent or not empty, for an empty text is how the wire
 * says "absent"; optional keys are absent rather than undefined.
 */

const text = fc.string({ unit: 'grapheme', maxLength: 20 })
const someText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
const count = fc.maxSafeNat()
const small = fc.nat(0xffffffff)
const measure = fc.double({ min: 0, max: 1e15, noNaN: true }).map((n) => n + 0)
/** One that has a date. */
const at = fc.integer({ min: 0, max: 8_640_000_000_000_000 }).map(instant)
const idText = fc.stringMatching(/^[\w-]{1,64}$/)
const client = fc.stringMatching(/^[a-z][a-z0-9]{0,9}(\.[a-z0-9]{1,5})?$/).map(clientId)
const run = idText.map(runId)
const anEpoch = count.map(epoch)
const reason = fc.record({ code: text, text })
const attempt = { run, attempt: small }

/** A record whose keys `maybe` may be absent. */
const some = <T extends object, K extends keyof T>(
  model: { [P in keyof T]: Arbitrary<Exclude<T[P], undefined>> },
  ...maybe: K[]
): Arbitrary<T> =>
  fc.record(model as { [P in keyof T]: Arbitrary<T[P]> }, {
    requiredKeys: (Object.keys(model) as K[]).filter((key) => !maybe.includes(key)) as never[],
  }) as unknown as Arbitrary<T>

/** Paths as text, or as bytes that no text can hold. */
const path = fc.oneof(
  someText.map((path) => ({ path })),
  fc
    .uint8Array({ minLength: 0, maxLength: 6 })
    .map((tail) => Buffer.from([0x2f, 0xff, ...tail]))
    .map((bytes) => ({ path: new TextDecoder().decode(bytes), pathBase64: bytes.toString('base64') })),
)

type Limits = Action['limits']
const limits: Arbitrary<Limits> = some<Limits, keyof Limits>(
  {
    uploadKiBs: count,
    downloadKiBs: count,
    nice: fc.nat(19),
    ioClass: fc.constantFrom('idle', 'best-effort'),
    ioLevel: fc.nat(7),
  },
  'uploadKiBs',
  'downloadKiBs',
  'nice',
  'ioClass',
  'ioLevel',
)
const repository = fc.oneof(
  fc.constant({ is: 'default' as const }),
  fc.record({ is: fc.constant('named' as const), id: idText.map(repositoryId) }),
  fc.record({ is: fc.constant('place' as const), storage: fc.constant('local' as const), container: text }),
)
const parent = fc.record({ backup: idText.map(backupId), engineRef: text })

type Do<W extends Action['do']> = Extract<Action, { do: W }>
const levels = some<Do<'backup'>['levels'], 'maxLevel' | 'alwaysLevel' | 'restartAlwaysLevelDays'>(
  { noIncremental: fc.boolean(), maxLevel: small, alwaysLevel: small, restartAlwaysLevelDays: small },
  'maxLevel',
  'alwaysLevel',
  'restartAlwaysLevelDays',
)
const from = fc.oneof(
  fc.record({ is: fc.constant('backup' as const), id: idText.map(backupId) }),
  some<Extract<Do<'restore'>['from'], { is: 'series' }>, 'hostname' | 'notAfter'>(
    { is: fc.constant('series'), backupName: text, hostname: text, notAfter: count },
    'hostname',
    'notAfter',
  ),
)

const action: Arbitrary<Action> = fc.oneof(
  fc.record<Do<'backup'>>({
    do: fc.constant('backup'),
    engine: text,
    backupName: text,
    paths: fc.array(text),
    excludes: fc.array(text),
    oneFileSystem: fc.boolean(),
    onUnreadable: fc.constantFrom('partial', 'fail'),
    levels,
    repository,
    limits,
  }),
  fc.record<Do<'restore'>>({
    do: fc.constant('restore'),
    engine: text,
    from,
    include: fc.array(text),
    target: text,
    overwrite: fc.boolean(),
    repository,
    limits,
  }),
  some<Do<'verify'>, 'part'>(
    {
      do: fc.constant('verify'),
      engine: text,
      scope: fc.constantFrom('structure', 'data'),
      part: fc.record({ n: small, of: small }),
      repository,
      limits,
    },
    'part',
  ),
  fc.record<Do<'forget'>>({
    do: fc.constant('forget'),
    engine: text,
    backups: fc.array(idText.map(backupId)),
    repository,
    limits,
  }),
  fc.record<Do<'exec'>>({
    do: fc.constant('exec'),
    engine: fc.constant('exec'),
    commands: fc.array(fc.array(text)),
    timeLimitMs: count,
    limits,
  }),
)

export const task: Arbitrary<Task> = some<Task, 'repository' | 'level' | 'parent' | 'sources' | 'refusal'>(
  {
    actionId: idText.map(actionId),
    action,
    maxRetries: small,
    retryAfterMs: count,
    mandatory: fc.boolean(),
    repository: idText.map(repositoryId),
    level: small,
    parent,
    sources: fc.array(parent),
    refusal: reason,
  },
  'repository',
  'level',
  'parent',
  'sources',
  'refusal',
)

const access = some<Order['repositories'][number], 'expectedId'>(
  { id: idText.map(repositoryId), engine: text, location: text, password: text, expectedId: someText },
  'expectedId',
)
const result = fc.constantFrom('success', 'partial', 'failed', 'aborted', 'lost')
const before = some<Order['before'][number], 'result'>(
  { tries: small, result: fc.oneof(result, fc.constant('skipped' as const)) },
  'result',
)

export const order: Arbitrary<Order> = fc.array(fc.tuple(task, before), { maxLength: 3 }).chain((steps) =>
  some<Order, 'session'>(
    {
      ...attempt,
      project: idText.map(projectId),
      job: idText.map(jobId),
      client,
      slot: fc.constantFrom('at:0', 'manual:x', 'session:s:1').map(slot),
      session: fc.record({ id: idText.map(sessionId), tag: count }),
      epoch: anEpoch,
      tasks: fc.constant(steps.map(([task]) => task)),
      before: fc.constant(steps.map(([, before]) => before)),
      repositories: fc.array(access, { maxLength: 2 }),
      hold: fc.boolean(),
      answerBy: at,
      runMs: count,
    },
    'session',
  ),
)

const type = <T extends string>(type: T) => ({ type: fc.constant(type) })

/** One for each message: a message that is new does not compile until there is a way to make it. */
type ByType<M extends { readonly type: string }> = {
  [T in M['type']]: Arbitrary<Extract<M, { readonly type: T }>>
}

const schedule = some<PlannedSchedule, 'claimed' | 'left'>(
  {
    next: at,
    claimed: at,
    left: count,
    failures: count,
    slots: fc.oneof(
      some<Extract<SlotList, { is: 'interval' }>, 'from' | 'until'>(
        { is: fc.constant('interval' as const), everyMs: count, from: at, until: at },
        'from',
        'until',
      ),
      some<Extract<SlotList, { is: 'continuous' }>, 'from' | 'until'>(
        { is: fc.constant('continuous' as const), from: at, until: at },
        'from',
        'until',
      ),
      fc.record({ is: fc.constant('listed' as const), at: fc.array(at) }),
    ),
    policies: some<StartPolicies, 'startDeadlineMs' | 'pauseAfterFailures'>(
      {
        catchUp: fc.constantFrom(...catchUps),
        catchUpMax: count,
        overlap: fc.constantFrom(...overlaps),
        jitterMs: count,
        startDeadlineMs: count,
        pauseAfterFailures: count,
      },
      'startDeadlineMs',
      'pauseAfterFailures',
    ),
    excluded: fc.array(fc.record({ from: at, to: at })),
  },
  'claimed',
  'left',
)

const aboutJob = { sequence: count, job: idText.map(jobId) }

const plan: Arbitrary<JobPlan> = order.chain(({ tasks, repositories }) =>
  fc.record({
    ...aboutJob,
    generation: count,
    now: at,
    schedule,
    tasks: fc.constant(tasks),
    repositories: fc.constant(repositories),
    runMs: count,
    ticket: text,
  }),
)

const toAgentByType: ByType<ToAgent> = {
  welcome: fc.record({ ...type('welcome'), server: text, protocol: small, beatMs: small, silenceMs: small }),
  order: fc.record({ ...type('order'), order }),
  go: fc.record({ ...type('go'), ...attempt, atUs: count, epoch: anEpoch }),
  cancel: fc.record({ ...type('cancel'), ...attempt, why: reason, epoch: anEpoch }),
  committed: fc.record({ ...type('committed'), ...attempt }),
  clock: fc.record({
    ...type('clock'),
    reading: fc.record({
      sequence: count,
      agentSentUs: count,
      serverReceivedUs: count,
      serverSentUs: count,
    }),
  }),
  drain: fc.record({ ...type('drain'), withinMs: small }),
  ask: fc.record({
    ...type('ask'),
    ask: fc.record({
      id: text,
      about: fc.constant('browse' as const),
      repository: access,
      engineRef: text,
      path: text,
      limit: small,
    }),
  }),
  plan: fc.record({ ...type('plan'), plan }),
  unplan: fc.record({ ...type('unplan'), ...aboutJob }),
  noted: fc.record({ ...type('noted'), sequence: count }),
  servers: fc.record({ ...type('servers'), addresses: fc.array(text) }),
  renewed: fc.record({ ...type('renewed'), certificate: text, ca: text, natsCredentials: text }),
}
export const toAgent: Arbitrary<ToAgent> = fc.oneof(...Object.values(toAgentByType))

type Hello = Extract<ToServer, { type: 'hello' }>['hello']
type Progress = Extract<ToServer, { type: 'progress' }>['progress']
type Entry = Extract<Answer, { ok: true }>['entries'][number]

const hello: Arbitrary<Hello> = fc.record({
  project: idText.map(projectId),
  client,
  protocol: fc.tuple(fc.nat(9), fc.nat(9)).map(([from, more]) => ({ from, to: from + more })),
  version: text,
  hostname: text,
  os: text,
  incarnation: text,
  engines: fc.array(
    some<Hello['engines'][number], 'version'>(
      {
        engine: text,
        available: fc.boolean(),
        version: someText,
        capabilities: fc.array(text),
        problems: fc.array(text),
      },
      'version',
    ),
  ),
  labels: fc.dictionary(
    text.filter((key) => key !== '__proto__'),
    text,
    { noNullPrototype: true },
  ),
  held: fc.array(fc.record({ ...attempt, state: fc.constantFrom('armed', 'running', 'ended') })),
  slots: small,
})

const progress = some<
  Progress,
  'total' | 'filesDone' | 'filesTotal' | 'fraction' | 'bytesPerSecond' | 'secondsLeft' | 'current'
>(
  {
    ...attempt,
    step: small,
    phase: fc.constantFrom('prepare', 'scan', 'transfer', 'commit', 'verify', 'cleanup'),
    done: count,
    total: count,
    filesDone: count,
    filesTotal: count,
    fraction: fc.double({ min: 0, max: 1, noNaN: true }).map((n) => n + 0),
    bytesPerSecond: measure,
    secondsLeft: measure,
    errors: small,
    current: someText,
  },
  'total',
  'filesDone',
  'filesTotal',
  'fraction',
  'bytesPerSecond',
  'secondsLeft',
  'current',
)

const entry: Arbitrary<Entry> = fc
  .record({
    type: fc.constantFrom('file', 'dir', 'symlink', 'other'),
    size: count,
    mode: fc.nat(0o7777),
    mtime: text,
  })
  .chain((rest) => path.map((path) => ({ ...path, ...rest })))

const answer: Arbitrary<Answer> = fc.oneof(
  fc.record({ id: text, ok: fc.constant(true as const), entries: fc.array(entry), more: fc.boolean() }),
  fc.record({ id: text, ok: fc.constant(false as const), reason }),
)

const key = fc.stringMatching(/^[\w.-]{1,64}$/)
const datastore = fc.record({ type: key, version: key })
const instances = {
  instances: fc.uniqueArray(
    some<InstanceProbe, 'problem' | 'bytes'>(
      { key, name: text, datastore, up: fc.boolean(), problem: someText, bytes: count },
      'problem',
      'bytes',
    ),
    { selector: (probe) => probe.key, maxLength: 3 },
  ),
  templates: fc.array(fc.record({ name: key, datastore }), { maxLength: 3 }),
}

const skip = some<Skip, 'more'>(
  { from: at, to: at, count, more: fc.constant(true as const), reason: fc.constantFrom(...skipReasons) },
  'more',
)

const decided: Arbitrary<Decided> = fc.record({
  ...aboutJob,
  generation: count,
  ticket: text,
  upTo: at,
  runs: fc.array(fc.record({ run, slot: at, at }), { maxLength: 3 }),
  skips: fc.array(skip, { maxLength: 3 }),
})

const toServerByType: ByType<ToServer> = {
  hello: fc.record({ ...type('hello'), hello }),
  beat: fc.record({ ...type('beat'), sequence: count, agentSentUs: count, running: small }),
  accepted: fc.record({ ...type('accepted'), ...attempt, armed: fc.boolean() }),
  refused: fc.record({ ...type('refused'), ...attempt, reason, final: fc.boolean() }),
  started: fc.record({
    ...type('started'),
    ...attempt,
    started: fc.record({ serverUs: count, errorUs: count }),
  }),
  absent: fc.record({ ...type('absent'), ...attempt }),
  progress: fc.record({ ...type('progress'), progress }),
  ended: fc.record({ ...type('ended'), ...attempt }),
  answer: fc.record({ ...type('answer'), answer }),
  renew: fc.record({ ...type('renew'), csr: text }),
  instances: fc.record({ ...type('instances'), ...instances }),
  planned: fc.record({ ...type('planned'), ...aboutJob }),
  decided: fc.record({ ...type('decided'), decided }),
  settled: fc.record({ ...type('settled'), sequence: count }),
  bye: fc.record({ ...type('bye'), reason: text }),
}
export const toServer: Arbitrary<ToServer> = fc.oneof(...Object.values(toServerByType))

type Stats = NonNullable<StepReport['stats']>
const stats = some<Stats, Exclude<keyof Stats, 'durationMs'>>(
  {
    filesNew: count,
    filesChanged: count,
    filesUnmodified: count,
    bytesProcessed: count,
    bytesAdded: count,
    bytesStored: count,
    durationMs: count,
  },
  'filesNew',
  'filesChanged',
  'filesUnmodified',
  'bytesProcessed',
  'bytesAdded',
  'bytesStored',
)
const itemError: Arbitrary<ItemError> = fc
  .tuple(
    fc.option(path, { nil: {} }),
    some<ItemError, 'code'>({ code: someText, message: text } as never, 'code'),
  )
  .map(([path, rest]) => ({ ...path, ...rest }))

const step = some<StepReport, 'reason' | 'stats' | 'saved'>(
  {
    step: small,
    result,
    reason,
    stats,
    saved: fc.record(
      { engineRef: someText, engineVersion: text, paths: fc.array(text), repositoryId: someText },
      { requiredKeys: ['engineRef', 'engineVersion', 'paths'] },
    ),
    itemErrors: fc.array(itemError, { maxLength: 3 }),
    itemErrorCount: count,
    startedAt: at,
    endedAt: at,
  },
  'reason',
  'stats',
  'saved',
)

export const report: Arbitrary<Report> = fc.record({
  ...attempt,
  client,
  steps: fc.array(step, { maxLength: 3 }),
  end: fc.constantFrom('ended', 'retry', 'interrupted', 'aborted'),
  at,
})
