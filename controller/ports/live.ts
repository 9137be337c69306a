import type { ClientId, ProjectId, RunId } from '../../core/ids.ts'
import type { Progress, RepositoryAccess, TreeEntry } from '../../core/link.ts'

/** What is known of the moment and never stored. */
export interface Live {
  /** The newest progress of a run that this server has heard of. */
  progressOf(run: RunId): Progress | undefined
  /**
   * Asks the client's agent what lies in a backup. Throws Fault 'agent_offline' (no line at this server), 'timeout' (20 s) or
   * 'tool_failed'.
   */
  browse(
    project: ProjectId,
    client: ClientId,
    ask: {
      readonly repository: RepositoryAccess
      readonly engineRef: string
      readonly path: string
      readonly limit: number
    },
  ): Promise<{ readonly entries: readonly TreeEntry[]; readonly more: boolean }>
  health(): Health
}

/** How this server stands, for probes and metrics. */
export interface Health {
  /** The store answered within the last 3 s. */
  readonly etcd: boolean
  readonly nats: boolean
  /** Whether some server leads, as far as this one knows. */
  readonly leader: 'this' | 'other' | 'none'
  readonly linesOpen: number
  /** It was asked to end: new requests are better sent to another server. */
  readonly draining: boolean
}
