import { z } from 'zod'
import type { JsonObject } from '../../core/action.ts'
import { clientId } from '../../core/ids.ts'
import type { ClientFields } from '../../controller/use-cases/clients.ts'
import { othersOf, some } from '../fields.ts'
import { line } from '../plain-text.ts'
import { clientText, description, ignored } from './forms.ts'

const clientShape = {
  hostname: line(z.string().max(255)).optional(),
  description: description.optional(),
  uuid: line(z.string().max(255)).optional().meta({ description: 'Made when absent' }),
  ...{ user_id: ignored, project_id: ignored, _version: ignored, firn: ignored, client: ignored },
}

/** A node as its scheduler registers it, open. */
export const clientForm = z
  .looseObject({ client_id: clientText, ...clientShape })
  .meta({ id: 'FreezerClient' })

/** What a PATCH may say of a client. */
export const clientChangeForm = z
  .looseObject({ client_id: ignored, ...clientShape })
  .meta({ id: 'FreezerClientChange' })

/**
 * What the server knows of a client under names of its own, as it is shown and as it is stored: ignored like the ids of the
 * owner, for a client that reads such a key back would believe it.
 */
const serverKeys = [
  ...['id', 'project', 'user', 'extra', 'createdAt', 'created_at', 'version'],
  ...['enrolled', 'enrolled_at', 'revoked_at', 'line', 'since', 'agent', 'labels'],
]

const clientKeys: ReadonlySet<string> = new Set([...Object.keys(clientForm.shape), ...serverKeys])

/** What a checked document says of a client. */
export function readClientChange(document: JsonObject): Omit<ClientFields, 'id'> {
  const { hostname, description, uuid } = document as z.output<typeof clientChangeForm>
  return {
    ...some('hostname', hostname),
    ...some('description', description),
    ...some('uuid', uuid || undefined),
    ...some('extra', othersOf(document, clientKeys)),
  }
}

export const readClient = (document: JsonObject): ClientFields => ({
  id: clientId(document['client_id']),
  ...readClientChange(document),
})
