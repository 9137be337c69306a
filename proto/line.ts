import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { Fault } from '../core/fault.ts'
import type { ToAgent, ToServer } from '../core/link.ts'
import * as wire from './gen/firn/v1/agent.ts'
import {
  orderedAttempt,
  toAgentFromWire,
  toServerFromWire,
  wireFromToAgent,
  wireFromToServer,
} from './wire.ts'

/**
 * The largest message of a line, both ways. Bytes. gRPC's own default; an order with all its tasks and a listing of some
 * thousand entries are far below it.
 */
export const messageBytesMax = 4 * 1024 * 1024

/** A message as received: read, or why it cannot be. */
export type Received<T> =
  | { readonly ok: true; readonly message: T }
  /** `order`: it was an order for this attempt, which can be refused. */
  | { readonly ok: false; readonly fault: Fault; readonly order?: ReturnType<typeof orderedAttempt> }

/** Bytes to hand to gRPC. Throws for numbers that the field of the message cannot hold: a bug of the caller. */
export const encodeToAgent = (message: ToAgent): Buffer =>
  encoded((scratch) => wire.ToAgent.encode(wireFromToAgent(message), scratch))
export const encodeToServer = (message: ToServer): Buffer =>
  encoded((scratch) => wire.ToServer.encode(wireFromToServer(message), scratch))

/** Memory that is kept for the next message at most. Bytes. */
const scratchMax = 64 * 1024

/** One for all messages: a new one, growing by doubling, takes longer than all the rest of encoding an order. */
let scratch = new BinaryWriter()

function encoded(write: (scratch: BinaryWriter) => BinaryWriter): Buffer {
  let whole = false
  try {
    // A copy, so that the writer can go on with its own.
    const { buffer, byteOffset, byteLength } = write(scratch).finish()
    whole = byteLength <= scratchMax
    return Buffer.from(buffer, byteOffset, byteLength)
  } finally {
    // What a message left behind that could not be written must not get into the next one.
    if (!whole) scratch = new BinaryWriter()
  }
}

/** Reads what a peer sent, whatever it is. Never throws. */
export const decodeToServer = (bytes: Uint8Array): Received<ToServer> =>
  read(bytes, (raw) => wire.ToServer.decode(raw), toServerFromWire)
export function decodeToAgent(bytes: Uint8Array): Received<ToAgent> {
  let received: wire.ToAgent | undefined
  const result = read(bytes, (raw) => (received = wire.ToAgent.decode(raw)), toAgentFromWire)
  if (result.ok) return result
  const order = received === undefined ? undefined : orderedAttempt(received)
  return order === undefined ? result : { ...result, order }
}

function read<W, T>(
  bytes: Uint8Array,
  decode: (bytes: Uint8Array) => W,
  fromWire: (message: W) => T,
): Received<T> {
  try {
    return { ok: true, message: fromWire(decode(bytes)) }
  } catch (cause) {
    const fault =
      cause instanceof Fault ? cause : new Fault('bad_message', 'not a message of this protocol', { cause })
    return { ok: false, fault }
  }
}

/**
 * The method `Connect` for grpc-js. Messages go out as bytes, so that their size is known when they are queued, and come in
 * as `Received`, so that garbage ends one line in a way that its owner decides.
 */
export const lineService = {
  connect: {
    path: wire.AgentLineService.connect.path,
    requestStream: true,
    responseStream: true,
    requestSerialize: (bytes: Buffer): Buffer => bytes,
    requestDeserialize: decodeToServer,
    responseSerialize: (bytes: Buffer): Buffer => bytes,
    responseDeserialize: decodeToAgent,
  },
} as const

/** The full name of the service, as health checks and reflection have it. */
export const lineServiceName = 'firn.v1.AgentLine'
