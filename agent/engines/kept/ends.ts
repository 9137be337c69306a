import type { EngineEnd, EngineEvent } from '../../ports/engine.ts'

/** Why a step about a database failed: words of docs/agent.md. */
export interface Failure {
  readonly code:
    | ('locked' | 'killed' | 'stalled' | 'unknown')
    | ('source_missing' | 'unreadable' | 'damaged' | 'no_space' | 'config' | 'cancelled')
  readonly text: string
}

/** Those that may be over when it is tried again. */
const passing: ReadonlySet<Failure['code']> = new Set(['locked', 'killed', 'stalled', 'unknown'])

export const endOf = ({ code, text }: Failure): EngineEnd => ({
  type: 'end',
  result: code === 'cancelled' ? 'aborted' : 'failed',
  reason: { code, text },
  retryable: passing.has(code),
})

/** Why somebody asked for it to stop. */
export const cancelled = (signal: AbortSignal): Failure => {
  const why: unknown = signal.reason
  const text = why instanceof Error && why.name !== 'AbortError' ? why.message : 'stopped on request'
  return { code: 'cancelled', text }
}

/** What a file system says of what it could not do. */
export function fileFailure(error: unknown): Failure {
  const { code, message } = error as NodeJS.ErrnoException
  return { code: code === 'ENOSPC' || code === 'EDQUOT' ? 'no_space' : 'unknown', text: message }
}

/** Events, and at last how the step ended. */
export type Step = AsyncGenerator<EngineEvent, EngineEnd, undefined>
