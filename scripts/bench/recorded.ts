// The transactions that creating jobs makes, without making them.
import { randomBytes, randomUUID } from 'node:crypto'
import { readJob } from '../../api/freezer/job-document.ts'
import type { Connection } from '../../controller/etcd/connection.ts'
import { keyOf, refOf } from '../../controller/etcd/keys.ts'
import type { JsonObject } from '../../core/action.ts'
import type { Backend, Entry, RawTransaction } from '../../controller/ports/backend.ts'
import { State } from '../../controller/state/state.ts'
import { createJob } from '../../controller/use-cases/jobs.ts'
import type { Caller, Context } from '../../controller/use-cases/context.ts'
import { systemClock } from '../../core/clock-system.ts'
import { userId } from '../../core/ids.ts'
import { project } from './rig.ts'
import { enrolledNodes, jobDocument, nodeName } from './seed.ts'

const caller: Caller = { project, user: userId('admin'), userName: 'admin', role: 'admin' }

/** Makes transactions as `POST /v1/jobs` does with such documents, over the clients that etcd has now. */
export async function recorder(
  connection: Connection,
  documentOf: (n: number) => JsonObject = jobDocument,
): Promise<(count: number) => Promise<RawTransaction[]>> {
  const recorded: RawTransaction[] = []
  const state = new State(recordingBackend(await storedClients(connection), recorded), systemClock)
  const context: Context = {
    state,
    clock: systemClock,
    // Jobs of these documents hold no secret.
    sealer: { seal: (secret) => secret, open: (sealed) => sealed },
    secrets: {
      uuid: () => randomUUID().replaceAll('-', ''),
      random: (bytes) => randomBytes(bytes).toString('base64url'),
    },
    settings: {
      defaultRepository: '/srv/{client}',
      startMs: 60_000,
      runMs: 60_000,
      prepareMs: 60_000,
      backupsPerProject: 50,
    },
    holdsLine: () => false,
  }
  let next = 0
  return async (count) => {
    for (let n = 0; n < count; n++) await createJob(context, caller, readJob(documentOf(next++)))
    return recorded.splice(0)
  }
}

function recordingBackend(entries: readonly Entry[], recorded: RawTransaction[]): Backend {
  let revision = Math.max(...entries.map((entry) => entry.revision))
  return {
    commit: async (transaction) => {
      recorded.push(transaction)
      return ++revision
    },
    follow: (feed) => {
      const listing = feed.listing()
      listing.part(entries)
      listing.done(revision)
      return { [Symbol.asyncDispose]: async () => undefined }
    },
    revision: async () => revision,
    [Symbol.asyncDispose]: async () => undefined,
  }
}

async function storedClients(connection: Connection): Promise<Entry[]> {
  const keyOfNode = (n: number): Buffer => keyOf({ kind: 'client', project, id: nodeName(n) })
  const answer = await connection.range({ key: keyOfNode(0), range_end: keyOfNode(enrolledNodes) })
  return answer.kvs.flatMap(({ key, value, mod_revision }) => {
    const ref = refOf(key)
    return ref ? [{ ...ref, text: value.toString(), revision: Number(mod_revision) }] : []
  })
}
