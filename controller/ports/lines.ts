import type { ClientId, ProjectId } from '../../core/ids.ts'
import type { Hello, ToAgent, ToServer } from '../../core/link.ts'

/** The open line to one agent. Its project and client are those of its certificate. */
export interface AgentLine {
  readonly project: ProjectId
  readonly client: ClientId
  readonly hello: Hello
  /** The version of the line's protocol that hello and welcome agreed on: `core/protocol.ts` has which messages it knows. */
  readonly protocol: number
  /** SHA-256 of the certificate that it was opened with, hex; empty without TLS. */
  readonly fingerprint: string
  /**
   * Queues a message; `false` when the line is closed or its queue (bounded) is full: then the line is ended, for an agent
   * that does not read is as good as silent. A message that the agreed protocol does not have is not sent: whoever has
   * a newer one asks `agentKnows` first, and forgetting it is a bug, which is logged and gives `false`. Never throws.
   */
  send(message: ToAgent): boolean
  /** Ends the line. */
  close(reason: string): void
}

/** What the server does with its lines. Nothing here may throw; work is queued, not awaited. */
export interface LineHandler {
  /** After a good hello. A second line of the same client replaces the first, which is closed before. */
  opened(line: AgentLine): void
  received(line: AgentLine, message: Exclude<ToServer, { type: 'hello' | 'beat' | 'bye' }>): void
  /** Once for each opened line: a bye, an end, silence, or replaced by a newer line. */
  closed(line: AgentLine, why: 'bye' | 'lost' | 'silent' | 'replaced'): void
  /** May this certificate connect? Revoked and unknown clients may not. */
  admits(project: ProjectId, client: ClientId, fingerprint: string): boolean
}
