import type { ServerId } from '../core/ids.ts'
import { put, unchanged } from './state/documents.ts'
import type { Context } from './use-cases/context.ts'
import { version } from './version.ts'

/** How soon this server's own document is written again when it was lost with its lease. Milliseconds. */
const presenceMs = 500

/**
 * Keeps this server listed until disposed: its document goes with its lease, and comes back with the next. Never throws.
 */
export function keepPresence(
  context: Context,
  server: { readonly id: ServerId; readonly agents: string; readonly http: string },
): Disposable {
  const { state, clock } = context
  const stop = new AbortController()
  const startedAt = clock.now()
  const write = async (): Promise<void> => {
    while (!stop.signal.aborted && !state.get('server', '', server.id)) {
      const value = { ...server, version, startedAt }
      await state
        .commit({
          requires: [unchanged('server', '', server.id, undefined)],
          puts: [put('server', '', server.id, value)],
        })
        .catch(() => undefined) // away, or written meanwhile: the next round sees
      await clock.sleep(presenceMs, stop.signal).catch(() => undefined)
    }
  }
  void write()
  const off = state.onLook(({ kind, id, after }) => {
    if (kind === 'server' && id === server.id && !after) void write()
  })
  return {
    [Symbol.dispose]: () => {
      off()
      stop.abort()
    },
  }
}
