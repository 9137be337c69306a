// A process with some hundred simulated agents, and beside them as many bare grpc-js streams.
import { Client, credentials, type ClientDuplexStream } from '@grpc/grpc-js'
import { eventually } from '../../test/support/eventually.ts'
import { bareStream, parseBare } from './bare-stream.ts'
import { serveParent, startChild, type Child } from './child.ts'
import { sharedUs, SimulatedAgent, type SimulatedOptions } from './simulated.ts'

/** Connects at once: a server takes some hundred a second. */
const connectsAtOnce = 25
const openMs = 60_000

/** As the agent's own, so that the parts do no less for a stream. */
const channelOptions = {
  'grpc.enable_channelz': 0,
  'grpc.enable_retries': 0,
  'grpc.keepalive_time_ms': 5_000,
  'grpc.keepalive_timeout_ms': 2_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.service_config_disable_resolution': 1,
}

function makeHandlers() {
  const agents: SimulatedAgent[] = []
  const bare: BareStream[] = []
  const wrong: string[] = []
  const noted = (text: string): void => {
    // One is enough to know, a thousand of a kind would hide the others.
    if (wrong.length < 20) wrong.push(text)
  }
  return {
    /** Resolves when all lines are open, and all connections to NATS. */
    async connect({ agents: wanted }: { agents: readonly Omit<SimulatedOptions, 'wrong'>[] }): Promise<void> {
      for (let from = 0; from < wanted.length; from += connectsAtOnce) {
        const some = wanted
          .slice(from, from + connectsAtOnce)
          .map((options) => new SimulatedAgent({ ...options, wrong: noted }))
        agents.push(...some)
        await Promise.all(some.map(({ line }) => line.open(AbortSignal.timeout(openMs))))
      }
      await eventually(() => agents.every(({ isReady }) => isReady), { withinMs: openMs })
    },
    /** Has all connect at one moment. */
    storm({ agents: wanted }: { agents: readonly Omit<SimulatedOptions, 'wrong'>[] }): void {
      agents.push(...wanted.map((options) => new SimulatedAgent({ ...options, wrong: noted })))
    },
    /** Waits until all have been welcomed since then. When each was, and how many tries had failed before. */
    async untilWelcomed({ sinceUs, withinMs }: { sinceUs: number; withinMs: number }) {
      await eventually(() => agents.every(({ openedUs }) => openedUs >= sinceUs), { withinMs, everyMs: 50 })
      const failures = agents.reduce((sum, agent) => sum + agent.failures, 0)
      for (const agent of agents) agent.failures = 0
      return { welcomedUs: agents.map(({ openedUs }) => openedUs), failures }
    },
    async connectBare({ address, count }: { address: string; count: number }): Promise<void> {
      for (let from = 0; from < count; from += connectsAtOnce) {
        const some = Array.from(
          { length: Math.min(connectsAtOnce, count - from) },
          () => new BareStream(address),
        )
        bare.push(...some)
        await Promise.all(some.map((stream) => stream.open))
      }
    },
    /** Attempts that are under way, and those whose clocks are compared well enough to start together. */
    state() {
      return {
        running: agents.reduce((sum, agent) => sum + agent.running(), 0),
        compared: agents.filter(({ line }) => line.toServerUs(0) !== undefined).length,
        started: agents.reduce((sum, { startedAt }) => sum + startedAt.length, 0),
      }
    },
    /** When runs began since this was last asked. Microseconds of the clock that all processes share. */
    takeStarts(): number[] {
      return agents.flatMap(({ startedAt }) => startedAt.splice(0))
    },
    /** How wrong the instants of those starts were placed. Microseconds. */
    takeMisplaced(): number[] {
      return agents.flatMap(({ misplacedUs }) => misplacedUs.splice(0))
    },
    takeBareStarts(): number[] {
      return bare.flatMap(({ startedAt }) => startedAt.splice(0))
    },
    /** All report success. Resolves with when the last was said to be in etcd, and how many were. */
    async finish(): Promise<{ fromUs: number; untilUs: number; committed: number }> {
      const fromUs = sharedUs()
      for (const agent of agents) agent.finish()
      await eventually(() => agents.every((agent) => agent.running() === 0), { withinMs: 60_000, everyMs: 5 })
      const untilUs = sharedUs()
      return { fromUs, untilUs, committed: agents.reduce((sum, agent) => sum + agent.takeCommitted(), 0) }
    },
    /** What should not have happened, since this was last asked. */
    takeWrong(): string[] {
      return wrong.splice(0)
    },
  }
}

/** A stream of grpc-js alone: acknowledges what it is sent, and starts at an instant when that says so. */
class BareStream {
  readonly open: Promise<void>
  readonly startedAt: number[] = []
  readonly #call: ClientDuplexStream<Buffer, Buffer>

  constructor(address: string) {
    const client = new Client(address, credentials.createInsecure(), channelOptions)
    const { path, requestSerialize, responseDeserialize } = bareStream.connect
    this.#call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.open = promise
    this.#call.on('error', reject)
    // Its first message is a welcome; by then the server knows of it.
    this.#call.once('data', () => {
      resolve()
      this.#call.on('data', (bytes: Buffer) => this.#take(bytes))
    })
    this.#call.write(Buffer.from('hello'))
  }

  #take(bytes: Buffer): void {
    const { startUs, answerBytes } = parseBare(bytes)
    const answer = Buffer.alloc(answerBytes)
    if (startUs === undefined) return void this.#call.write(answer)
    // Sleeps to two milliseconds before, then looks at the clock until it is time.
    setTimeout(
      () => {
        let now = sharedUs()
        while (now < startUs) now = sharedUs()
        this.startedAt.push(now)
        setImmediate(() => this.#call.write(answer))
      },
      Math.max(0, (startUs - sharedUs()) / 1_000 - 2),
    )
  }
}

export type AgentsProcess = ReturnType<typeof makeHandlers>

export const startAgentsProcess = (): Child<AgentsProcess> => startChild<AgentsProcess>(import.meta.filename)

if (import.meta.main) serveParent(makeHandlers())
