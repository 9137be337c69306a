// Databases that nobody has to write down.
import path from 'node:path'
import { Fault } from '../../core/fault.ts'
import type { Database, Databases, Template } from '../../agent/ports/databases.ts'

/** These, and whatever is added. */
export function memoryDatabases(
  declared: readonly Database[] = [],
  templates: readonly Template[] = [],
): Databases {
  let all = [...declared]
  const pathOf = ({ root }: Template, key: string): string => path.join(root, `${key}.db`)
  return {
    templates,
    pathOf,
    all: () => all,
    find: (key) => all.find((database) => database.key === key),
    async add({ key, name, template, madeBy }) {
      if (all.some((database) => database.key === key)) throw new Fault('conflict', `${key} is taken`)
      const { datastore, root: within } = template
      all.push({ key, name, datastore, path: pathOf(template, key), within, madeBy })
    },
    async remove(key) {
      all = all.filter((database) => database.key !== key)
    },
    isMissing: () => Promise.resolve(false),
  }
}
