import type { Clock } from '../../core/clock.ts'
import { unreachable } from '../../core/fault.ts'
import type { Progress } from '../../core/link.ts'
import type { ItemError } from '../../core/run.ts'
import type { EngineEnd, EngineEvent, LogLine } from '../ports/engine.ts'
import type { ItemErrors } from './item-errors.ts'
import { inPhase, newMeter, observe, shown, withError, type Meter } from './progress.ts'

/** The end of a step with what came before it. */
export interface StepEnd extends Omit<EngineEnd, 'type'> {
  readonly itemErrors: readonly ItemError[]
  readonly itemErrorCount: number
}

interface Listener {
  readonly clock: Clock
  log(line: LogLine): void
  progress(progress: Progress): void
}

/** Between two messages about the progress of one run. Milliseconds. */
const tellEveryMs = 1_000
/** Nothing is told of steps that are shorter: their end says all. Milliseconds. */
const tellFirstMs = 250

/** Follows an engine to its end. Never throws: an engine that does, or that ends without saying how, has failed. */
export async function follow(
  events: AsyncIterable<EngineEvent>,
  of: Pick<Progress, 'run' | 'attempt' | 'step'>,
  errors: ItemErrors,
  listener: Listener,
): Promise<StepEnd> {
  const teller = new Teller(of, listener)
  const kept: ItemError[] = []
  let count = 0
  try {
    for await (const event of events) {
      switch (event.type) {
        case 'phase':
          teller.tell(inPhase(teller.meter, event.phase))
          break
        case 'progress':
          teller.tell(observe(teller.meter, event.progress, listener.clock.monotonic()))
          break
        case 'item_error': {
          count++
          teller.meter = withError(teller.meter)
          listener.log(lineOf(event.error))
          const room = errors.take(event.error)
          if (room) kept.push(room)
          break
        }
        case 'end': {
          const { type: _, ...end } = event
          return { ...end, itemErrors: kept, itemErrorCount: count }
        }
        default:
          return unreachable(event)
      }
    }
    return broken('the engine ended without a result', kept, count)
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    listener.log({ level: 'error', stream: 'agent', text: `the engine broke: ${text}` })
    return broken(`the engine broke: ${text}`, kept, count)
  } finally {
    teller[Symbol.dispose]()
  }
}

const broken = (text: string, itemErrors: readonly ItemError[], itemErrorCount: number): StepEnd => ({
  ...{ result: 'failed', reason: { code: 'bug', text }, retryable: false, itemErrors, itemErrorCount },
})

const lineOf = ({ path, code, message }: ItemError): LogLine => ({
  level: 'warn',
  stream: 'agent',
  text: [path, code, message].filter((part) => part !== undefined && part !== '').join(': '),
})

/** Tells the newest progress, at most once in a while; what came in between is told when the while is over. */
class Teller implements Disposable {
  meter: Meter = newMeter
  readonly #of: Pick<Progress, 'run' | 'attempt' | 'step'>
  readonly #listener: Listener
  readonly #stop = new AbortController()
  #toldAt: number
  #due = false

  constructor(of: Pick<Progress, 'run' | 'attempt' | 'step'>, listener: Listener) {
    this.#of = of
    this.#listener = listener
    this.#toldAt = listener.clock.monotonic() + tellFirstMs - tellEveryMs
  }

  tell(meter: Meter): void {
    this.meter = meter
    const { clock } = this.#listener
    const waitMs = this.#toldAt + tellEveryMs - clock.monotonic()
    if (waitMs <= 0) return this.#tellNow()
    if (this.#due) return
    this.#due = true
    void clock.sleep(waitMs, this.#stop.signal).then(
      () => this.#tellNow(),
      () => undefined,
    )
  }

  #tellNow(): void {
    this.#due = false
    this.#toldAt = this.#listener.clock.monotonic()
    this.#listener.progress(shown(this.meter, this.#of))
  }

  [Symbol.dispose](): void {
    this.#stop.abort()
  }
}
