import { autonomyProtocol } from '../../core/autonomy.ts'
import type { Clock, Instant } from '../../core/clock.ts'
import type { ClientId, ProjectId, RunId } from '../../core/ids.ts'
import type { Held, ToAgent, ToServer } from '../../core/link.ts'
import type { LineView, Sent } from '../plan/dispatch.ts'
import type { AgentLine } from '../ports/lines.ts'

interface Page {
  readonly line: AgentLine
  readonly since: Instant
  readonly held: Map<RunId, Held>
  /** Runs that have been told of the hello. */
  readonly played: Set<RunId>
  readonly sent: Map<RunId, Sent>
  /** Its agent has nothing to tell of what it did by itself. */
  isSettled: boolean
}

/** The lines that end at this server, and what each agent is known to have and was sent. */
export class LineBook {
  readonly #pages = new Map<string, Page>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#pages.size
  }

  open(line: AgentLine): void {
    this.#pages.set(nameOf(line.project, line.client), {
      line,
      since: this.#clock.now(),
      held: new Map(line.hello.held.map((held) => [held.run, held])),
      played: new Set(),
      sent: new Map(),
      isSettled: line.hello.decided !== true || line.protocol < autonomyProtocol,
    })
  }

  /** Its agent has told all that it did by itself. `false`: that was known. */
  settled(line: AgentLine): boolean {
    const page = this.#page(line)
    if (!page || page.isSettled) return false
    page.isSettled = true
    return true
  }

  isSettled(line: AgentLine): boolean {
    return this.#page(line)?.isSettled ?? false
  }

  /** `false` when a newer line has taken its place. */
  close(line: AgentLine): boolean {
    const name = nameOf(line.project, line.client)
    return this.#pages.get(name)?.line === line && this.#pages.delete(name)
  }

  line(project: ProjectId, client: ClientId): AgentLine | undefined {
    return this.#pages.get(nameOf(project, client))?.line
  }

  *all(): IterableIterator<AgentLine> {
    for (const { line } of this.#pages.values()) yield line
  }

  since(project: ProjectId, client: ClientId): Instant | undefined {
    return this.#pages.get(nameOf(project, client))?.since
  }

  heldOf(line: AgentLine): Iterable<Held> {
    return this.#page(line)?.held.values() ?? []
  }

  /** What this server knows of a run on the line of its client; undefined when no line is here. */
  view(project: ProjectId, client: ClientId, run: RunId): LineView | undefined {
    const page = this.#pages.get(nameOf(project, client))
    if (!page) return undefined
    return {
      is: 'here',
      since: page.since,
      held: page.held.get(run),
      played: page.played.has(run),
      sent: page.sent.get(run),
    }
  }

  played(project: ProjectId, client: ClientId, run: RunId): void {
    this.#pages.get(nameOf(project, client))?.played.add(run)
  }

  /** Sends what is about a run and keeps that it did; nothing when its client's line is not here or is full. */
  send(
    project: ProjectId,
    client: ClientId,
    run: RunId,
    message: Extract<ToAgent, { type: Sent['what'] }>,
  ): void {
    const page = this.#pages.get(nameOf(project, client))
    if (!page?.line.send(message)) return
    const attempt = message.type === 'order' ? message.order.attempt : message.attempt
    page.sent.set(run, { run, what: message.type, attempt, at: this.#clock.now() })
  }

  /** Keeps what the agent says it has. */
  note(line: AgentLine, message: ToServer): void {
    const held = this.#page(line)?.held
    if (!held) return
    switch (message.type) {
      case 'accepted':
        held.set(message.run, {
          run: message.run,
          attempt: message.attempt,
          state: message.armed ? 'armed' : 'running',
        })
        break
      case 'started':
        held.set(message.run, { run: message.run, attempt: message.attempt, state: 'running' })
        break
      case 'ended':
        held.set(message.run, { run: message.run, attempt: message.attempt, state: 'ended' })
        break
      default:
    }
  }

  /** The run is finished, and its agent was told so: nothing is kept of it. */
  forget(project: ProjectId, client: ClientId, run: RunId): void {
    const page = this.#pages.get(nameOf(project, client))
    page?.held.delete(run)
    page?.played.delete(run)
    page?.sent.delete(run)
  }

  #page(line: AgentLine): Page | undefined {
    const page = this.#pages.get(nameOf(line.project, line.client))
    return page?.line === line ? page : undefined
  }
}

const nameOf = (project: ProjectId, client: ClientId): string => `${project}/${client}`
