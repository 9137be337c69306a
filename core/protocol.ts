import type { Hello, ToAgent, ToServer } from './link.ts'

/*
 * Which messages a peer knows. Hello and welcome agree on one version of the line's protocol; from then on each side sends
 * only what that version has. Fields that are new in a known message need no version: an older peer ignores them.
 */

/** Versions of the line's protocol that a process speaks, both ends included. */
export type Protocols = Hello['protocol']

/** The first version of the protocol that has each message of a server. A new message does not compile without its own. */
export const sinceOfToAgent: Readonly<Record<Exclude<ToAgent['type'], 'welcome'>, number>> = {
  order: 1,
  go: 1,
  cancel: 1,
  committed: 1,
  clock: 1,
  drain: 1,
  ask: 1,
  renewed: 1,
  servers: 1,
  plan: 2,
  unplan: 2,
  noted: 2,
}

/** The same for messages of an agent. */
export const sinceOfToServer: Readonly<Record<Exclude<ToServer['type'], 'hello'>, number>> = {
  beat: 1,
  accepted: 1,
  refused: 1,
  started: 1,
  absent: 1,
  progress: 1,
  ended: 1,
  answer: 1,
  renew: 1,
  instances: 1,
  bye: 1,
  planned: 2,
  decided: 2,
  settled: 2,
}

/** The highest version that both speak; undefined when there is none. */
export function agreed(one: Protocols, other: Protocols): number | undefined {
  const highest = Math.min(one.to, other.to)
  return highest < Math.max(one.from, other.from) ? undefined : highest
}

/** Whether an agent that agreed on `protocol` knows this message. A welcome says what was agreed on: it is always known. */
export const agentKnows = ({ type }: ToAgent, protocol: number): boolean =>
  type === 'welcome' || sinceOfToAgent[type] <= protocol

/** Whether a server that agreed on `protocol` knows this message. A hello comes before that: it is always known. */
export const serverKnows = ({ type }: ToServer, protocol: number): boolean =>
  type === 'hello' || sinceOfToServer[type] <= protocol
