import type { ServerId } from '../core/ids.ts'
import { Fault } from '../core/fault.ts'
import { put, unchanged } from './state/documents.ts'
import { formats, readsOf, unreadBy, type Formats } from './state/formats.ts'
import type { State } from './state/state.ts'
import type { Context } from './use-cases/context.ts'
import { version } from './version.ts'

/** How soon this server's own document is written again when it was lost with its lease. Milliseconds. */
const presenceMs = 500

/** This server's entry in the list of servers. Disposing leaves it as it is: it goes with the lease. */
export interface Presence extends Disposable {
  /** Whether agents of this server have another one to go to. */
  hasOthers(): boolean
  /** Lists this server as one that takes no more agents. Resolves once that is written or could not be. Never throws. */
  drain(): Promise<void>
}

/**
 * Throws Fault('conflict') when a server runs that could not read what this release writes: two steps of an update were
 * made at once.
 */
export function checkOthers(state: State, known: Formats = formats): void {
  for (const { value } of state.all('server')) {
    const kinds = unreadBy(value.reads, known)
    if (kinds.length > 0)
      throw new Fault(
        'conflict',
        `server ${value.id} (${value.http}) of release ${value.version} cannot read what this one writes (${kinds.join(', ')}): ` +
          'update it first, to the release before this one',
      )
  }
}

/**
 * Keeps this server listed until disposed: its document goes with its lease, and comes back with the next. Never throws.
 */
export function keepPresence(
  context: Context,
  server: { readonly id: ServerId; readonly agents: string; readonly http: string },
): Presence {
  const { state, clock } = context
  const stop = new AbortController()
  const startedAt = clock.now()
  let isDraining = false
  const store = async (): Promise<void> => {
    const stored = state.get('server', '', server.id)
    const draining = isDraining ? ({ draining: true } as const) : {}
    await state.commit({
      requires: [unchanged('server', '', server.id, stored)],
      puts: [
        put('server', '', server.id, {
          ...{ ...server, version, startedAt, reads: readsOf(formats) },
          ...draining,
        }),
      ],
    })
  }
  const write = async (): Promise<void> => {
    while (!stop.signal.aborted && !state.get('server', '', server.id)) {
      await store().catch(() => undefined) // away, or written meanwhile: the next round sees
      await clock.sleep(presenceMs, stop.signal).catch(() => undefined)
    }
  }
  void write()
  const off = state.onLook(({ kind, id, after }) => {
    if (kind === 'server' && id === server.id && !after) void write()
  })
  return {
    hasOthers: () => [...state.all('server')].some(({ value }) => value.id !== server.id && !value.draining),
    drain: async () => {
      isDraining = true
      // Should this fail, agents that leave may come once more, and are sent on.
      await store().catch(() => undefined)
    },
    [Symbol.dispose]: () => {
      off()
      stop.abort()
    },
  }
}
