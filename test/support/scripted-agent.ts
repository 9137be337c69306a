import type { ClientId, ProjectId } from '../../core/ids.ts'
import { protocolNow, type Held, type Hello, type Order, type ToAgent } from '../../core/link.ts'
import type { Report, Result } from '../../core/run.ts'
import type { Reconciler } from '../../controller/reconcile/reconciler.ts'
import type { AgentLine } from '../../controller/ports/lines.ts'

/** What an agent on a node does, with a journal that lives as long as this object: kill and start it as you like. */
export class ScriptedAgent {
  readonly project: ProjectId
  readonly client: ClientId
  /** Every attempt it has ever started to work on, in order: `<run>.<attempt>`. */
  readonly started: string[] = []
  readonly orders: Order[] = []
  readonly committed: string[] = []
  /** Attempts that no server has said committed for. */
  readonly journal = new Map<string, Held>()
  /** How each attempt ends; the last one repeats. */
  script: Result[] = ['success']
  /** Work does not end by itself while set. */
  busy = false
  #line: { line: AgentLine; to: Reconciler } | undefined
  #reports = new Map<string, Report>()

  constructor(project: ProjectId, client: ClientId) {
    this.project = project
    this.client = client
  }

  connect(to: Reconciler): void {
    this.disconnect()
    const line: AgentLine = {
      project: this.project,
      client: this.client,
      fingerprint: 'f',
      hello: this.#hello(),
      protocol: protocolNow,
      send: (message) => {
        if (this.#line?.line !== line) return false
        queueMicrotask(() => this.#received(line, message))
        return true
      },
      close: () => this.disconnect(),
    }
    this.#line = { line, to }
    to.lineOpened(line)
  }

  disconnect(): void {
    const open = this.#line
    this.#line = undefined
    if (open) open.to.lineClosed(open.line)
  }

  /** The process dies: what it was doing is interrupted, and said when it is back. */
  crash(): void {
    this.disconnect()
    for (const [key, held] of this.journal)
      if (held.state !== 'ended') this.#end(key, held, 'interrupted', 'lost')
  }

  /** Ends every attempt under way. */
  finish(result: Result = 'success'): void {
    for (const [key, held] of this.journal) if (held.state === 'running') this.#finish(key, held, result)
  }

  /** Hands the reports that were not committed to a server, as the feed does; again and again is fine. */
  async publish(to: Reconciler): Promise<void> {
    for (const report of [...this.#reports.values()])
      await to.report({ project: this.project, client: this.client, report, delivered: 1 })
  }

  #hello(): Hello {
    return {
      ...{
        client: this.client,
        project: this.project,
        protocol: { from: 1, to: 1 },
        version: '0',
        hostname: 'h',
      },
      ...{
        os: 'linux',
        incarnation: 'i',
        engines: [],
        labels: {},
        slots: 2,
        held: [...this.journal.values()],
      },
    }
  }

  #received(line: AgentLine, message: ToAgent): void {
    if (this.#line?.line !== line) return
    switch (message.type) {
      case 'order':
        return this.#ordered(line, message.order)
      case 'go':
        return this.#start(line, `${message.run}.${message.attempt}`)
      case 'cancel': {
        const key = `${message.run}.${message.attempt}`
        const held = this.journal.get(key)
        if (held) return held.state === 'ended' ? undefined : this.#end(key, held, 'aborted', 'aborted')
        return this.#line.to.heard(line, { type: 'absent', run: message.run, attempt: message.attempt })
      }
      case 'committed':
        this.committed.push(`${message.run}.${message.attempt}`)
        this.journal.delete(`${message.run}.${message.attempt}`)
        this.#reports.delete(`${message.run}.${message.attempt}`)
        return
      default:
    }
  }

  #ordered(line: AgentLine, order: Order): void {
    this.orders.push(order)
    const { run, attempt } = order
    const key = `${run}.${attempt}`
    if (this.committed.includes(key)) return
    if (!this.journal.has(key))
      this.journal.set(key, { run, attempt, state: order.hold ? 'armed' : 'running' })
    const armed = this.journal.get(key)?.state === 'armed'
    this.#line?.to.heard(line, { type: 'accepted', run, attempt, armed })
    if (!order.hold) this.#start(line, key)
  }

  #start(line: AgentLine, key: string): void {
    const held = this.journal.get(key)
    if (!held || held.state === 'ended' || this.started.includes(key)) return
    this.started.push(key)
    const running: Held = { ...held, state: 'running' }
    this.journal.set(key, running)
    const { run, attempt } = held
    this.#line?.to.heard(line, { type: 'started', run, attempt, started: { serverUs: 0, errorUs: 100 } })
    if (!this.busy)
      this.#finish(key, running, this.script.length > 1 ? this.script.shift()! : this.script[0]!)
  }

  #finish(key: string, held: Held, result: Result): void {
    this.#end(key, held, result === 'failed' ? 'retry' : 'ended', result)
  }

  #end(key: string, held: Held, end: Report['end'], result: Result): void {
    const { run, attempt } = held
    this.journal.set(key, { ...held, state: 'ended' })
    const at = Date.now() as Report['at']
    const step = { step: 0, result, itemErrors: [], itemErrorCount: 0, startedAt: at, endedAt: at }
    const reason = result === 'success' ? {} : { reason: { code: result, text: `it was ${result}` } }
    this.#reports.set(key, { run, attempt, client: this.client, steps: [{ ...step, ...reason }], end, at })
    if (this.#line) this.#line.to.heard(this.#line.line, { type: 'ended', run, attempt })
  }
}
