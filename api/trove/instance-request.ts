import { z } from 'zod'
import { isFault } from '../../core/fault.ts'
import { clientId, instanceBackupId, isUuid, type ClientId } from '../../core/ids.ts'
import type { Instance } from '../../core/instance.ts'
import { createInstance } from '../../controller/use-cases/instances.ts'
import { EdgeFault } from '../faults.ts'
import { refusal, some } from '../fields.ts'
import type { Ask } from '../route.ts'
import { demandFlavor } from './flavors.ts'
import { datastoreIn, datastoresOf, versionIn } from './known-datastores.ts'
import { spelt } from './operation.ts'
import { nameText, uuidText } from './texts.ts'
import { bytesOf } from './times.ts'

const datastoreWish = z.looseObject({
  type: z.string().min(1).max(255).optional().meta({ description: 'By name or id.' }),
  version: z.string().min(1).max(255).optional().meta({ description: 'By name or id; it may differ.' }),
})

/** What an instance is asked for with. What else Trove knows of (networks, users, …) is ignored. */
export const instanceBody = z.looseObject({
  instance: z.looseObject({
    name: nameText,
    flavorRef: z
      .union([z.string().max(2048), z.number()])
      .optional()
      .meta({ description: 'The one flavor, when it is there.' }),
    volume: z
      .looseObject({
        size: z
          .number()
          .int()
          .min(1)
          .max(2 ** 22),
      })
      .optional()
      .meta({ description: 'The room for its data, in GB: not less than the backup has.' }),
    datastore: datastoreWish.optional(),
    availability_zone: z
      .string()
      .max(255)
      .nullable()
      .optional()
      .meta({ description: 'The node to create it on (`client_id`); else one is chosen.' }),
    restorePoint: z
      .looseObject({ backupRef: uuidText })
      .optional()
      .meta({ description: 'The backup to restore into it. Needed: there are no empty instances.' }),
    replica_of: z.unknown().optional().meta({ description: 'There are no replicas: 501.' }),
  }),
})

type Wish = z.infer<typeof instanceBody>['instance']

/** Where the fields that use cases name are in the body. */
const fields = { datastore: 'instance.datastore', volume: 'instance.volume' }

/** Does what a body asks for. Throws what the use case does, and EdgeFault 'not_implemented' for what is no restore. */
export async function createFrom(ask: Ask, wish: Wish): Promise<Instance> {
  if (wish.replica_of !== undefined && wish.replica_of !== null)
    throw new EdgeFault('not_implemented', "instance['replica_of']: there are no replicas here")
  if (!wish.restorePoint)
    throw new EdgeFault(
      'not_implemented',
      "instance['restorePoint']: an instance is made from a backup only; agents announce the others",
    )
  if (wish.flavorRef !== undefined) demandFlavor(wish.flavorRef)
  const asked = {
    ...{ name: wish.name, backup: instanceBackupId(wish.restorePoint.backupRef) },
    ...some('datastore', datastoreOf(ask, wish.datastore)),
    ...some('volumeBytes', wish.volume ? bytesOf(wish.volume.size) : undefined),
    ...some('client', nodeOf(wish.availability_zone)),
  }
  try {
    return (await createInstance(ask.served.context, ask.caller, asked)).value
  } catch (error) {
    throw spelt(error, fields)
  }
}

/** Names for ids. What has only a version says nothing, for that may differ. Throws Fault('not_found') for an unknown id. */
function datastoreOf(ask: Ask, wish: Wish['datastore']): { type: string; version?: string } | undefined {
  if (wish?.type === undefined) return undefined
  const { type, version } = wish
  if (!isUuid(type)) return { type, ...some('version', isUuid(version ?? '') ? undefined : version) }
  const known = datastoreIn(datastoresOf(ask.served.context.state, ask.caller.project), type)
  return {
    type: known.type,
    ...some('version', version === undefined ? undefined : versionIn(known, version).name),
  }
}

function nodeOf(zone: string | null | undefined): ClientId | undefined {
  if (zone === undefined || zone === null || zone === '') return undefined
  try {
    return clientId(zone)
  } catch (error) {
    if (isFault(error, 'bad_request')) throw refusal('instance.availability_zone', 'is no name of a node')
    throw error
  }
}
