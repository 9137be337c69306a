// A process with the planner alone, over schedules that lie in etcd: what looking at all of them costs.
import { Connection } from '../../controller/etcd/connection.ts'
import type { Backend, Entry, Leadership } from '../../controller/ports/backend.ts'
import { LineBook } from '../../controller/reconcile/line-book.ts'
import { Reconciler } from '../../controller/reconcile/reconciler.ts'
import { State } from '../../controller/state/state.ts'
import type { Context } from '../../controller/use-cases/context.ts'
import { systemClock } from '../../core/clock-system.ts'
import { serverId } from '../../core/ids.ts'
import { epoch } from '../../core/link.ts'
import { eventually } from '../../test/support/eventually.ts'
import { serveParent, startChild, type Child } from './child.ts'
import { documentsOf } from './rig.ts'

const passMs = 120_000

/** It leads, and nobody contests that. */
const leads: Leadership = {
  epoch: () => epoch(1),
  highest: () => epoch(1),
  onChange: () => () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
}

/** Shows what was read, and takes no write: nothing of it is due. */
function readBackend(entries: readonly Entry[]): Backend {
  return {
    commit: () => Promise.reject(new Error('the planner wrote though nothing was due')),
    follow: (feed) => {
      const listing = feed.listing()
      listing.part(entries)
      listing.done(1)
      return { [Symbol.asyncDispose]: async () => undefined }
    },
    revision: async () => 1,
    [Symbol.asyncDispose]: async () => undefined,
  }
}

function makeHandlers() {
  let reconciler: Reconciler | undefined
  const failed: string[] = []
  return {
    /** Reads all that a pass looks at. */
    async open({ url }: { url: string }): Promise<void> {
      const connection = new Connection({ endpoints: [url] })
      const kinds = ['client', 'job'] as const
      const found = await Promise.all(kinds.map((kind) => documentsOf(connection, kind)))
      const state = new State(readBackend(found.flat().map((one) => ({ ...one, revision: 1 }))), systemClock)
      // A pass that finds nothing due looks at the state and the clock only.
      const context = { state, clock: systemClock } as Context
      reconciler = new Reconciler({
        ...{ context, leadership: leads, server: serverId('planner'), clock: systemClock },
        ...{ lines: new LineBook(systemClock), monotonicUs: () => 0 },
        failed: (key, error) => void (failed.length < 5 && failed.push(`${key}: ${String(error)}`)),
      })
    },
    /** Looks at every schedule, as a server that has just begun to lead does. How long that takes. */
    async pass(): Promise<{ ms: number; failed: string[] }> {
      const planner = reconciler
      if (!planner) throw new Error('nothing was read')
      const from = performance.now()
      planner.wakeAll()
      await eventually(() => planner.backlog === 0, { withinMs: passMs, everyMs: 1 })
      const ms = performance.now() - from
      return { ms, failed }
    },
  }
}

export type Planner = ReturnType<typeof makeHandlers>

export const startPlanner = (): Child<Planner> => startChild<Planner>(import.meta.filename)

if (import.meta.main) serveParent(makeHandlers())
