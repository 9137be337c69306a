import type { Clock } from '../../core/clock.ts'
import type { Backend, Leadership } from '../ports/backend.ts'
import { EtcdBackend } from './backend.ts'
import { Connection, type EtcdAccess } from './connection.ts'
import { GroupedBackend } from './grouping.ts'
import { EtcdLeadership } from './leadership.ts'
import { Lease } from './lease.ts'

export interface EtcdOptions extends EtcdAccess {
  /** This server's id, shown as the leader's while it leads. */
  readonly server: string
  readonly clock: Clock
  /** Told what went wrong with etcd and is being tried again: for the log. Says nothing secret. */
  readonly trouble?: (what: string, cause: unknown) => void
}

/** One server's part in etcd. Disposing resigns, ends the feed and deletes what it wrote `whileAlive`, in this order. */
export interface EtcdStore extends AsyncDisposable {
  readonly backend: Backend
  readonly leadership: Leadership
}

/**
 * Opens the store without waiting for it: while etcd is away commits throw 'store_down', the feed is silent, nobody leads;
 * once it is there everything goes on by itself.
 */
export function openEtcd(options: EtcdOptions): EtcdStore {
  const { server, clock, trouble = () => {} } = options
  const connection = new Connection(options)
  const lease = new Lease({ connection, clock, trouble })
  const backend = new GroupedBackend(new EtcdBackend({ connection, lease, clock, trouble }))
  const leadership = new EtcdLeadership({ connection, lease, clock, server, trouble })
  return {
    backend,
    leadership,
    [Symbol.asyncDispose]: async () => {
      using _ = connection
      await leadership[Symbol.asyncDispose]()
      await backend[Symbol.asyncDispose]()
      await lease[Symbol.asyncDispose]()
    },
  }
}
