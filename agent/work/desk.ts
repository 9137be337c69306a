import type { Action } from '../../core/action.ts'
import { unreachable } from '../../core/fault.ts'
import type { ClientId, JobId, ProjectId, RunId } from '../../core/ids.ts'
import {
  protocolNow,
  protocolOldest,
  type Held,
  type Hello,
  type Order,
  type ToServer,
} from '../../core/link.ts'
import type { Reason, Report } from '../../core/run.ts'
import type { Databases } from '../ports/databases.ts'
import type { ServerLineHandler } from '../ports/line.ts'
import type { Policy } from '../ports/policy.ts'
import { admit, type Situation } from './admit.ts'
import type { Announcer } from './announcer.ts'
import type { Asks } from './asks.ts'
import { Autonomy, type AutonomyParts, type Taken } from './autonomy.ts'
import { noteDirty } from './cleaning.ts'
import { interrupted, unbegun } from './endings.ts'
import { execute, prepare, tellStart, type ExecutionTools } from './execution.ts'
import { attemptKey, isMarked, type HeldAttempt } from './journal-state.ts'
import { whoMayBegin } from './lanes.ts'
import type { Outbox } from './outbox.ts'
import { pathsAskedAbout, undone, type RealPaths } from './policy.ts'
import type { Probes } from './probes.ts'
import { ofRun, Seat } from './seat.ts'

type Message = Exclude<Parameters<ServerLineHandler['received']>[0], { type: 'renewed' }>
type Said = Exclude<ToServer, { type: 'hello' | 'beat' }>

export interface DeskParts extends ExecutionTools {
  readonly project: ProjectId
  readonly client: ClientId
  readonly outbox: Outbox
  readonly probes: Probes
  readonly asks: Asks
  readonly policy: Policy
  readonly autonomy: AutonomyParts['autonomy']
  readonly databases: Databases
  readonly announcer: Pick<Announcer, 'announce' | 'look'>
  /** What the hello says of this process. */
  readonly about: Pick<Hello, 'version' | 'hostname' | 'os' | 'incarnation' | 'labels'>
  realPaths(paths: readonly string[]): Promise<RealPaths>
}

/** Messages that wait for their turn; a server that sends more is not one of ours. */
const turnsMax = 20_000
/** A held order asks its engines anew when the last answer is older; others only one that was not available. Milliseconds. */
const heldProbeMs = 60_000
const missingProbeMs = 5_000
/** An armed attempt that no server starts or cancels for so long ends by itself. Milliseconds. */
const armedMaxMs = 3_600_000
/** How long stopped runs may take to end: the longest ladder of an engine, and the cleaning after it. Milliseconds. */
const stopMaxMs = 60_000

/**
 * Takes what servers say and owns the work that follows from it. Messages about one run are dealt with one after the other;
 * each has an answer whatever came before it, so that repeating any of them changes nothing.
 */
export class Desk implements ServerLineHandler {
  readonly #parts: DeskParts
  readonly #seats: Seat[] = []
  /** Seats whose outcome is not settled: those above, and those on their way in or out. */
  readonly #open = new Set<Seat>()
  readonly #turns = new Map<RunId, Promise<void>>()
  #turnCount = 0
  /** Orders on their way into the journal that will have to wait for a place. */
  #accepting = 0
  #stopping = false
  readonly #autonomy: Autonomy

