import type { EventSink } from './ports/feed.ts'
import type { AgentLine, LineHandler } from './ports/lines.ts'
import type { Asks } from './reconcile/asks.ts'
import type { ProgressBoard } from './reconcile/progress-board.ts'
import type { Reconciler } from './reconcile/reconciler.ts'
import type { Context } from './use-cases/context.ts'
import { renew, type EnrolDeps } from './use-cases/enrol.ts'

export interface LineHandlerOptions {
  readonly context: Context
  readonly reconciler: Reconciler
  readonly asks: Asks
  readonly board: ProgressBoard
  readonly events: EventSink
  readonly enrol: EnrolDeps
  /** Told why a renewal failed; the agent asks again. */
  readonly failed: (what: string, error: unknown) => void
}

/** Takes what agents say to where it belongs. */
export function lineHandler(options: LineHandlerOptions): LineHandler {
  const { context, reconciler, asks, board, events } = options
  return {
    admits: (project, client, fingerprint) => {
      const enrolled = context.state.get('client', project, client)?.value.enrolled
      if (enrolled === undefined || enrolled.revokedAt !== undefined) return false
      return enrolled.fingerprint === fingerprint || enrolled.previous === fingerprint
    },
    opened: (line) => reconciler.lineOpened(line),
    received: (line, message) => {
      switch (message.type) {
        case 'answer':
          return asks.answered(line, message.answer)
        case 'progress': {
          const run = context.state.get('run', line.project, message.progress.run)?.value
          if (run?.client !== line.client || run.state.is === 'finished') return
          board.note(message.progress)
          return events.progress(line.project, line.client, run.job, message.progress)
        }
        case 'renew':
          return renewFor(options, line, message.csr)
        case 'planned':
          return reconciler.planned(line, message.job, message.sequence)
        case 'decided':
          return reconciler.decided(line, message.decided)
        case 'settled':
          return reconciler.settled(line, message.sequence)
        case 'instances':
          return reconciler.announced(line, message)
        default:
          return reconciler.heard(line, message)
      }
    },
    closed: (line) => reconciler.lineClosed(line),
  }
}

function renewFor({ context, enrol, failed }: LineHandlerOptions, line: AgentLine, csr: string): void {
  const { project, client, fingerprint } = line
  renew(context, enrol, { project, client, csr, present: fingerprint }).then(
    (renewed) => line.send({ type: 'renewed', ...renewed }),
    (error: unknown) => failed(`renewal of ${project}/${client}`, error),
  )
}
