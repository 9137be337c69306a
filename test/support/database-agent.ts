import type { ClientId, ProjectId } from '../../core/ids.ts'
import { protocolNow, type Hello, type Order, type ToAgent } from '../../core/link.ts'
import type { InstanceProbe, InstanceTemplate } from '../../core/instance.ts'
import type { Report, Result, Saved, StepReport } from '../../core/run.ts'
import type { AgentLine } from '../../controller/ports/lines.ts'
import type { Reconciler } from '../../controller/reconcile/reconciler.ts'

/** An agent that looks after databases: it takes every order, and ends it at once or, while `busy`, when told. */
export class DatabaseAgent {
  readonly project: ProjectId
  readonly client: ClientId
  instances: InstanceProbe[] = []
  templates: InstanceTemplate[] = []
  readonly orders: Order[] = []
  /** Work does not end by itself while set. */
  busy = false
  /** How work ends that ends by itself. */
  result: Result = 'success'
  #open: Order[] = []
  #line: { line: AgentLine; to: Reconciler } | undefined

  constructor(project: ProjectId, client: ClientId) {
    this.project = project
    this.client = client
  }

  connect(to: Reconciler): void {
    this.disconnect()
    const line: AgentLine = {
      ...{ project: this.project, client: this.client, fingerprint: 'f', hello: this.#hello() },
      protocol: protocolNow,
      send: (message) => {
        if (this.#line?.line !== line) return false
        queueMicrotask(() => this.#received(message))
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

  /** Says anew what it looks after. */
  announce(): void {
    const { instances, templates } = this
    this.#line?.to.announced(this.#line.line, { instances: [...instances], templates: [...templates] })
  }

  /** Ends everything under way. */
  async finish(result: Result): Promise<void> {
    for (const order of this.#open.splice(0)) await this.#end(order, result)
  }

  #received(message: ToAgent): void {
    if (message.type !== 'order' || !this.#line) return
    const { line, to } = this.#line
    const { order } = message
    const { run, attempt } = order
    if (this.orders.some((known) => known.run === run && known.attempt === attempt)) return
    this.orders.push(order)
    to.heard(line, { type: 'accepted', run, attempt, armed: false })
    to.heard(line, { type: 'started', run, attempt, started: { serverUs: 0, errorUs: 100 } })
    if (this.busy) this.#open.push(order)
    else void this.#end(order, this.result)
  }

  async #end(order: Order, result: Result): Promise<void> {
    const to = this.#line?.to
    if (!to) return
    for (const { action } of order.tasks)
      if (action.do === 'restore' && action.create && result === 'success') {
        const { instance: key, name } = action.create
        this.instances.push({ key, name, datastore: { type: 'sqlite', version: '3.50' }, up: true })
      }
    const { project, client } = this
    await to.report({ project, client, delivered: 1, report: reportOf(order, result) })
    this.announce()
  }

  #hello(): Hello {
    const { client, project, instances, templates } = this
    return {
      ...{ client, project, protocol: { from: 1, to: 1 }, version: '0', hostname: 'h', os: 'linux' },
      engines: ['restic', 'sqlite'].map((engine) => ({
        ...{ engine, available: true, capabilities: [], problems: [] },
      })),
      ...{ incarnation: 'i', labels: {}, slots: 2 },
      held: this.#open.map(({ run, attempt }) => ({ run, attempt, state: 'running' })),
      ...{ instances: [...instances], templates: [...templates] },
    }
  }
}

function reportOf({ run, attempt, client, tasks }: Order, result: Result): Report {
  const at = Date.now() as Report['at']
  const steps = tasks.map(({ action }, step): StepReport => ({
    ...{ step, result, itemErrors: [], itemErrorCount: 0, startedAt: at, endedAt: at },
    ...(result === 'success' ? {} : { reason: { code: 'trouble', text: 'the disk is full' } }),
    ...(action.do === 'backup' && result !== 'failed'
      ? { saved: savedIn(run), stats: { bytesProcessed: 3_000_000, durationMs: 1 } }
      : {}),
  }))
  return { run, attempt, client, steps, end: 'ended', at }
}

const savedIn = (run: string): Saved => ({ engineRef: `snapshot-of-${run}`, engineVersion: '1', paths: [] })
