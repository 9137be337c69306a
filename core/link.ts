import type { RepositoryAccess } from './access.ts'
import type { Decided, JobPlan } from './autonomy.ts'
import type { Instant } from './clock.ts'
import type { InstanceProbe, InstanceTemplate } from './instance.ts'
import type { ClientId, JobId, ProjectId, RunId, SessionId, Slot } from './ids.ts'
import type { Reason, StepReport, Task } from './run.ts'

export type { RepositoryAccess } from './access.ts'

/**
 * What travels between a server and an agent, as core values: `proto/wire.ts` turns them into messages and back. The
 * protocol itself (order of messages, who answers what) is told in proto/firn/v1/agent.proto.
 */

/** The newest version of the line's protocol that this release speaks. */
export const protocolNow = 2
/** The oldest one. Peers of two releases meet while servers and agents are updated: both state their range, the server chooses. */
export const protocolOldest = 1

/**
 * The name that agents ask of every server's certificate, whatever address it is reached at: all servers are alike, and
 * addresses change (balancers, NAT) without anybody's leave.
 */
export const serverTlsName = 'firn-server'

/** The fencing number: create_revision of the leader's key in etcd. It only grows. */
export type Epoch = number & { readonly __epoch: unique symbol }
/** A create_revision as an epoch; 0: none was seen yet. */
export const epoch = (n: number): Epoch => n as Epoch

/** "Do this attempt of this run." Taken at most once: the agent's journal decides. */
export interface Order {
  readonly run: RunId
  readonly project: ProjectId
  readonly job: JobId
  readonly client: ClientId
  readonly slot: Slot
  readonly session?: { readonly id: SessionId; readonly tag: number }
  readonly attempt: number
  readonly epoch: Epoch
  readonly tasks: readonly Task[]
  /** For each task: how often it was tried before, and how it ended when it did. */
  readonly before: readonly { readonly tries: number; readonly result?: StepReport['result'] | 'skipped' }[]
  readonly repositories: readonly RepositoryAccess[]
  /** Wait for `go` once ready (a member of a session). */
  readonly hold: boolean
  /** The agent's own decision, while it had lost every server. Never on the wire. */
  readonly own?: { readonly generation: number; readonly ticket: string; readonly at: Instant }
  /** An order read after this is refused: the server has given it up. Instant of the server. */
  readonly answerBy: Instant
  /** The attempt is stopped after this long. Milliseconds. */
  readonly runMs: number
}

/** What an agent holds of a run when it says hello. */
export interface Held {
  readonly run: RunId
  readonly attempt: number
  readonly state: 'armed' | 'running' | 'ended'
}

/** What an engine of a node can do, and what keeps it from that: `problems` are sentences for people. */
export interface EngineProbe {
  readonly engine: string
  readonly available: boolean
  readonly version?: string
  readonly capabilities: readonly string[]
  readonly problems: readonly string[]
}

/** An agent's first message on a line: who it is, and what it holds. */
export interface Hello {
  readonly client: ClientId
  readonly project: ProjectId
  readonly protocol: { readonly from: number; readonly to: number }
  readonly version: string
  readonly hostname: string
  readonly os: string
  /** New at each start of the agent's process. */
  readonly incarnation: string
  readonly engines: readonly EngineProbe[]
  readonly labels: Readonly<Record<string, string>>
  /** Databases that it looks after, and what it may create more from; absent: none. */
  readonly instances?: readonly InstanceProbe[]
  readonly templates?: readonly InstanceTemplate[]
  /** Every run in the journal that no server has said `committed` for. */
  readonly held: readonly Held[]
  /** Runs whose orders the agent would take now. */
  readonly slots: number
  /** It goes on by itself when it has lost every server. Absent: it does not. */
  readonly autonomous?: true
  /** It may have done so: what it decided is told on this line. */
  readonly decided?: true
}

/** How far a step has come, as its agent tells it; it never decides anything. */
export interface Progress {
  readonly run: RunId
  readonly attempt: number
  readonly step: number
  readonly phase: Phase
  /** Bytes, or items for engines that have no bytes. */
  readonly done: number
  /** Absent while unknown. */
  readonly total?: number
  readonly filesDone?: number
  readonly filesTotal?: number
  /** 0 to 1, never going back; absent while the total is unknown. */
  readonly fraction?: number
  readonly bytesPerSecond?: number
  readonly secondsLeft?: number
  readonly errors: number
  readonly current?: string
}

/** What a step is busy with. */
export type Phase = 'prepare' | 'scan' | 'transfer' | 'commit' | 'verify' | 'cleanup'

/** Monotonic nanosecond readings as numbers of microseconds (2^53 µs are 285 years). */
export interface ClockReading {
  readonly sequence: number
  readonly agentSentUs: number
  readonly serverReceivedUs: number
  readonly serverSentUs: number
}