  constructor(parts: DeskParts) {
    this.#parts = parts
    this.#autonomy = new Autonomy({
      ...parts,
      say: (message) => this.#say(message),
      take: (order, isWanted) => this.#own(order, isWanted),
      cancel: (job, why) => this.#cancelJob(job, why),
      release: (run) => this.#release(run),
    })
    for (const held of parts.book.state.attempts.values()) this.settled(held)
  }

  /** An attempt of an earlier process has its outcome now. */
  settled({ job, outcome }: HeldAttempt): void {
    if (outcome) this.#publish(job, outcome)
  }

  hello(): Hello {
    const { project, client, about, book, probes, capacity } = this.#parts
    const armed = new Set(this.#seats.filter(({ is }) => is === 'armed').map(({ key }) => key))
    const heavy = this.#seats.filter(({ is, light }) => !light && is !== 'waiting').length
    return {
      ...about,
      ...{ project, client, protocol: { from: protocolOldest, to: protocolNow } },
      engines: probes.all(),
      ...this.#parts.announcer.announce(),
      ...this.#autonomy.hello(),
      held: Array.from(book.state.attempts, ([key, { run, attempt, outcome }]): Held => ({
        ...{ run, attempt },
        state: outcome ? 'ended' : armed.has(key) ? 'armed' : 'running',
      })),
      slots: this.#stopping ? 0 : Math.max(0, capacity.parallel - heavy),
    }
  }

  welcomed(server: string, protocol: number): void {
    this.#parts.record('line.open', { server })
    this.#autonomy.welcomed(protocol)
    for (const seat of this.#seats) void tellStart(seat, this.#parts)
  }

  lost(why: string): void {
    this.#parts.record('line.lost', { why })
    this.#autonomy.lost()
  }

  running(): number {
    return this.#seats.filter(({ is }) => is === 'running').length
  }

  received(message: Message): void {
    switch (message.type) {
      case 'order':
        return this.#inTurn(message.order.run, message, () => this.#order(message.order))
      case 'go':
        return this.#inTurn(message.run, message, () => this.#go(message))
      case 'cancel':
        return this.#inTurn(message.run, message, () => this.#cancel(message))
      case 'committed':
        return this.#inTurn(message.run, message, () => this.#committed(message))
      case 'ask':
        return void this.#parts.asks
          .answer(message.ask)
          .then((answer) => this.#say({ type: 'answer', answer }))
      case 'plan':
      case 'unplan':
      case 'noted':
        return this.#autonomy.received(message)
      default:
        return unreachable(message)
    }
  }

  /**
   * Takes no more orders, lets running work end within `withinMs` (or until `hurry` aborts), then stops it. Resolves when
   * every accepted attempt has its outcome, at most a minute after that.
   */
  async drain(withinMs: number, hurry: AbortSignal): Promise<void> {
    const { clock, record } = this.#parts
    this.#stopping = true
    this.#autonomy.stop()
    for (const seat of this.#seats.filter(({ is }) => is !== 'running'))
      void this.#end(seat, unbegun(seat.order, 'interrupted', clock.now()))
    const running = this.#seats.map(({ order }) => order.run)
    if (running.length > 0) record('agent.draining', { running, withinMs })
    await this.#allOver(withinMs, hurry)
    for (const seat of this.#open) seat.stop({ end: 'interrupted', reason: interrupted })
    await this.#allOver(stopMaxMs, undefined)
  }

  async #allOver(withinMs: number, hurry: AbortSignal | undefined): Promise<void> {
    const enough = new AbortController()
    const signal = hurry ? AbortSignal.any([hurry, enough.signal]) : enough.signal
    const over = Promise.all(Array.from(this.#open, (seat) => seat.over))
    const waited = withinMs > 0 ? this.#parts.clock.sleep(withinMs, signal).catch(() => undefined) : undefined
    await Promise.race([over, waited])
    enough.abort()
  }

  #inTurn(run: RunId, message: Pick<Message, 'type'>, work: () => Promise<void>): void {
    const { record } = this.#parts
    if (this.#turnCount >= turnsMax)
      return record('message.ignored', { type: message.type, why: 'too many at once', run })
    this.#turnCount++
    const turn = (this.#turns.get(run) ?? Promise.resolve())
      .then(work)
      .catch((err: unknown) => record('bug', { err, where: message.type }))
      .finally(() => {
        this.#turnCount--
        if (this.#turns.get(run) === turn) this.#turns.delete(run)
      })
    this.#turns.set(run, turn)
  }

  async #order(order: Order): Promise<void> {
    const { book, record } = this.#parts
    const real = await this.#prepared(order)
    const verdict = admit(order, this.#situation(real))
    if (verdict.do !== 'accept') this.#raise(order.epoch)
    switch (verdict.do) {
      case 'accept':
        return void (await this.#accept(order))
      case 'repeat':
        record('order.repeated', ofRun(order))
        return this.#sayAgain(order)
      case 'refuse': {
        const { reason, final, mark } = verdict
        if (mark && !isMarked(book.state, order.run, order.attempt))
          await book.save({ type: 'mark', run: order.run, attempt: order.attempt, why: 'refused', reason })
        return this.#refuse(order, reason, final)
      }
      default:
        return unreachable(verdict)
    }
  }

  /** What must be asked before an order is judged; nothing may come between the judgement and the place that it takes. */
  async #prepared(order: Order): Promise<RealPaths> {
    const { probes, policy, databases } = this.#parts
    const engines = undone(order).map((task) => task.action.engine)
    await probes.fresh(engines, (available) =>
      order.hold ? heldProbeMs : available ? Infinity : missingProbeMs,
    )
    return this.#parts.realPaths(pathsAskedAbout(order, policy, databases))
  }

  /** An order that the agent gives itself, by the rules of any other. */
  #own(order: Order, isWanted: () => boolean): Promise<Taken> {
    const { promise, resolve, reject } = Promise.withResolvers<Taken>()
    if (this.#turnCount >= turnsMax) return Promise.resolve('refused')
    this.#inTurn(order.run, { type: 'order' }, async () => {
      try {
        const real = await this.#prepared(order)
        if (!isWanted()) return resolve('late')
        const verdict = admit(order, this.#situation(real))
        if (verdict.do === 'repeat') return resolve('repeated')
        if (verdict.do === 'refuse') {
          this.#refuse(order, verdict.reason, verdict.final)
          return resolve('refused')
        }
        resolve((await this.#accept(order)) ? 'taken' : 'refused')
      } catch (error) {
        reject(error as Error)
      }
    })
    return promise
  }

  #situation(real: RealPaths): Situation {
    const { project, client, book, policy, databases, probes, capacity, clock } = this.#parts
    const waiting = this.#seats.filter(({ is }) => is !== 'running').length
    return {
      ...{ project, client, state: book.state, policy, databases, real },
      abilities: probes.abilities(),
      queued: waiting + this.#accepting,
      queueMax: capacity.queue,
      stopping: this.#stopping,
      now: clock.now(),
    }
  }

  /** `false`: the disk does not have it, so it was not taken. */
  async #accept(order: Order): Promise<boolean> {
    const { book, capacity, record } = this.#parts
    const seat = new Seat(order, order.hold ? 'armed' : 'waiting')
    const begins = whoMayBegin([...this.#seats, seat], capacity).includes(seat)
    if (begins) seat.is = 'running'
    // A place is taken before the disk answers; a seat that waits takes none, and must not be picked before that.
    if (seat.is === 'waiting') this.#accepting++
    else this.#seats.push(seat)
    this.#open.add(seat)
    try {
      await book.accept(order, begins)
    } catch {
      this.#remove(seat)
      this.#close(seat)
      this.#beginMore()
      this.#refuse(order, noJournal, false)
      return false
    } finally {
      if (seat.is === 'waiting') this.#accepting--
    }
    record('order.accepted', { ...ofRun(order), armed: order.hold })
    this.#say({ type: 'accepted', run: order.run, attempt: order.attempt, armed: order.hold })
    if (seat.is === 'waiting') this.#seats.push(seat)
    if (this.#stopping && !begins) {
      void this.#end(seat, unbegun(order, 'interrupted', this.#parts.clock.now()))
      return true
    }
    seat.prepared = seat.is === 'waiting' ? seat.prepared : prepare(seat, this.#parts)
    if (begins) this.#work(seat)
    else if (order.hold) this.#limitArmed(seat)
    this.#beginMore()
    return true
  }

  #limitArmed(seat: Seat): void {
    const { clock } = this.#parts
    void clock.sleep(armedMaxMs, seat.signal).then(
      () => {
        if (seat.is === 'armed') void this.#end(seat, unbegun(seat.order, 'aborted', clock.now()))
      },
      () => undefined,
    )
  }

  /** Begins what has found a place. */
  #beginMore(): void {
    const { book, clock, capacity } = this.#parts
    for (const seat of whoMayBegin(this.#seats, capacity)) {
      const { run, attempt } = seat.order
      if (seat.is === 'waiting') seat.prepared = prepare(seat, this.#parts)
      seat.is = 'running'
      // Before the first step, so that after a crash it counts as tried. What the disk does not have is not begun: a later
      // process would take it for something that never ran, and the servers would have it run again.
      const begun = book.save({ type: 'begun', run, attempt, at: clock.now() }).then((isKept) => {
        if (!isKept) seat.stop({ end: 'interrupted', reason: noJournal })
      })
      seat.prepared = Promise.all([seat.prepared, begun]).then(() => undefined)
      this.#work(seat)
    }
  }

  #work(seat: Seat): void {
    const { clock, record } = this.#parts
    void execute(seat, this.#parts)
      .catch((err: unknown): Report => {
        record('bug', { err, where: 'attempt' })
        return unbegun(seat.order, 'interrupted', clock.now())
      })
      .then((report) => this.#end(seat, report))
  }

  async #end(seat: Seat, report: Report): Promise<void> {
    const { book, record } = this.#parts
    this.#remove(seat)
    this.#beginMore()
    try {
      await noteDirty(seat.order.tasks, report, book)
      await book.save({ type: 'outcome', job: seat.order.job, report })
    } catch (err) {
      record('bug', { err, where: 'outcome' })
    }
    this.#publish(seat.order.job, report)
    this.#autonomy.ended(seat.order, report)
    if (seat.order.tasks.some(({ action }) => isAboutDatabase(action))) void this.#parts.announcer.look()
    this.#close(seat)
  }

  /** Of a run that no server knows of a report would come to nobody: it waits in the journal. */
  #publish(job: JobId, report: Report): void {
    if (this.#autonomy.isTold(report.run)) this.#parts.outbox.add(job, report)
  }

  #release(run: RunId): void {
    for (const held of this.#parts.book.state.attempts.values()) if (held.run === run) this.settled(held)
  }

  #cancelJob(job: JobId, why: Reason): void {
    const { clock, record } = this.#parts
    for (const seat of this.#seats.filter(({ order }) => order.job === job)) {
      record('run.cancelling', { ...ofRun(seat.order), reason: why })
      seat.stop({ end: 'aborted', reason: why })
      if (seat.is !== 'running') void this.#end(seat, unbegun(seat.order, 'aborted', clock.now()))
    }
  }

  #close(seat: Seat): void {
    this.#open.delete(seat)
    seat.finish()
  }

  #remove(seat: Seat): void {
    const at = this.#seats.indexOf(seat)
    if (at >= 0) this.#seats.splice(at, 1)
  }

  async #go({ run, attempt, atUs, epoch }: Extract<Message, { type: 'go' }>): Promise<void> {
    const { book, record } = this.#parts
    if (epoch < book.state.epoch) return record('message.ignored', { type: 'go', why: 'older epoch', run })
    this.#raise(epoch)
    const seat = this.#seat(run, attempt)
    if (seat?.is !== 'armed') {
      if (book.state.attempts.get(attemptKey(run, attempt))?.outcome)
        this.#say({ type: 'ended', run, attempt })
      return record('message.ignored', { type: 'go', why: 'not armed', run })
    }
    seat.goUs = atUs
    seat.is = 'going'
    this.#beginMore()
  }

  async #cancel({ run, attempt, why, epoch }: Extract<Message, { type: 'cancel' }>): Promise<void> {
    const { book, clock, record } = this.#parts
    if (epoch < book.state.epoch)
      return record('message.ignored', { type: 'cancel', why: 'older epoch', run })
    this.#raise(epoch)
    const seat = this.#seat(run, attempt)
    if (seat) {
      record('run.cancelling', { ...ofRun(seat.order), reason: why })
      const stop = { end: 'aborted', reason: why } as const
      seat.stop(stop)
      if (seat.is !== 'running') await this.#end(seat, unbegun(seat.order, 'aborted', clock.now()))
      return
    }
    const held = book.state.attempts.get(attemptKey(run, attempt))
    if (held?.outcome) return this.#say({ type: 'ended', run, attempt })
    if (held) return // its outcome is being made
    // The answer is a promise that no order for it will be taken: it waits for the disk.
    if (
      !isMarked(book.state, run, attempt) &&
      !(await book.save({ type: 'mark', run, attempt, why: 'absent', reason: why }))
    )
      return
    this.#say({ type: 'absent', run, attempt })
  }

  async #committed({ run, attempt }: Extract<Message, { type: 'committed' }>): Promise<void> {
    const { book, outbox, record } = this.#parts
    const held = book.state.attempts.get(attemptKey(run, attempt))
    if (!held?.outcome) return record('message.ignored', { type: 'committed', why: 'nothing to forget', run })
    outbox.committed(run, attempt)
    book.jot({ type: 'mark', run, attempt, why: 'committed' })
    record('report.committed', { run, attempt, job: held.job })
  }

  #sayAgain(order: Order): void {
    const { run, attempt } = order
    const held = this.#parts.book.state.attempts.get(attemptKey(run, attempt))
    const armed = this.#seat(run, attempt)?.is === 'armed'
    this.#say({ type: 'accepted', run, attempt, armed })
    if (held?.outcome) this.#say({ type: 'ended', run, attempt })
  }

  #refuse(order: Order, reason: Reason, final: boolean): void {
    this.#parts.record('order.refused', { ...ofRun(order), reason, final })
    this.#say({ type: 'refused', run: order.run, attempt: order.attempt, reason, final })
  }

  #raise(epoch: Order['epoch']): void {
    if (epoch > this.#parts.book.state.epoch) this.#parts.book.jot({ type: 'epoch', epoch })
  }

  #seat(run: RunId, attempt: number): Seat | undefined {
    const key = attemptKey(run, attempt)
    return this.#seats.find((seat) => seat.key === key)
  }

  #say(message: Said): void {
    this.#parts.line()?.send(message)
  }
}

const noJournal: Reason = { code: 'disk', text: "this node's journal cannot be written" }

const isAboutDatabase = (action: Action): boolean =>
  (action.do === 'backup' && action.instance !== undefined) ||
  (action.do === 'restore' && action.create !== undefined)
