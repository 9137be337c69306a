// One of each message of the line, with every field set, and a conversation of an agent that does one order. Plain values:
// they are encoded by the release that is recorded.
import type { ToAgent, ToServer } from '../../core/link.ts'
import type { Report } from '../../core/run.ts'

const run = 'r1'
const attempt = { run, attempt: 1 }
const why = { code: 'cancelled', text: 'somebody asked for it' }
const datastore = { type: 'sqlite', version: '3' }
const repository = {
  ...{ id: 'repo', engine: 'restic', location: '/srv/repo', password: 'known to tests only' },
  expectedId: 'abc123',
}
const exec = { do: 'exec', engine: 'exec', commands: [['/bin/true']], timeLimitMs: 60_000, limits: {} }
const backup = {
  ...{ do: 'backup', engine: 'restic', backupName: 'home', paths: ['/srv/data'], excludes: ['*.tmp'] },
  ...{ oneFileSystem: true, onUnreadable: 'partial', levels: { noIncremental: false, maxLevel: 3 } },
  ...{
    repository: { is: 'default' },
    limits: { uploadKiBs: 1_024, nice: 10, ioClass: 'best-effort', ioLevel: 7 },
  },
}
const restore = {
  ...{ do: 'restore', engine: 'restic', from: { is: 'backup', id: 'b1' }, include: ['/srv/data/a'] },
  ...{ target: '/tmp/restored', overwrite: false, repository: { is: 'default' }, limits: {} },
}
const verify = { do: 'verify', engine: 'restic', scope: 'data', part: { n: 1, of: 4 } }
const more = { repository: { is: 'default' }, limits: {} }
const forget = { do: 'forget', engine: 'restic', backups: ['b1'], free: true, ...more }
const parent = { backup: 'b1', engineRef: 'ref1' }
const task = { maxRetries: 2, retryAfterMs: 60_000, mandatory: true, repository: 'repo' }
const tasks = [
  { ...task, actionId: 'a1', action: backup, level: 1, parent },
  { ...task, actionId: 'a2', action: restore, sources: [parent] },
  { ...task, actionId: 'a3', action: { ...verify, ...more } },
  { ...task, actionId: 'a4', action: forget, sources: [parent] },
  { ...{ maxRetries: 0, retryAfterMs: 0, mandatory: false }, actionId: 'a5', action: exec },
]
const order = {
  ...{ ...attempt, project: 'p', job: 'j', client: 'node-a', slot: 'session:s:3', epoch: 7 },
  ...{ session: { id: 's', tag: 3 }, hold: true, answerBy: 4_000_000_000_000, runMs: 3_600_000 },
  repositories: [repository],
}
const results = ['success', 'partial', 'failed', 'aborted', 'lost']

const toAgent = [
  { type: 'welcome', server: 's-1', protocol: 1, beatMs: 5_000, silenceMs: 15_000 },
  {
    type: 'order',
    order: { ...order, tasks, before: tasks.map((_, i) => ({ tries: i, result: results[i] })) },
  },
  { type: 'go', ...attempt, atUs: 123_456_789, epoch: 7 },
  { type: 'cancel', ...attempt, why, epoch: 7 },
  { type: 'committed', ...attempt },
  {
    type: 'clock',
    reading: { sequence: 3, agentSentUs: 1_000, serverReceivedUs: 2_000, serverSentUs: 2_100 },
  },
  { type: 'drain', withinMs: 5_000 },
  {
    type: 'ask',
    ask: { id: 'q1', about: 'browse', repository, engineRef: 'ref1', path: '/srv/dätä', limit: 100 },
  },
  { type: 'renewed', certificate: 'CERT', ca: 'CA', natsCredentials: 'CREDS' },
  { type: 'servers', addresses: ['10.0.0.1:9091', '10.0.0.2:9091'] },
]

