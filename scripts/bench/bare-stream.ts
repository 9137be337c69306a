// A process that serves streams with grpc-js and nothing else: what the parts themselves can do.
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import { serveParent, startChild, type Child } from './child.ts'
import { sharedUs } from './simulated.ts'

const same = (bytes: Buffer): Buffer => bytes

/** A method whose messages are bytes. */
export const bareStream = {
  connect: {
    path: '/bench.Bare/Connect',
    requestStream: true,
    responseStream: true,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  },
} as const

/** How large the answer is to be, and the instant to start at, if any. Microseconds of the shared clock. */
interface BareOrder {
  readonly answerBytes: number
  readonly startUs: number | undefined
}

/** A message of `bytes` bytes in all. */
function bareOrder({ answerBytes, startUs }: BareOrder, bytes: number): Buffer {
  const order = Buffer.alloc(Math.max(bytes, 12))
  order.writeDoubleLE(startUs ?? 0, 0)
  order.writeUInt32LE(answerBytes, 8)
  return order
}

export function parseBare(order: Buffer): BareOrder {
  const startUs = order.readDoubleLE(0)
  return { answerBytes: order.readUInt32LE(8), startUs: startUs === 0 ? undefined : startUs }
}

const pushMs = 30_000

function makeHandlers() {
  const calls = new Set<ServerDuplexStream<Buffer, Buffer>>()
  let onAnswer = (): void => {}
  const connected = (call: ServerDuplexStream<Buffer, Buffer>): void => {
    call.once('data', () => {
      calls.add(call)
      call.on('data', () => onAnswer())
      call.write(Buffer.from('welcome'))
    })
    call.on('cancelled', () => calls.delete(call))
    call.on('error', () => calls.delete(call))
  }
  /** Writes to all and waits for as many answers. Milliseconds. */
  const push = async (order: Buffer): Promise<number> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const late = setTimeout(() => reject(new Error('not all bare streams have answered')), pushMs)
    let left = calls.size
    onAnswer = () => {
      if (--left === 0) resolve()
    }
    const from = performance.now()
    for (const call of calls) call.write(order)
    await promise
    clearTimeout(late)
    return performance.now() - from
  }
  return {
    /** host:port */
    async listen(): Promise<string> {
      const server = new Server({ 'grpc.enable_channelz': 0 })
      server.addService(bareStream, { connect: connected })
      const port = await new Promise<number>((resolve, reject) =>
        server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
          error ? reject(error) : resolve(port),
        ),
      )
      return `127.0.0.1:${port}`
    },
    push: ({ bytes, answerBytes }: { bytes: number; answerBytes: number }): Promise<number> =>
      push(bareOrder({ answerBytes, startUs: undefined }, bytes)),
    /** Has all streams start together, `aheadMs` from now. */
    startTogether: ({ aheadMs }: { aheadMs: number }): Promise<number> =>
      push(bareOrder({ answerBytes: 40, startUs: sharedUs() + aheadMs * 1_000 }, 60)),
  }
}

export type BareStreams = ReturnType<typeof makeHandlers>

export const startBareStreams = (): Child<BareStreams> => startChild<BareStreams>(import.meta.filename)

if (import.meta.main) serveParent(makeHandlers())
