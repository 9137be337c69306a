import type { JsonObject } from '../../core/action.ts'
import type { Client } from '../../core/catalogue.ts'
import { Fault } from '../../core/fault.ts'
import type { ClientId, ProjectId } from '../../core/ids.ts'
import { put, ref, unchanged, type Stored } from '../state/documents.ts'
import { scoped } from '../state/indexes.ts'
import type { Caller, Context } from './context.ts'
import { isServerRun, withJobPlan, withSessionPlan } from './job-planning.ts'
import { documentMax } from './jobs.ts'
import { commitSession } from './sessions.ts'
import { retrying } from './retrying.ts'

export interface ClientFields {
  readonly id: ClientId
  readonly hostname?: string
  readonly description?: string
  readonly uuid?: string
  readonly extra?: JsonObject
}

/** Registers a node whose scheduler is not ours. Throws Fault 'conflict' when the name is taken, 'store_down'. */
export async function registerClient(
  context: Context,
  caller: Caller,
  fields: ClientFields,
): Promise<Stored<Client>> {
  const { project } = caller
  const client = newClient(context, caller, fields)
  refuseLarge(client)
  return retrying(context, async () => {
    if (context.state.get('client', project, fields.id))
      throw new Fault('conflict', `client_id: client ${fields.id} is already registered`, {
        field: 'client_id',
      })
    const revision = await context.state.commit({
      requires: [unchanged('client', project, fields.id, undefined)],
      puts: [put('client', project, fields.id, client)],
    })
    return { value: client, revision }
  })
}

/**
 * Changes what `fields` name and nothing else; other keys are merged. Throws Fault 'not_found', 'stale_write', 'store_down'.
 */
export async function changeClient(
  context: Context,
  caller: Caller,
  id: ClientId,
  { extra, ...fields }: Omit<ClientFields, 'id'>,
): Promise<void> {
  await retrying(context, async () => {
    const before = existingClient(context, caller, id)
    const merged = { ...before.value.extra, ...extra }
    const client = {
      ...before.value,
      ...fields,
      ...(Object.keys(merged).length > 0 ? { extra: merged } : {}),
    }
    refuseLarge(client)
    await context.state.commit({
      requires: [unchanged('client', caller.project, id, before)],
      puts: [put('client', caller.project, id, client)],
    })
  })
}

function refuseLarge(client: Client): void {
  if (JSON.stringify(client).length > documentMax)
    throw new Fault('too_much', `the client has more than ${documentMax} characters`)
}

/** A client as it is before anything is known of an agent. */
export function newClient(
  { clock, secrets }: Pick<Context, 'clock' | 'secrets'>,
  { project, user }: Pick<Caller, 'project' | 'user'>,
  { id, hostname = '', description = '', uuid = secrets.uuid(), extra }: ClientFields,
): Client {
  return {
    ...{ id, project, user, hostname, description, uuid },
    ...(extra ? { extra } : {}),
    labels: {},
    line: { is: 'never' },
    createdAt: clock.now(),
  }
}

/** The caller's client. Throws Fault('not_found') for another project's, too. */
export function existingClient(
  { state }: Pick<Context, 'state'>,
  { project }: Caller,
  id: ClientId,
): Stored<Client> {
  const client = state.get('client', project, id)
  if (!client) throw new Fault('not_found', `no client ${id}`)
  return client
}

/**
 * Forgets a client. An enrolled one may not connect any more, which takes an administrator; its jobs stay, and are no
 * longer planned. Throws Fault 'not_found', 'forbidden', 'stale_write', 'store_down'.
 */
export async function removeClient(context: Context, caller: Caller, id: ClientId): Promise<void> {
  await retrying(context, async () => {
    const client = existingClient(context, caller, id)
    if (client.value.enrolled && caller.role !== 'admin')
      throw new Fault('forbidden', 'removing an enrolled client takes the role admin')
    await context.state.commit({
      requires: [unchanged('client', caller.project, id, client)],
      puts: [],
      deletes: [ref('client', caller.project, id)],
    })
  })
  await replanJobsOf(context, caller.project, id, false)
}

/**
 * Keeps a client's agent out from now on; its certificate is worth nothing any more. Its jobs are no longer planned.
 * Throws Fault 'not_found', 'stale_write', 'store_down'. Done again it changes nothing.
 */
export async function revokeClient(context: Context, caller: Caller, id: ClientId): Promise<void> {
  await retrying(context, async () => {
    const client = existingClient(context, caller, id)
    const { enrolled } = client.value
    if (!enrolled || enrolled.revokedAt !== undefined) return
    await context.state.commit({
      requires: [unchanged('client', caller.project, id, client)],
      puts: [
        put('client', caller.project, id, {
          ...client.value,
          enrolled: { ...enrolled, revokedAt: context.clock.now() },
        }),
      ],
    })
  })
  await replanJobsOf(context, caller.project, id, false)
}

/**
 * Plans what depends on who runs a client's jobs, after that changed: `isRun` says whether the servers run them now. Every
 * write of a job compares its client, so none slips in between with the older answer.
 */
export async function replanJobsOf(
  context: Context,
  project: ProjectId,
  client: ClientId,
  isRun: boolean,
): Promise<void> {
  const { state } = context
  await state.catchUp()
  const sessions = new Set<string>()
  for (const { value } of [...state.where('job', 'client', scoped(project, client))]) {
    if (value.session !== undefined) sessions.add(value.session)
    await retrying(context, async () => {
      const job = state.get('job', project, value.id)
      if (!job || job.value.client !== client || isServerRun(context, job.value) !== isRun) return
      const planned = withJobPlan(context, job.value, job.value, !isRun && job.value.plan.next !== undefined)
      if (planned.plan === job.value.plan) return
      await state.commit({
        requires: [unchanged('job', project, value.id, job)],
        puts: [put('job', project, value.id, planned)],
      })
    })
  }
  for (const id of sessions)
    await retrying(context, async () => {
      const session = state.get('session', project, id)
      if (!session) return
      const fired = session.value.plan.next !== undefined
      const planned = withSessionPlan(context, session.value, session.value, { fired })
      if (planned.plan !== session.value.plan) await commitSession(context, planned, session)
    })
}