/** What a server says on a line. */
export type ToAgent =
  | {
      readonly type: 'welcome'
      readonly server: string
      readonly protocol: number
      readonly beatMs: number
      readonly silenceMs: number
    }
  | { readonly type: 'order'; readonly order: Order }
  /** Start a held attempt at a reading of this server's monotonic clock. Microseconds. */
  | {
      readonly type: 'go'
      readonly run: RunId
      readonly attempt: number
      readonly atUs: number
      readonly epoch: Epoch
    }
  | {
      readonly type: 'cancel'
      readonly run: RunId
      readonly attempt: number
      readonly why: Reason
      readonly epoch: Epoch
    }
  /** etcd has the report: the agent may forget the attempt. */
  | { readonly type: 'committed'; readonly run: RunId; readonly attempt: number }
  | { readonly type: 'clock'; readonly reading: ClockReading }
  /** This server goes away: connect to another one within `withinMs`, at a random moment. */
  | { readonly type: 'drain'; readonly withinMs: number }
  | { readonly type: 'ask'; readonly ask: Ask }
  /** A new certificate and new NATS credentials, asked for by `renew`. Secret: the credentials hold a key. */
  | {
      readonly type: 'renewed'
      readonly certificate: string
      readonly ca: string
      readonly natsCredentials: string
    }
  /** How to go on with a job when every server is lost: replaces what was said of that job before. */
  | { readonly type: 'plan'; readonly plan: JobPlan }
  /** A job waits for the servers from now on. */
  | { readonly type: 'unplan'; readonly sequence: number; readonly job: JobId }
  /** etcd has what the agent said under this number. */
  | { readonly type: 'noted'; readonly sequence: number }
  /** The servers to go to, in no order: all that take agents, or some of them before a drain. Replaces what the agent knew. */
  | { readonly type: 'servers'; readonly addresses: readonly string[] }

/** What an agent says on a line. */
export type ToServer =
  | { readonly type: 'hello'; readonly hello: Hello }
  | {
      readonly type: 'beat'
      readonly sequence: number
      readonly agentSentUs: number
      readonly running: number
    }
  /** The journal has it, on disk. `armed`: it waits for its go. */
  | { readonly type: 'accepted'; readonly run: RunId; readonly attempt: number; readonly armed: boolean }
  /** It will never do this attempt (`final`), or not now. */
  | {
      readonly type: 'refused'
      readonly run: RunId
      readonly attempt: number
      readonly reason: Reason
      readonly final: boolean
    }
  | {
      readonly type: 'started'
      readonly run: RunId
      readonly attempt: number
      readonly started: StartedReading
    }
  /** Answer to a cancel of an attempt that the journal does not have; a later order for it will be refused. */
  | { readonly type: 'absent'; readonly run: RunId; readonly attempt: number }
  | { readonly type: 'progress'; readonly progress: Progress }
  /** The attempt is over and its report is being published; said again now and then until `committed` comes. */
  | { readonly type: 'ended'; readonly run: RunId; readonly attempt: number }
  | { readonly type: 'answer'; readonly answer: Answer }
  /** Its certificate is nearly over: a request (PEM) for the next one. The stream itself proves who asks. */
  | { readonly type: 'renew'; readonly csr: string }
  /** What it looks after has changed since the hello: all of it anew. */
  | {
      readonly type: 'instances'
      readonly instances: readonly InstanceProbe[]
      readonly templates: readonly InstanceTemplate[]
    }
  /** A plan, or its end, has been taken. */
  | { readonly type: 'planned'; readonly sequence: number; readonly job: JobId }
  /** Said again until it is noted. */
  | { readonly type: 'decided'; readonly decided: Decided }
  /** All that was decided is noted. Said again until it is, too. */
  | { readonly type: 'settled'; readonly sequence: number }
  | { readonly type: 'bye'; readonly reason: string }

/** What an agent says of one attempt; a line may bring it again at any time. */
export type SaidOfAttempt = Extract<ToServer, { readonly run: RunId; readonly attempt: number }>

/** A start on the server's monotonic clock, by the agent's estimate. Microseconds. */
export interface StartedReading {
  readonly serverUs: number
  readonly errorUs: number
}

/** A question about a repository, answered from it while somebody waits. */
export type Ask = {
  readonly id: string
  readonly about: 'browse'
  readonly repository: RepositoryAccess
  readonly engineRef: string
  readonly path: string
  readonly limit: number
}

/** Something in a backup. `size` in bytes; `mtime` as the engine tells it, ISO 8601. */
export interface TreeEntry {
  readonly path: string
  /** The exact bytes, set only when `path` cannot hold them. */
  readonly pathBase64?: string
  readonly type: 'file' | 'dir' | 'symlink' | 'other'
  readonly size: number
  /** st_mode's permission bits. */
  readonly mode: number
  readonly mtime: string
}

/** What an agent found for an `Ask` with that id, or why it found nothing. */
export type Answer =
  | { readonly id: string; readonly ok: true; readonly entries: readonly TreeEntry[]; readonly more: boolean }
  | { readonly id: string; readonly ok: false; readonly reason: Reason }
