import { unreachable } from '../core/fault.ts'
import type { ToAgent, ToServer } from '../core/link.ts'
import type * as wire from './gen/firn/v1/agent.ts'
import { jobId } from '../core/ids.ts'
import { count, id, present } from './strict.ts'
import {
  answerFromWire,
  helloFromWire,
  progressFromWire,
  wireFromAnswer,
  wireFromHello,
  wireFromProgress,
} from './wire-agent.ts'
import { decidedFromWire, planFromWire, wireFromDecided, wireFromPlan } from './wire-autonomy.ts'
import { instancesFromWire, wireFromInstances } from './wire-instances.ts'
import {
  askFromWire,
  attemptFromWire,
  epochFromWire,
  orderFromWire,
  reasonFromWire,
  wireFromAsk,
  wireFromOrder,
} from './wire-order.ts'

/*
 * The messages of the line between server and agent, and the core values that they carry. Nothing outside proto/ and
 * the two grpc/ folders sees a generated type.
 *
 * `wireFrom…` is total. `…FromWire` throws Fault('bad_message') for what this version cannot read, and Fault('unsupported')
 * for an order with tasks that it does not know; it throws nothing else.
 */

export { reportFromJson, reportToJson } from './wire-report.ts'

type WireToServer = NonNullable<wire.ToServer['message']>
type WireToAgent = NonNullable<wire.ToAgent['message']>

export const wireFromToServer = (message: ToServer): wire.ToServer => ({ message: toServerCase(message) })

function toServerCase(message: ToServer): WireToServer {
  switch (message.type) {
    case 'hello':
      return { $case: 'hello', value: wireFromHello(message.hello) }
    case 'beat': {
      const { sequence, agentSentUs, running } = message
      return { $case: 'beat', value: { sequence, agentSentUs, running } }
    }
    case 'accepted':
      return { $case: 'accepted', value: { ...attempt(message), armed: message.armed } }
    case 'refused': {
      const { reason, final } = message
      return { $case: 'refused', value: { ...attempt(message), reason: { ...reason }, final } }
    }
    case 'started':
      return { $case: 'started', value: { ...attempt(message), ...message.started } }
    case 'absent':
      return { $case: 'absent', value: attempt(message) }
    case 'progress':
      return { $case: 'progress', value: wireFromProgress(message.progress) }
    case 'ended':
      return { $case: 'ended', value: attempt(message) }
    case 'answer':
      return { $case: 'answer', value: wireFromAnswer(message.answer) }
    case 'renew':
      return { $case: 'renew', value: { csr: message.csr } }
    case 'instances':
      return { $case: 'instances', value: wireFromInstances(message) }
    case 'planned':
      return { $case: 'planned', value: { sequence: message.sequence, jobId: message.job } }
    case 'decided':
      return { $case: 'decided', value: wireFromDecided(message.decided) }
    case 'settled':
      return { $case: 'settled', value: { sequence: message.sequence } }
    case 'bye':
      return { $case: 'bye', value: { reason: message.reason } }
    default:
      return unreachable(message)
  }
}

export function toServerFromWire(received: wire.ToServer): ToServer {
  const message = present('message', received.message)
  switch (message.$case) {
    case 'hello':
      return { type: 'hello', hello: helloFromWire(message.value) }
    case 'beat':
      return {
        type: 'beat',
        sequence: count('beat.sequence', message.value.sequence),
        agentSentUs: count('beat.agent_sent_us', message.value.agentSentUs),
        running: count('beat.running', message.value.running),
      }
    case 'accepted':
      return { type: 'accepted', ...attemptFromWire(message.value), armed: message.value.armed }
    case 'refused': {
      const reason = reasonFromWire('refused.reason', message.value.reason)
      return { type: 'refused', ...attemptFromWire(message.value), reason, final: message.value.final }
    }
    case 'started': {
      const serverUs = count('started.server_us', message.value.serverUs)
      const errorUs = count('started.error_us', message.value.errorUs)
      return { type: 'started', ...attemptFromWire(message.value), started: { serverUs, errorUs } }
    }
    case 'absent':
      return { type: 'absent', ...attemptFromWire(message.value) }
    case 'progress':
      return { type: 'progress', progress: progressFromWire(message.value) }
    case 'ended':
      return { type: 'ended', ...attemptFromWire(message.value) }
    case 'answer':
      return { type: 'answer', answer: answerFromWire(message.value) }
    case 'renew':
      return { type: 'renew', csr: message.value.csr }
    case 'instances':
      return { type: 'instances', ...instancesFromWire(message.value) }
    case 'planned':
      return { type: 'planned', ...aboutJob(message.value) }
    case 'decided':
      return { type: 'decided', decided: decidedFromWire(message.value) }
    case 'settled':
      return { type: 'settled', sequence: count('sequence', message.value.sequence) }
    case 'bye':
      return { type: 'bye', reason: message.value.reason }
    default:
      return unreachable(message)
  }
}

