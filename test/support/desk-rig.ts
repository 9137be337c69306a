// A desk with everything around it in memory: an engine that a script leads, a line and a publisher that write down what
// they are given, a journal that can be made to fail and be read again by a "later process", and a clock moved by hand.
import { instant } from '../../core/clock.ts'
import type { Action } from '../../core/action.ts'
import { Fault } from '../../core/fault.ts'
import {
  actionId,
  clientId,
  jobId,
  projectId,
  repositoryId,
  runId,
  sessionId,
  sessionSlot,
  slotAt,
} from '../../core/ids.ts'
import { epoch, type Order, type ToServer } from '../../core/link.ts'
import type { Report, Task } from '../../core/run.ts'
import type { Engine, EngineEnd, EngineEvent, EngineTask } from '../../agent/ports/engine.ts'
import type { Events } from '../../agent/ports/events.ts'
import type { Journal, JournalEntry } from '../../agent/ports/journal.ts'
import type { Capacity, Policy } from '../../agent/ports/policy.ts'
import type { Databases } from '../../agent/ports/databases.ts'
import { Announcer } from '../../agent/work/announcer.ts'
import { Asks } from '../../agent/work/asks.ts'
import { Book } from '../../agent/work/book.ts'
import { Desk } from '../../agent/work/desk.ts'
import { emptyState, foldEntries, type JournalState } from '../../agent/work/journal-state.ts'
import { Outbox } from '../../agent/work/outbox.ts'
import { Probes } from '../../agent/work/probes.ts'
import { memoryDatabases } from './databases.ts'
import { eventually } from './eventually.ts'
import { manualClock, type ManualClock } from './manual-clock.ts'

export type Said = Exclude<ToServer, { type: 'hello' | 'beat' }>

export const execAction = (...command: string[]): Action => ({
  do: 'exec',
  engine: 'exec',
  commands: [command.length > 0 ? command : ['/bin/true']],
  timeLimitMs: 60_000,
  limits: {},
})

export const backupAction = (...paths: string[]): Action => ({
  do: 'backup',
  engine: 'restic',
  backupName: 'home',
  paths: paths.length > 0 ? paths : ['/srv/data'],
  excludes: [],
  oneFileSystem: false,
  onUnreadable: 'partial',
  levels: { noIncremental: false },
  repository: { is: 'default' },
  limits: {},
})

export const taskOf = (action: Action, more: Partial<Task> = {}): Task => ({
  actionId: actionId('a1'),
  action,
  maxRetries: 0,
  retryAfterMs: 0,
  mandatory: false,
  ...(action.do === 'exec' ? {} : { repository: repositoryId('repo') }),
  ...more,
})

/** An order for one exec action, unless told otherwise. */
export function orderOf(more: Partial<Order> = {}): Order {
  const tasks = more.tasks ?? [taskOf(execAction())]
  return {
    run: runId('r1'),
    project: projectId('p'),
    job: jobId('j'),
    client: clientId('node-a'),
    slot: slotAt(1),
    attempt: 1,
    epoch: epoch(7),
    before: tasks.map(() => ({ tries: 0 })),
    repositories: [
      { id: repositoryId('repo'), engine: 'restic', location: '/backup/repo', password: 'very-secret' },
    ],
    hold: false,
    answerBy: instant(1_900_000_060_000),
    runMs: 3_600_000,
    ...more,
    tasks,
  }
}

export const heldOrder = (more: Partial<Order> = {}): Order =>
  orderOf({
    hold: true,
    session: { id: sessionId('s'), tag: 3 },
    slot: sessionSlot(sessionId('s'), 3),
    ...more,
  })

/** One call of an engine, led by the test. */
export interface Call {
  readonly task: EngineTask
  readonly signal: AbortSignal
  say(event: Exclude<EngineEvent, EngineEnd>): void
  end(how: Partial<EngineEnd>): void
}

/** Steps run until the test ends them; a stopped one ends as `aborted` by itself, like a real tool. */
export class ScriptedEngine implements Engine {
  readonly name: string
  readonly does: readonly Action['do'][]
  readonly calls: Call[] = []
  readonly cleaned: string[] = []
  available = true
  probes = 0

  constructor(name: string, does: readonly Action['do'][]) {
    this.name = name
    this.does = does
  }

  async probe() {
    this.probes++
    return { engine: this.name, available: this.available, capabilities: [], problems: [] }
  }

  async *run(task: EngineTask, context: { readonly signal: AbortSignal }): AsyncGenerator<EngineEvent> {
    const queue: EngineEvent[] = []
    let wake = Promise.withResolvers<void>()
    const push = (event: EngineEvent): void => {
      queue.push(event)
      wake.resolve()
    }
    const end = (how: Partial<EngineEnd>): void =>
      push({ type: 'end', result: 'success', retryable: false, ...how })
    this.calls.push({ task, signal: context.signal, say: push, end })
    const stopped = (): void => end({ result: 'aborted' })
    if (context.signal.aborted) stopped()
    else context.signal.addEventListener('abort', stopped, { once: true })
    for (;;) {
      for (let event = queue.shift(); event; event = queue.shift()) {
        yield event
        if (event.type === 'end') return
      }
      await wake.promise
      wake = Promise.withResolvers<void>()
    }
  }

  async browse() {
    return { entries: [], more: false }
  }

  async cleanUp(repository: { readonly id: string }) {
    this.cleaned.push(repository.id)
  }
}

