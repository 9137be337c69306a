import { z } from 'zod'
import { Fault } from '../../core/fault.ts'
import { instanceBackupId, instanceId } from '../../core/ids.ts'
import type { InstanceBackup } from '../../core/instance.ts'
import {
  createInstanceBackup,
  registerInstanceBackup,
  type NewInstanceBackup,
} from '../../controller/use-cases/instance-backups.ts'
import { missing, some } from '../fields.ts'
import type { Ask } from '../route.ts'
import { datastoresOf } from './known-datastores.ts'
import { asNotImplemented, spelt } from './operation.ts'
import { containerText, nameText, uuidText } from './texts.ts'
import { bytesOf } from './times.ts'

/** More gigabytes than bytes can be counted for. */
const gigabytesMax = 2 ** 22

const restoreFrom = z.looseObject({
  remote_location: z.string().min(1).max(2048).meta({ description: 'The `locationRef` of a backup.' }),
  local_datastore_version_id: uuidText.meta({ description: 'The id of a version of a datastore here.' }),
  size: z.number().min(0).max(gigabytesMax).meta({ description: 'Of the data, in GB.' }),
})

/** What a backup is asked for with. Fields that it does not know are ignored, as Trove does. */
export const backupBody = z.looseObject({
  backup: z.looseObject({
    name: nameText,
    instance: uuidText
      .optional()
      .meta({ description: 'What to back up. Needed unless `restore_from` is there.' }),
    description: nameText.optional(),
    parent_id: uuidText.optional().meta({ description: 'Build on this backup of the same instance.' }),
    incremental: z.literal([0, 1]).optional().meta({
      description:
        'The number 1: build on the latest completed backup of the instance; without one, a full backup.',
    }),
    swift_container: containerText
      .optional()
      .meta({ description: 'Where to store it; else as the strategies say, else `database_backups`.' }),
    storage_driver: z.string().optional().meta({ description: 'Taken, and without effect.' }),
    restore_from: restoreFrom
      .optional()
      .meta({ description: 'Make a record of data that is there already; then `instance` is ignored.' }),
  }),
})

type Wish = z.infer<typeof backupBody>['backup']

/** Where the fields that use cases name are in the body. */
const fields = {
  parent_id: 'backup.parent_id',
  remote_location: 'backup.restore_from.remote_location',
}

/** Does what a body asks for. Throws what the use cases do, and EdgeFault 'not_implemented' where a node cannot back up. */
export async function createFrom(ask: Ask, wish: Wish): Promise<InstanceBackup> {
  if (wish.restore_from) return register(ask, wish, wish.restore_from)
  if (wish.instance === undefined) throw missing('backup.instance')
  const asked: NewInstanceBackup = {
    ...{ instance: instanceId(wish.instance), name: wish.name, incremental: wish.incremental === 1 },
    ...some('description', wish.description),
    ...some('parent', wish.parent_id === undefined ? undefined : instanceBackupId(wish.parent_id)),
    ...some('container', wish.swift_container),
  }
  try {
    return (await createInstanceBackup(ask.served.context, ask.caller, asked)).value
  } catch (error) {
    throw asNotImplemented(spelt(error, fields))
  }
}

async function register(
  ask: Ask,
  { name, description }: Wish,
  from: z.infer<typeof restoreFrom>,
): Promise<InstanceBackup> {
  const { context } = ask.served
  const version = from.local_datastore_version_id.toLowerCase()
  const known = datastoresOf(context.state, ask.caller.project)
  if (!known.some(({ versions }) => versions.some(({ id }) => id === version)))
    throw new Fault('not_found', `no version ${version} of any datastore`)
  const wish = { name, location: from.remote_location, bytes: bytesOf(from.size) }
  try {
    const described = { ...wish, ...some('description', description) }
    return (await registerInstanceBackup(context, ask.caller, described)).value
  } catch (error) {
    throw spelt(error, fields)
  }
}
