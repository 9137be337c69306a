import type { Instant } from '../../core/clock.ts'
import type { ClientId, ProjectId } from '../../core/ids.ts'
import type { Instance, InstanceProbe, InstanceTemplate } from '../../core/instance.ts'
import { isEnrolled } from '../../core/select.ts'
import { afterAnnouncement, afterShutOut } from '../plan/announced.ts'
import type { AgentLine } from '../ports/lines.ts'
import { put, unchanged, type Stored } from '../state/documents.ts'
import { scoped } from '../state/indexes.ts'
import type { Context } from '../use-cases/context.ts'
import { retrying } from '../use-cases/retrying.ts'
import type { LineBook } from './line-book.ts'

/** Written in one transaction. */
const atOnce = 50

/** What an agent has said of its databases, all of it. */
interface Said {
  readonly instances: readonly InstanceProbe[]
  readonly templates: readonly InstanceTemplate[]
  readonly at: Instant
}

export interface AnnouncementsOptions {
  readonly context: Pick<Context, 'state' | 'clock'>
  readonly lines: LineBook
  readonly leads: () => boolean
}

/**
 * Keeps the instances of each client as its agent announces them: written by the server at which its line ends, and only
 * what has changed. Of a client that was shut out nothing will be heard: the leader says so of its instances.
 */
export class Announcements {
  readonly #options: AnnouncementsOptions
  /** By line, so that what an older line has said is never taken for news. */
  readonly #said = new WeakMap<AgentLine, Said>()

  constructor(options: AnnouncementsOptions) {
    this.#options = options
  }

  /** The agent has said this; it replaces all that it said before. */
  note(line: AgentLine, { instances, templates }: Omit<Said, 'at'>): void {
    this.#said.set(line, { instances, templates, at: this.#options.context.clock.now() })
  }

  /** What the agent may create instances from. */
  templatesOf(line: AgentLine): readonly InstanceTemplate[] {
    return this.#said.get(line)?.templates ?? []
  }

  async look(project: ProjectId, client: ClientId): Promise<undefined> {
    const { context } = this.#options
    const { state } = context
    await retrying(context, async () => {
      const known = new Map<string, Stored<Instance>>()
      for (const stored of state.where('instance', 'client', scoped(project, client)))
        known.set(stored.value.id, stored)
      const written = this.#wanted(
        project,
        client,
        [...known.values()].map(({ value }) => value),
      )
      for (let from = 0; from < written.length; from += atOnce) {
        const part = written.slice(from, from + atOnce)
        await state.commit({
          requires: part.map(({ id }) => unchanged('instance', project, id, known.get(id))),
          puts: part.map((instance) => put('instance', project, instance.id, instance)),
        })
      }
    })
    return undefined
  }

  /** The instances of a client that are to be written. */
  #wanted(project: ProjectId, client: ClientId, known: readonly Instance[]): Instance[] {
    const { context, lines, leads } = this.#options
    const now = context.clock.now()
    if (!isEnrolled(context.state.get('client', project, client)?.value))
      return leads() ? afterShutOut(known, now) : []
    const line = lines.line(project, client)
    const said = line && this.#said.get(line)
    return said ? afterAnnouncement(known, { project, client, ...said }, now) : []
  }
}