export const wireFromToAgent = (message: ToAgent): wire.ToAgent => ({ message: toAgentCase(message) })

function toAgentCase(message: ToAgent): WireToAgent {
  switch (message.type) {
    case 'welcome': {
      const { server, protocol, beatMs, silenceMs } = message
      return { $case: 'welcome', value: { serverId: server, protocol, beatMs, silenceMs } }
    }
    case 'order':
      return { $case: 'order', value: wireFromOrder(message.order) }
    case 'go':
      return { $case: 'go', value: { ...attempt(message), atUs: message.atUs, epoch: message.epoch } }
    case 'cancel':
      return {
        $case: 'cancel',
        value: { ...attempt(message), why: { ...message.why }, epoch: message.epoch },
      }
    case 'committed':
      return { $case: 'committed', value: attempt(message) }
    case 'clock':
      return { $case: 'clock', value: { ...message.reading } }
    case 'drain':
      return { $case: 'drain', value: { withinMs: message.withinMs } }
    case 'ask':
      return { $case: 'ask', value: wireFromAsk(message.ask) }
    case 'renewed': {
      const { certificate, ca, natsCredentials } = message
      return { $case: 'renewed', value: { certificate, ca, natsCredentials } }
    }
    case 'plan':
      return { $case: 'plan', value: wireFromPlan(message.plan) }
    case 'unplan':
      return { $case: 'unplan', value: { sequence: message.sequence, jobId: message.job } }
    case 'noted':
      return { $case: 'noted', value: { sequence: message.sequence } }
    case 'servers':
      return { $case: 'servers', value: { addresses: [...message.addresses] } }
    default:
      return unreachable(message)
  }
}

export function toAgentFromWire(received: wire.ToAgent): ToAgent {
  const message = present('message', received.message)
  switch (message.$case) {
    case 'welcome':
      return welcomeFromWire(message.value)
    case 'order':
      return { type: 'order', order: orderFromWire(message.value) }
    case 'go': {
      const { atUs, epoch } = message.value
      return {
        type: 'go',
        ...attemptFromWire(message.value),
        atUs: count('go.at_us', atUs),
        epoch: epochFromWire(epoch),
      }
    }
    case 'cancel': {
      const why = reasonFromWire('cancel.why', message.value.why)
      return {
        type: 'cancel',
        ...attemptFromWire(message.value),
        why,
        epoch: epochFromWire(message.value.epoch),
      }
    }
    case 'committed':
      return { type: 'committed', ...attemptFromWire(message.value) }
    case 'clock':
      return { type: 'clock', reading: readingFromWire(message.value) }
    case 'drain':
      return { type: 'drain', withinMs: count('drain.within_ms', message.value.withinMs) }
    case 'ask':
      return { type: 'ask', ask: askFromWire(message.value) }
    case 'renewed': {
      const { certificate, ca, natsCredentials } = message.value
      return { type: 'renewed', certificate, ca, natsCredentials }
    }
    case 'plan':
      return planFromWire(message.value)
    case 'unplan':
      return { type: 'unplan', ...aboutJob(message.value) }
    case 'noted':
      return { type: 'noted', sequence: count('sequence', message.value.sequence) }
    case 'servers':
      return { type: 'servers', addresses: message.value.addresses }
    default:
      return unreachable(message)
  }
}

/** Which attempt of which run an unreadable order was for, when at least that can be read. */
export function orderedAttempt({ message }: wire.ToAgent): ReturnType<typeof attemptFromWire> | undefined {
  try {
    return message?.$case === 'order' ? attemptFromWire(message.value) : undefined
  } catch {
    return undefined
  }
}

const aboutJob = (message: { readonly sequence: number; readonly jobId: string }) => ({
  sequence: count('sequence', message.sequence),
  job: id(jobId, message.jobId),
})

const attempt = (message: { readonly run: string; readonly attempt: number }) => ({
  runId: message.run,
  attempt: message.attempt,
})

const welcomeFromWire = (welcome: wire.Welcome): ToAgent => ({
  type: 'welcome',
  server: welcome.serverId,
  protocol: count('welcome.protocol', welcome.protocol),
  beatMs: count('welcome.beat_ms', welcome.beatMs),
  silenceMs: count('welcome.silence_ms', welcome.silenceMs),
})

const readingFromWire = (reading: wire.ClockReading) => ({
  sequence: count('clock.sequence', reading.sequence),
  agentSentUs: count('clock.agent_sent_us', reading.agentSentUs),
  serverReceivedUs: count('clock.server_received_us', reading.serverReceivedUs),
  serverSentUs: count('clock.server_sent_us', reading.serverSentUs),
})