const instances = [
  { key: 'orders', name: 'Orders', datastore, up: false, problem: 'it is locked', bytes: 4_096 },
]
const templates = [{ name: 'spare', datastore }]
const hello = {
  ...{ client: 'node-a', project: 'p', protocol: { from: 1, to: 1 }, version: '0.1.0', hostname: 'host' },
  ...{ os: 'linux', incarnation: 'i1', labels: { rack: 'r1' }, slots: 2, instances, templates },
  engines: [
    { engine: 'restic', available: true, version: '0.18.0', capabilities: ['browse'], problems: [] },
    { engine: 'sqlite', available: false, capabilities: [], problems: ['it is not there'] },
  ],
  held: ['armed', 'running', 'ended'].map((state, i) => ({ run: `r${i}`, attempt: i + 1, state })),
}
const phases = ['prepare', 'scan', 'transfer', 'commit', 'verify', 'cleanup']
const entry = { path: '/srv/a', type: 'file', size: 5, mode: 0o644, mtime: '2027-01-15T12:00:00Z' }
const entries = [
  ...['file', 'dir', 'symlink', 'other'].map((type) => ({ ...entry, type })),
  { ...entry, path: '/srv/\ufffd', pathBase64: 'L3Nydi//' },
]

const toServer = [
  { type: 'hello', hello },
  { type: 'beat', sequence: 3, agentSentUs: 1_000, running: 2 },
  { type: 'accepted', ...attempt, armed: true },
  { type: 'refused', ...attempt, reason: { code: 'unsupported', text: 'no such engine' }, final: true },
  { type: 'started', ...attempt, started: { serverUs: 123_456_800, errorUs: 90 } },
  { type: 'absent', ...attempt },
  ...phases.map((phase, step) => ({
    type: 'progress',
    progress: {
      ...{ ...attempt, step, phase, done: 10, total: 20, filesDone: 1, filesTotal: 2, fraction: 0.5 },
      ...{ bytesPerSecond: 1.5, secondsLeft: 7, errors: 1, current: '/srv/data/a' },
    },
  })),
  { type: 'ended', ...attempt },
  { type: 'answer', answer: { id: 'q1', ok: true, entries, more: true } },
  { type: 'answer', answer: { id: 'q2', ok: false, reason: { code: 'not_found', text: 'no such path' } } },
  { type: 'renew', csr: 'CSR' },
  { type: 'instances', instances, templates },
  { type: 'bye', reason: 'the agent stops' },
]

const step = { itemErrors: [], itemErrorCount: 0, startedAt: 1_800_000_000_000, endedAt: 1_800_000_001_000 }
const stats = { durationMs: 1_000 }
const report = (of: { run: string; attempt: number }) => ({
  ...{ ...of, client: 'node-a', end: 'ended', at: 1_800_000_001_000 },
  steps: [{ ...step, step: 0, result: 'success', stats }],
})

/** What an agent says that does the order of a run called `of`; and what a server says to it. */
const talk = (of: string) => {
  const done = { run: of, attempt: 1 }
  const progress = { ...done, step: 0, phase: 'transfer', done: 1, errors: 0 }
  return {
    agent: [
      { type: 'hello', hello: { ...hello, held: [] } },
      { type: 'beat', sequence: 1, agentSentUs: 1_000, running: 0 },
      { type: 'accepted', ...done, armed: false },
      { type: 'started', ...done, started: { serverUs: 5_000, errorUs: 100 } },
      { type: 'progress', progress },
      { type: 'ended', ...done },
      { type: 'bye', reason: 'the agent stops' },
    ],
    report: report(done),
    server: [
      toAgent[0],
      { type: 'servers', addresses: ['10.0.0.1:9091'] },
      {
        type: 'order',
        order: {
          ...{ ...order, run: of, session: undefined, slot: 'manual:u1:recorded', hold: false },
          ...{ tasks: [tasks.at(-1)], before: [{ tries: 0 }], repositories: [] },
        },
      },
      { type: 'committed', ...done },
      { type: 'cancel', run: 'never-seen', attempt: 1, why, epoch: 7 },
    ],
  }
}

/** The values to record. `of`: the id of the run that the conversation is about. */
export const samplesOf = (of: string) =>
  ({ toAgent, toServer, report: report(attempt), talk: talk(of) }) as unknown as {
    readonly toAgent: readonly ToAgent[]
    readonly toServer: readonly ToServer[]
    readonly report: Report
    readonly talk: {
      readonly agent: readonly ToServer[]
      readonly server: readonly ToAgent[]
      readonly report: Report
    }
  }
