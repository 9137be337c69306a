import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  nanos,
  ReplayPolicy,
  RetentionPolicy,
  StorageType,
} from 'nats'
import type { ConsumerConfig, JetStreamManager, NatsConnection, StreamConfig } from 'nats'
import { resultConsumer, streams } from '../../proto/subjects.ts'

/** How long JetStream may take to answer an administrative request. Milliseconds. */
const apiTimeoutMs = 5_000

const day = 24 * 3_600_000
const GiB = 2 ** 30

type Limits = Pick<StreamConfig, 'retention' | 'discard' | 'max_bytes'> & Partial<StreamConfig>

/**
 * What the streams hold at most; told in docs/events.md.
 */
const limits: Record<keyof typeof streams, Limits> = {
  // An agent keeps a report until a server says that etcd has it: one that is dropped here for its age, or for the size,
  // before a server took it comes again. Handled ones stay, so that a repeat is known even after a crash of nats-server,
  // which learns the message ids anew from what it has stored.
  results: {
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    max_bytes: GiB,
    max_age: nanos(7 * day),
    duplicate_window: nanos(120_000),
  },
  events: {
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    max_bytes: GiB / 2,
    max_age: nanos(7 * day),
  },
  // `max_msgs_per_subject` keeps one noisy run (2,000 batches of lines) from pushing out the others.
  logs: {
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    max_bytes: GiB,
    max_age: nanos(7 * day),
    max_msgs_per_subject: 2_000,
  },
}

/** How long a server may take over a result before another one gets it. Milliseconds. */
const ackWaitMs = 30_000
/** Results that all servers together may have taken and not finished. */
const ackPendingMax = 8_192

const consumer: Partial<ConsumerConfig> = {
  durable_name: resultConsumer,
  ack_policy: AckPolicy.Explicit,
  deliver_policy: DeliverPolicy.All,
  replay_policy: ReplayPolicy.Instant,
  ack_wait: nanos(ackWaitMs),
  max_ack_pending: ackPendingMax,
  // For ever: what came out of an agent is given up by nobody.
  max_deliver: -1,
}

/** JetStream's administration through this connection. Rejects when JetStream is off or may not be used. */
export const managerOf = (connection: NatsConnection): Promise<JetStreamManager> =>
  connection.jetstreamManager({ timeout: apiTimeoutMs, checkAPI: false })

/**
 * Makes the streams and the consumer of results be there as this version wants them. Whoever else does the same at the same
 * time does no harm. Rejects with nats's errors.
 */
export async function ensureStreams(connection: NatsConnection): Promise<void> {
  const manager = await managerOf(connection)
  for (const [key, { subjects, ...stream }] of Object.entries(streams)) {
    const wanted = {
      ...stream,
      subjects: [...subjects],
      storage: StorageType.File,
      num_replicas: 1,
      ...limits[key as keyof typeof limits],
    }
    await addOrUpdate(
      () => manager.streams.add(wanted),
      () => manager.streams.update(stream.name, wanted),
    )
  }
  await addOrUpdate(
    () => manager.consumers.add(streams.results.name, consumer),
    () => manager.consumers.update(streams.results.name, resultConsumer, consumer),
  )
}

/** JetStream answers an equal one with success, and one that differs with an error that is no reason to stop. */
async function addOrUpdate(add: () => Promise<unknown>, update: () => Promise<unknown>): Promise<void> {
  try {
    await add()
  } catch {
    await update()
  }
}
