import { readFileSync, renameSync } from 'node:fs'
import { lstat, open, rename, stat } from 'node:fs/promises'
import path from 'node:path'
import { Fault } from '../../core/fault.ts'
import { isInstanceKey } from '../../core/instance.ts'
import type { Database, Databases, MadeBy, Template } from '../ports/databases.ts'

/** In the state directory: what was made from templates. */
const fileName = 'instances.json'
const format = 1

/** What is written down of a database that was made here; where it lies follows from its template. */
interface Made {
  readonly key: string
  readonly name: string
  readonly template: string
  readonly madeBy: MadeBy
  /** Of the folder that it was made in: where a file system is mounted there is another one while it is not. */
  readonly rootInode?: string
}

interface Settings {
  readonly stateDir: string
  readonly instances: readonly Database[]
  readonly templates: readonly Template[]
}

/**
 * The databases of the configuration, and those made from its templates, which a file of the state directory remembers.
 * One whose template is not configured any more, or whose key the configuration uses, stays in the file and does not count.
 */
export class KeptDatabases implements Databases {
  readonly templates: readonly Template[]
  /** Where a file that could not be read was put. */
  readonly damaged: string | undefined
  readonly #declared: readonly Database[]
  readonly #file: string
  #made: readonly Made[]
  #writing: Promise<unknown> = Promise.resolve()

  /** Throws Fault('unsupported') for a file of a later version, and what the file system throws. */
  constructor({ stateDir, instances, templates }: Settings) {
    this.#file = path.join(stateDir, fileName)
    this.#declared = instances
    this.templates = templates
    const read = readMade(this.#file)
    this.#made = read ?? []
    this.damaged = read === undefined ? `${this.#file}.damaged` : undefined
  }

  all(): readonly Database[] {
    const taken = new Set(this.#declared.map(({ key }) => key))
    const made = this.#made.flatMap((it) => (taken.has(it.key) ? [] : this.#databaseOf(it)))
    return [...this.#declared, ...made]
  }

  find(key: string): Database | undefined {
    return this.all().find((database) => database.key === key)
  }

  pathOf({ root }: Template, key: string): string {
    return path.join(root, `${key}.db`)
  }

  add(database: Parameters<Databases['add']>[0]): Promise<void> {
    const { key, name, template, madeBy } = database
    return this.#change(async (made) => {
      if (this.find(key) ?? made.find((it) => it.key === key))
        throw new Fault('conflict', `there is an instance ${key} already`)
      const rootInode = await inodeOf(template.root)
      const inode = rootInode === undefined ? {} : { rootInode }
      return [...made, { key, name, template: template.name, madeBy, ...inode }]
    })
  }

  remove(key: string): Promise<void> {
    return this.#change(async (made) => made.filter((it) => it.key !== key))
  }

  async isMissing(key: string): Promise<boolean> {
    const database = this.find(key)
    const rootInode = this.#made.find((it) => it.key === key)?.rootInode
    if (database?.within === undefined || rootInode === undefined) return false
    return !(await mayBeThere(database.path)) && (await inodeOf(database.within)) === rootInode
  }

  #databaseOf({ key, name, template: wanted, madeBy }: Made): Database[] {
    const template = this.templates.find((it) => it.name === wanted)
    if (!template) return []
    const { datastore, root } = template
    return [{ key, name, datastore, path: this.pathOf(template, key), within: root, madeBy }]
  }

  /** One change after the other, in the order in which they were asked for; each counts once the disk has it. */
  #change(next: (made: readonly Made[]) => Promise<readonly Made[]>): Promise<void> {
    const change = this.#writing.then(async () => {
      const made = await next(this.#made)
      await replace(this.#file, `${JSON.stringify({ format, instances: made }, undefined, 2)}\n`)
      this.#made = made
    })
    this.#writing = change.catch(() => undefined)
    return change
  }
}

/** undefined: it cannot be said. */
const inodeOf = (folder: string): Promise<string | undefined> =>
  stat(folder, { bigint: true }).then(
    ({ ino }) => String(ino),
    () => undefined,
  )

const mayBeThere = (file: string): Promise<boolean> =>
  lstat(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  )

/** undefined: it cannot be read, and was put aside. */
function readMade(file: string): Made[] | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  const read = madeIn(text)
  if (read === undefined) renameSync(file, `${file}.damaged`)
  else if (read.format !== format)
    throw new Fault('unsupported', `${file} has format ${read.format}: written by a later version`)
  return read?.made
}

function madeIn(text: string): { readonly format: number; readonly made: Made[] } | undefined {
  try {
    const value = JSON.parse(text) as { readonly format?: unknown; readonly instances?: unknown }
    if (typeof value.format !== 'number') return undefined
    if (value.format !== format) return { format: value.format, made: [] }
    if (!Array.isArray(value.instances) || !value.instances.every(isMade)) return undefined
    return { format, made: value.instances }
  } catch {
    return undefined
  }
}

function isMade(value: unknown): value is Made {
  const {
    key,
    name,
    template,
    madeBy,
    rootInode = '',
  } = (value ?? {}) as Partial<Record<keyof Made, unknown>>
  const { run, step } = (madeBy ?? {}) as Partial<Record<keyof MadeBy, unknown>>
  const texts = [key, name, template, run, step, rootInode]
  return texts.every((text) => typeof text === 'string') && isInstanceKey(key as string)
}

async function replace(file: string, text: string): Promise<void> {
  const fresh = `${file}.new`
  {
    await using handle = await open(fresh, 'w', 0o600)
    await handle.writeFile(text)
    await handle.sync()
  }
  await rename(fresh, file)
  await using folder = await open(path.dirname(file), 'r')
  await folder.sync()
}
