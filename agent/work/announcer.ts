import type { Clock } from '../../core/clock.ts'
import type { InstanceProbe, InstanceTemplate } from '../../core/instance.ts'
import type { Database, Databases, DatastoreTool, Looked } from '../ports/databases.ts'
import type { Recorder } from '../ports/events.ts'

/** What is told of databases, in the hello and when it has changed. */
export interface Announced {
  readonly instances: readonly InstanceProbe[]
  readonly templates: readonly InstanceTemplate[]
}

interface Tools {
  readonly databases: Databases
  readonly datastores: readonly DatastoreTool[]
  readonly clock: Clock
  readonly record: Recorder
  /** Whether a line took it. */
  readonly send: (announced: Announced) => boolean
}

/** Between two looks when nothing else calls for one. Milliseconds. */
const lookEveryMs = 30_000
/** A database whose file system does not answer for so long is down. Milliseconds. */
const lookWithinMs = 5_000
/** One that was made here, and whose file has been missing for so long, is none any more. Milliseconds. */
const goneAfterMs = 600_000
/** A change of size that is worth a message: so many bytes, and such a part of what was told. */
const movedMin = 2 ** 20
const movedPart = 0.1

/** What a look has found; `missing`: it was made here, and somebody has taken its file away. */
interface Found extends Looked {
  readonly missing?: boolean
}

/**
 * Knows how the node's databases are, and tells the servers when that changes. One that was made here and whose file is gone
 * for good is dropped: nobody but who removed the file could say so.
 */
export class Announcer {
  readonly #tools: Tools
  readonly #looks = new Map<string, Promise<Found>>()
  /** Of those whose file is missing: since when, on the monotonic clock. */
  readonly #missing = new Map<string, number>()
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
    for (const key of this.#missing.keys()) if (!databases.find(key)) this.#missing.delete(key)
    const probes = await Promise.all(known.map((database) => this.#probe(database)))
    const instances = probes.flatMap((probe) => probe ?? [])
    const templates = databases.templates.map(({ name, datastore }) => ({
      ...{ name, datastore: { type: datastore, version: this.#toolFor(datastore)?.version ?? 'unknown' } },
    }))
    this.#current = { instances, templates }
    if (differs(this.#told, this.#current) && send(this.#current)) this.#told = this.#current
  }

  /** undefined: it was dropped. */
  async #probe(database: Database): Promise<InstanceProbe | undefined> {
    const { key, name, datastore } = database
    const tool = this.#toolFor(datastore)
    const { missing = false, ...looked }: Found = tool ? await this.#lookAt(tool, database) : unknownDatastore
    if (await this.#isDropped(key, missing)) return undefined
    return { key, name, datastore: { type: datastore, version: tool?.version ?? 'unknown' }, ...looked }
  }

  /** A look that hangs is not repeated: each one holds a thread of this process. */
  async #lookAt(tool: DatastoreTool, database: Database): Promise<Found> {
    const { clock } = this.#tools
    const { path } = database
    const looking =
      this.#looks.get(path) ?? this.#find(tool, database).finally(() => this.#looks.delete(path))
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

  async #find(tool: DatastoreTool, { key, path, madeBy }: Database): Promise<Found> {
    const looked = await tool.look(path)
    if (looked.up || !madeBy || !(await this.#tools.databases.isMissing(key))) return looked
    return { ...looked, missing: true }
  }

  /** Whether one that was made here has been missing for too long, and is remembered no more. */
  async #isDropped(key: string, missing: boolean): Promise<boolean> {
    const { clock, databases, record } = this.#tools
    const now = clock.monotonic()
    if (!missing) {
      this.#missing.delete(key)
      return false
    }
    const since = this.#missing.get(key) ?? now
    this.#missing.set(key, since)
    if (now - since < goneAfterMs) return false
    try {
      await databases.remove(key)
    } catch {
      return false // The disk is full or fails: tried again with the next look.
    }
    this.#missing.delete(key)
    record('instance.dropped', { key })
    return true
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
