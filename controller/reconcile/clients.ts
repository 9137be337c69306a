import { autonomyProtocol, unnoticedMs } from '../../core/autonomy.ts'
import type { Client, Line } from '../../core/catalogue.ts'
import { later, type Instant } from '../../core/clock.ts'
import type { ClientId, ProjectId, ServerId } from '../../core/ids.ts'
import type { Hello } from '../../core/link.ts'
import type { InstanceTemplate } from '../../core/instance.ts'
import { isEnrolled } from '../../core/select.ts'
import { behindSince } from '../plan/autonomy.ts'
import type { AgentLine } from '../ports/lines.ts'
import { put, unchanged } from '../state/documents.ts'
import type { Context } from '../use-cases/context.ts'
import { retrying } from '../use-cases/retrying.ts'
import type { Announcements } from './announcements.ts'
import type { LineBook } from './line-book.ts'

export interface ClientsOptions {
  readonly context: Pick<Context, 'state' | 'clock'>
  readonly lines: LineBook
  readonly announcements: Pick<Announcements, 'templatesOf'>
  readonly server: ServerId
  readonly leads: () => boolean
}

/**
 * Keeps each client's document in step with its line: written when a line opens or is lost, and when its agent's templates
 * change, never in between. The server at which the line ended writes it; when that server is gone too, the leader does.
 */
export class Clients {
  readonly #options: ClientsOptions
  /** Lines that are, or were, in their client's document. */
  readonly #written = new WeakSet<AgentLine>()

  constructor(options: ClientsOptions) {
    this.#options = options
  }

  async look(project: ProjectId, id: ClientId): Promise<Instant | undefined> {
    const { context } = this.#options
    return retrying(context, async () => {
      const stored = context.state.get('client', project, id)
      // Whoever was shut out or forgotten leaves at once; the line's end wakes this client again.
      if (!isEnrolled(stored?.value))
        this.#options.lines.line(project, id)?.close('its client may not connect any more')
      const line = this.#options.lines.line(project, id)
      if (line && stored && this.#isWritten(stored.value)) this.#written.add(line)
      else if (line && stored && this.#isSuperseded(line, stored.value))
        line.close('its client has a newer line at another server')
      const wanted = stored && this.#wanted(stored.value)
      if (!stored || !wanted) return undefined
      await context.state.commit({
        requires: [unchanged('client', project, id, stored)],
        puts: [put('client', project, id, wanted)],
      })
      if (line) this.#written.add(line)
      return undefined
    })
  }

  /** Whether the document tells of the line that ends here. */
  #isWritten({ project, id, line }: Client): boolean {
    const { lines, server } = this.#options
    const here = lines.line(project, id)
    const isSettling = here !== undefined && !lines.isSettled(here)
    return (
      line.is === 'up' &&
      line.server === server &&
      line.since === lines.since(project, id) &&
      (line.settling ?? false) === isSettling
    )
  }

  /**
   * Whether the client has connected elsewhere since: its line here was written down, and another server's was after that. To
   * write this one again would only have the two servers undo each other's writes until the silence here is noticed.
   */
  #isSuperseded(line: AgentLine, { line: known }: Client): boolean {
    const { context, server } = this.#options
    return (
      this.#written.has(line) &&
      known.is === 'up' &&
      known.server !== server &&
      context.state.get('server', '', known.server) !== undefined
    )
  }

  /** The document as it should be; undefined when it is. */
  #wanted(client: Client): Client | undefined {
    const { context, lines, server, announcements } = this.#options
    const here = lines.line(client.project, client.id)
    if (here) {
      const since = lines.since(client.project, client.id) ?? context.clock.now()
      const line = lineOf(here, lines, server, { since, before: client.line })
      const templates = announcements.templatesOf(here)
      // The leader takes the lines of a server that is not listed for orphaned: they are told of again once it is.
      const isListed = context.state.get('server', '', server) !== undefined
      if (client.line.is === 'down' && this.#written.has(here) && !isListed) return undefined
      const known = this.#isWritten(client) && isSame(client.agent?.templates ?? [], templates)
      const agent = agentOf(here.hello, templates)
      return known ? undefined : { ...client, line, agent, labels: here.hello.labels }
    }
    if (client.line.is !== 'up') return undefined
    const ours = client.line.server === server
    const orphaned = this.#options.leads() && !context.state.get('server', '', client.line.server)
    if (!ours && !orphaned) return undefined
    const { alone, behind } = client.line
    const more = { ...(alone ? { alone } : {}), ...(behind === undefined ? {} : { behind }) }
    return { ...client, line: { is: 'down', since: context.clock.now(), ...more } }
  }
}

/** What was changed while the agent was away it hears of when it has told all: until then it is as far behind as it was. */
function lineOf(
  line: AgentLine,
  lines: LineBook,
  server: ServerId,
  { since, before }: { readonly since: Instant; readonly before: Line },
): Line {
  const isAlone = line.hello.autonomous === true && line.protocol >= autonomyProtocol
  const isSettling = !lines.isSettled(line)
  return {
    ...{ is: 'up', server, since },
    ...(isAlone || isSettling ? { alone: true } : {}),
    ...(isSettling ? { settling: true, behind: behindSince(before) ?? later(since, -unnoticedMs) } : {}),
  }
}

const agentOf = (hello: Hello, templates: readonly InstanceTemplate[]): NonNullable<Client['agent']> => ({
  version: hello.version,
  os: hello.os,
  hostname: hello.hostname,
  incarnation: hello.incarnation,
  engines: hello.engines,
  ...(templates.length === 0 ? {} : { templates }),
})

const isSame = (a: readonly InstanceTemplate[], b: readonly InstanceTemplate[]): boolean =>
  a.length === b.length && a.every((template, at) => textOf(template) === textOf(b[at]))

const textOf = (template: InstanceTemplate | undefined): string =>
  JSON.stringify([template?.name, template?.datastore.type, template?.datastore.version])
