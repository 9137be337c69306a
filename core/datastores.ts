/**
 * Kinds of databases that can be backed up. The engine that copies one has its name and leaves the keeping of the copies to
 * `keeper`. A new one does not compile until the agent has its engine and its tool.
 */
export const datastores = { sqlite: { keeper: 'restic' } } as const

/** One of them. */
export type DatastoreType = keyof typeof datastores

/** Whether a word (Freezer's mode, an engine's name) is a kind of database. */
export const isDatastore = (word: string): word is DatastoreType => Object.hasOwn(datastores, word)
