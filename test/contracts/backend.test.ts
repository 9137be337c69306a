import { afterAll, beforeAll } from 'vitest'
import { systemClock } from '../../core/clock-system.ts'
import { EtcdBackend } from '../../controller/etcd/backend.ts'
import { Connection } from '../../controller/etcd/connection.ts'
import { EtcdLeadership } from '../../controller/etcd/leadership.ts'
import { Lease } from '../../controller/etcd/lease.ts'
import { openEtcd } from '../../controller/etcd/open.ts'
import { memoryStore } from '../../controller/memory/backend.ts'
import { emptyEtcd } from '../support/etcd-keys.ts'
import { startEtcd, type ServerProcess } from '../support/servers.ts'
import { backendContract, type Member } from './backend.ts'

let etcd: ServerProcess
beforeAll(async () => {
  etcd = await startEtcd()
})
afterAll(() => etcd[Symbol.asyncDispose]())

let count = 0
const nothingToDo = async () => {}

backendContract('in memory', async () => {
  const store = memoryStore()
  return {
    join: async () => owning(store.leadership(), store.backend()),
    [Symbol.asyncDispose]: nothingToDo,
  }
})

backendContract('etcd, a request for each transaction', async () => {
  await emptyEtcd(etcd.url)
  return {
    join: async () => {
      const connection = new Connection({ endpoints: [etcd.url] })
      const context = { connection, clock: systemClock, trouble: () => {} }
      const lease = new Lease(context)
      const leadership = new EtcdLeadership({ ...context, lease, server: `server-${count++}` })
      const member = owning(leadership, new EtcdBackend({ ...context, lease }))
      return {
        ...member,
        [Symbol.asyncDispose]: async () => {
          using _ = connection
          await member[Symbol.asyncDispose]()
          await lease[Symbol.asyncDispose]()
        },
      }
    },
    [Symbol.asyncDispose]: nothingToDo,
  }
})

backendContract('etcd with group commit', async () => {
  await emptyEtcd(etcd.url)
  return {
    join: async () => openEtcd({ endpoints: [etcd.url], server: `server-${count++}`, clock: systemClock }),
    [Symbol.asyncDispose]: nothingToDo,
  }
})

/** The parts as one member, which ends them in this order. */
function owning(leadership: Member['leadership'], backend: Member['backend']): Member {
  return {
    backend,
    leadership,
    [Symbol.asyncDispose]: async () => {
      await leadership[Symbol.asyncDispose]()
      await backend[Symbol.asyncDispose]()
    },
  }
}
