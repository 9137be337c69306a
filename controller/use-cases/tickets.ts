import { Fault } from '../../core/fault.ts'
import type { ClientId, JobId, ProjectId, UserId } from '../../core/ids.ts'
import type { Run, Task } from '../../core/run.ts'
import type { Sealer } from './context.ts'

/**
 * What servers must know of a run that an agent starts by itself, as of the time when it was told how to: the job may have been
 * changed or deleted when they hear of the run. The agent keeps it for them and cannot read it.
 */
export interface Ticket {
  readonly project: ProjectId
  readonly client: ClientId
  readonly job: JobId
  readonly user: UserId
  readonly generation: number
  readonly tasks: readonly Task[]
  readonly limits: Run['limits']
}

const version = 1

const placeOf = ({ project, client, job }: Pick<Ticket, 'project' | 'client' | 'job'>): string =>
  `ticket/${project}/${client}/${job}`

/** Sealed for the agent to give back. */
export const ticketOf = (sealer: Sealer, ticket: Ticket): string =>
  sealer.seal(JSON.stringify({ v: version, ...ticket }), placeOf(ticket))

/**
 * A ticket of this client and job. Throws Fault('forbidden') for one that no server has sealed, or for another client,
 * 'unsupported' for one of a later version.
 */
export function openTicket(
  sealer: Sealer,
  sealed: string,
  of: Pick<Ticket, 'project' | 'client' | 'job'>,
): Ticket {
  const { v, ...ticket } = JSON.parse(sealer.open(sealed, placeOf(of))) as { v: number } & Ticket
  if (v !== version) throw new Fault('unsupported', `a ticket of version ${v}`)
  return ticket
}
