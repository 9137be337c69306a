import { uuidOfName } from '../../core/ids.ts'
import type { Datastore } from '../../core/instance.ts'

/** Databases of a kind are known by its name: so the id is the same on every server, at any time. */
export const datastoreIdOf = (type: string): string => uuidOfName('datastore', type)

export const versionIdOf = ({ type, version }: Datastore): string => uuidOfName('datastore', type, version)
