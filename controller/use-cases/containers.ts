import type { RepositoryChoice } from '../../core/action.ts'
import type { InstanceBackup } from '../../core/instance.ts'
import { uuidOfName } from '../../core/ids.ts'
import { defaultLocation } from './new-run.ts'

/** Folder, beside those of the engines, that holds the repositories of containers: no engine is called so. */
const folder = 'databases'

/** A folder's name, and "%" as "%25", stays below the 255 bytes that file systems take. */
const nameMax = 120

/**
 * The repository of a container: a folder of its own on the instance's node. Two containers never share one, nor does any
 * engine's default repository lie in it.
 */
export const containerPlace = (
  template: string,
  project: string,
  client: string,
  container: string,
): RepositoryChoice => ({
  is: 'place',
  storage: 'local',
  container: defaultLocation(template, project, client, `${folder}/${folderOf(container)}`),
})

/** A container's name as that of a folder: what is not plain is percent-encoded, so that two never become one. */
function folderOf(container: string): string {
  const plain = encodeURIComponent(container.toWellFormed())
    .replace(/[!'()*~]/g, hex)
    .replace(/^\./, hex)
  // No percent-encoding holds "%-".
  return plain.length <= nameMax ? plain : `%-${uuidOfName('container', container)}`
}

const hex = (char: string): string => `%${char.charCodeAt(0).toString(16).toUpperCase()}`

/**
 * Where the data of a completed backup lies, in a form that Trove's users know: a URL whose last part begins with the
 * backup's id, in its container.
 */
export const locationOf = ({ id, project, client, container, datastore }: InstanceBackup): string =>
  ['firn:/', client, project, encodeURIComponent(container.toWellFormed()), `${id}.${datastore.type}`].join(
    '/',
  )