/** Keeps what it is given, unless the disk is full. */
export class MemoryJournal implements Journal {
  entries: JournalEntry[] = []
  full = false
  /** What the owner holds: a repair writes it. */
  snapshot: () => JournalEntry[] = () => []

  async append(entry: JournalEntry): Promise<void> {
    await Promise.resolve()
    this.note(entry)
  }

  note(entry: JournalEntry): void {
    if (this.full) throw new Fault('busy', 'the journal cannot be written')
    this.entries.push(structuredClone(entry))
  }

  async repair(): Promise<void> {
    if (this.full) throw new Fault('busy', 'the journal cannot be written')
    this.entries = this.snapshot().map((entry) => structuredClone(entry))
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

export interface RigOptions {
  readonly capacity?: Partial<Capacity>
  readonly policy?: Partial<Policy>
  readonly databases?: Databases
  /** More engines than exec and restic. */
  readonly engines?: readonly Engine[]
  readonly clock?: ManualClock
  /** What an earlier process left. */
  readonly journal?: MemoryJournal
}

export function deskRig(options: RigOptions = {}) {
  const clock = options.clock ?? manualClock()
  const journal = options.journal ?? new MemoryJournal()
  const said: Said[] = []
  const published: Report[] = []
  const events: { event: keyof Events }[] = []
  const world = {
    /** Whether a line is open. */
    online: true,
    /** Whether NATS answers. */
    feed: true,
    /** The server's monotonic clock runs so much ahead of ours. Microseconds; undefined: not measured. */
    offsetUs: 5_000_000 as number | undefined,
  }
  const record = (event: keyof Events, fields: object): void => {
    if (event === 'bug') throw new Error('a bug was recorded', { cause: fields })
    events.push({ event, ...fields })
  }
  const line = {
    send(message: Said): boolean {
      if (world.online) said.push(message)
      return world.online
    },
    toServerUs: (us: number) =>
      world.offsetUs === undefined ? undefined : { us: us + world.offsetUs, errorUs: 200 },
    toLocalUs: (us: number) =>
      world.offsetUs === undefined ? undefined : { us: us - world.offsetUs, errorUs: 200 },
  }
  const publisher = {
    async publish(_job: unknown, report: Report): Promise<void> {
      if (!world.feed) throw new Fault('feed_down', 'NATS is away')
      published.push(report)
    },
    log: () => undefined,
    connected: () => world.feed,
    async [Symbol.asyncDispose]() {},
  }
  const exec = new ScriptedEngine('exec', ['exec'])
  const restic = new ScriptedEngine('restic', ['backup', 'restore', 'verify', 'forget'])
  const all = [exec, restic, ...(options.engines ?? [])]
  const engines = new Map<string, Engine>(all.map((engine) => [engine.name, engine]))
  const state: JournalState = journal.entries.length > 0 ? foldEntries(journal.entries) : emptyState()
  const book = new Book(state, journal, clock, record)
  const outbox = new Outbox(
    publisher,
    { ended: (run, attempt) => void line.send({ type: 'ended', run, attempt }) },
    clock,
    record,
  )
  const probes = new Probes(engines, clock)
  const policy: Policy = {
    paths: ['/srv'],
    targets: ['/restore'],
    repositories: ['/backup'],
    commands: 'any',
    ...options.policy,
  }
  const databases = options.databases ?? memoryDatabases()
  const announcer = new Announcer({
    ...{ databases, clock, datastores: [], record },
    send: (announced) => line.send({ type: 'instances', ...announced }),
  })
  const realPaths = async (paths: readonly string[]) => new Map(paths.map((it) => [it, it] as const))
  const life = new AbortController()
  const asks = new Asks({ engines, policy, clock, signal: life.signal, engineDir: () => '/tmp', realPaths })
  const desk = new Desk({
    ...{ book, outbox, probes, asks, engines, publisher, clock, record, realPaths, policy },
    ...{ databases, announcer },
    project: projectId('p'),
    client: clientId('node-a'),
    autonomy: { enabled: true, graceMs: 30_000 },
    capacity: { parallel: 2, light: 4, queue: 10, limits: {}, ...options.capacity },
    stallMs: 600_000,
    runLogs: {
      open: () => ({ write: () => undefined, [Symbol.dispose]: () => undefined }),
      async [Symbol.asyncDispose]() {},
    },
    line: () => line,
    engineDir: () => '/tmp',
    about: { version: '0', hostname: 'node-a', os: 'test', incarnation: 'i', labels: {} },
  })
  const rig = {
    ...{ desk, book, outbox, clock, journal, said, published, events, world, exec, restic },
    /** Hands over an order. */
    order(more: Partial<Order> = {}): Order {
      const order = orderOf(more)
      desk.received({ type: 'order', order })
      return order
    },
    /** Until everything that can happen without time passing has happened. */
    async settle(): Promise<void> {
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
    },
    /** The n-th call of an engine, once it is made. */
    call: (engine: ScriptedEngine, n = 0): Promise<Call> => eventually(() => engine.calls[n]),
    /** What was said of a kind. */
    of: <T extends Said['type']>(type: T) =>
      said.filter((message): message is Extract<Said, { type: T }> => message.type === type),
    async [Symbol.asyncDispose]() {
      life.abort()
      await outbox[Symbol.asyncDispose]()
      await book[Symbol.asyncDispose]()
    },
  }
  return rig
}

export type Rig = ReturnType<typeof deskRig>
