import type { Clock } from '../../core/clock.ts'
import type { InstanceProbe, InstanceTemplate } from '../../core/instance.ts'
import type { Database, Databases, DatastoreTool, Looked } from '../ports/databases.ts'

/** What is told of databases, in the hello and when it has changed. */
export interface Announced {
  readonly instances: readonly InstanceProbe[]
  readonly templates: readonly InstanceTemplate[]
}

interface Tools {
  readonly databases: Databases
  readonly datastores: readonly DatastoreTool[]
  readonly clock: Clock
  /** Whether a line took it. */
  readonly send: (announced: Announced) => boolean
}

/** Between two looks when nothing else calls for one. Milliseconds. */
const lookEveryMs = 30_000
/** A database whose file system does not answer for so long is down. Milliseconds. */
const lookWithinMs = 5_000
/** A change of size that is worth a message: so many bytes, and such a part of what was told. */
const movedMin = 2 ** 20
const movedPart = 0.1

/** Knows how the node's databases are, and tells the servers when that changes. */
export class Announcer {
  readonly #tools: Tools
  readonly #looks = new Map<string, Promise<Looked>>()
  #current: Announced = { instances: [], templates: [] }
  #told: Announced = this.#current
  #looking: Promise<void> | undefined
  #again = false

  constructor(tools: Tools) {
    this.#tools = tools
  }

  /** For a hello: counts as told. */
  announce(): Announced {
    this.#told = this.#current
    return this.#current
  }

  /** Looks at all databases, and tells of what has changed. A call during a look has another one follow. Never throws. */
  look(): Promise<void> {
    if (this.#looking) {
      this.#again = true
      return this.#looking
    }
    this.#looking = this.#lookOn().finally(() => (this.#looking = undefined))
    return this.#looking
  }

  /** Looks now and then until the signal aborts. Never throws. */
  async keepUp(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#tools.clock.sleep(lookEveryMs, signal).catch(() => undefined)
      if (!signal.aborted) await this.look()
    }
  }

  async #lookOn(): Promise<void> {
    do {
      this.#again = false
      await this.#lookOnce()
    } while (this.#again)
  }

  async #lookOnce(): Promise<void> {
    const { databases, send } = this.#tools
    const known = databases.all()
    for (const path of this.#looks.keys())
      if (!known.some((database) => database.path === path)) this.#looks.delete(path)
    const instances = await Promise.all(known.map((database) => this.#probe(database)))
    const templates = databases.templates.map(({ name, datastore }) => ({
      ...{ name, datastore: { type: datastore, version: this.#toolFor(datastore)?.version ?? 'unknown' } },
    }))
    this.#current = { instances, templates }
    if (differs(this.#told, this.#current) && send(this.#current)) this.#told = this.#current
  }

  async #probe({ key, name, datastore, path }: Database): Promise<InstanceProbe> {
    const tool = this.#toolFor(datastore)
    const looked = tool ? await this.#lookAt(tool, path) : unknownDatastore
    return { key, name, datastore: { type: datastore, version: tool?.version ?? 'unknown' }, ...looked }
  }

  /** A look that hangs is not repeated: each one holds a thread of this process. */
  async #lookAt(tool: DatastoreTool, path: string): Promise<Looked> {
    const { clock } = this.#tools
    const looking = this.#looks.get(path) ?? tool.look(path).finally(() => this.#looks.delete(path))
    this.#looks.set(path, looking)
    const over = new AbortController()
    const late = clock.sleep(lookWithinMs, over.signal).then(
      () => silent,
      () => silent,
    )
    const looked = await Promise.race([looking, late])
    over.abort()
    return looked
  }

  #toolFor(type: string): DatastoreTool | undefined {
    return this.#tools.datastores.find((tool) => tool.type === type)
  }
}

const silent: Looked = { up: false, problem: 'its file system does not answer' }
const unknownDatastore: Looked = { up: false, problem: 'this agent does not know its datastore' }

function differs(told: Announced, now: Announced): boolean {
  const withoutSizes = ({ instances, templates }: Announced): string =>
    JSON.stringify([instances.map(({ bytes, ...rest }) => [bytes === undefined, rest]), templates])
  if (withoutSizes(told) !== withoutSizes(now)) return true
  return now.instances.some(({ bytes = 0 }, at) => {
    const before = told.instances[at]?.bytes ?? 0
    return Math.abs(bytes - before) > Math.max(movedMin, before * movedPart)
  })
}
