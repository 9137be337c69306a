import { z } from 'zod'
import type { Instance } from '../../core/instance.ts'
import type { Ask } from '../route.ts'
import { linksTo, selfLinks } from './links.ts'
import { nodeFlavor } from './flavors.ts'
import { gigabytes, troveTime } from './times.ts'

/** A database that an agent looks after, as Trove shows one. */
export const instanceForm = z.object({
  id: z.string(),
  name: z.string(),
  status: z.enum(['BUILD', 'ACTIVE', 'BACKUP', 'SHUTDOWN', 'ERROR']).meta({
    description: 'BACKUP while one is being made; a backup can be made of an ACTIVE one only.',
  }),
  operating_status: z.enum(['NEW', 'HEALTHY', 'SHUTDOWN', 'ERROR']),
  datastore: z.object({ type: z.string(), version: z.string(), version_number: z.string() }),
  flavor: z.object({ id: z.string(), links: selfLinks }),
  volume: z.object({
    size: z.number().meta({ description: 'In whole GB: what its data needs, for nodes have no volumes.' }),
    used: z.number().nullable().meta({ description: 'Its data, in GB; null while unknown.' }),
  }),
  links: selfLinks,
  region: z.string(),
  access: z.object({}),
  created: z.string(),
  updated: z.string(),
  service_status_updated: z.string(),
  tenant_id: z.string(),
  fault: z
    .object({ message: z.string(), created: z.string(), details: z.string() })
    .optional()
    .meta({ description: 'The last thing that went wrong, such as why a backup failed.' }),
  firn: z.object({
    client_id: z.string().meta({ description: 'The node that it is on.' }),
    key: z.string().meta({ description: 'What its agent calls it.' }),
    problem: z.string().nullable().meta({ description: 'Why no backup can be made of it now.' }),
  }),
})

type View = z.infer<typeof instanceForm>

function statusOf({ state, busy }: Instance): Pick<View, 'status' | 'operating_status'> {
  switch (state.is) {
    case 'building':
      return { status: 'BUILD', operating_status: 'NEW' }
    case 'error':
      return { status: 'ERROR', operating_status: 'ERROR' }
    case 'down':
      return { status: busy ? 'BACKUP' : 'SHUTDOWN', operating_status: 'SHUTDOWN' }
    case 'active':
      return { status: busy ? 'BACKUP' : 'ACTIVE', operating_status: 'HEALTHY' }
  }
}

export function instanceView(ask: Ask, instance: Instance): View {
  const { datastore, state, bytes, fault } = instance
  const used = bytes === undefined ? null : gigabytes(bytes)
  const updated = troveTime(instance.updatedAt)
  return {
    ...{ id: instance.id, name: instance.name },
    ...statusOf(instance),
    datastore: { ...datastore, version_number: datastore.version },
    flavor: { id: nodeFlavor, links: linksTo(ask, `/flavors/${nodeFlavor}`) },
    volume: { size: Math.max(1, Math.ceil(used ?? 0)), used },
    links: linksTo(ask, `/instances/${instance.id}`),
    ...{ region: 'RegionOne', access: {} },
    ...{ created: troveTime(instance.createdAt), updated, service_status_updated: updated },
    tenant_id: instance.project,
    ...(fault
      ? { fault: { message: fault.text, created: troveTime(fault.at), details: fault.details ?? '' } }
      : {}),
    firn: {
      ...{ client_id: instance.client, key: instance.key },
      problem: state.is === 'down' || state.is === 'error' ? state.why : null,
    },
  }
}
