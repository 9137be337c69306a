import { expect, it } from 'vitest'
import type { ToAgent } from '../core/link.ts'
import { manualClock } from '../test/support/manual-clock.ts'
import { leaveWhenCutOff } from './cut-off.ts'

/** A server with one line, and how long its store has been silent. */
function world({ others = true }: { others?: boolean } = {}) {
  const clock = manualClock()
  const sent: ToAgent[] = []
  let silentFrom: number | undefined
  const state = {
    get staleMs() {
      return silentFrom === undefined ? undefined : clock.monotonic() - silentFrom
    },
  }
  const lines = { all: () => [{ send: (message: ToAgent) => sent.push(message) > 0 }] }
  const watching = leaveWhenCutOff({ state, clock, lines, presence: { hasOthers: () => others } })
  /** Lets time pass in steps, as it does. */
  const pass = async (seconds: number) => {
    for (let n = 0; n < seconds; n++) {
      clock.advance(1_000)
      // The watch goes on in microtasks.
      await new Promise(setImmediate)
    }
  }
  return {
    ...{ clock, sent, pass, watching },
    silence: () => void (silentFrom = clock.monotonic()),
    answer: () => void (silentFrom = undefined),
  }
}

it('keeps agents over a short silence of the store', async () => {
  const w = world()
  w.silence()
  await w.pass(9)
  w.answer()
  await w.pass(20)
  expect(w.sent).toEqual([])
  w.watching[Symbol.dispose]()
})

it('sends agents on after a longer one, and who comes then once a minute', async () => {
  const w = world()
  w.silence()
  await w.pass(11)
  expect(w.sent).toEqual([{ type: 'drain', withinMs: 5_000 }])
  await w.pass(50)
  expect(w.sent).toHaveLength(1)
  await w.pass(10)
  expect(w.sent).toEqual([
    { type: 'drain', withinMs: 5_000 },
    { type: 'drain', withinMs: 60_000 },
  ])
  w.answer()
  await w.pass(5)
  w.silence()
  await w.pass(11)
  expect(w.sent).toHaveLength(3)
  w.watching[Symbol.dispose]()
  await w.pass(100)
  expect(w.sent).toHaveLength(3)
})

it('keeps agents that have nowhere to go', async () => {
  const w = world({ others: false })
  w.silence()
  await w.pass(100)
  expect(w.sent).toEqual([])
  w.watching[Symbol.dispose]()
})
