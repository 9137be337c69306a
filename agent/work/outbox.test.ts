import { expect, it } from 'vitest'
import { Fault } from '../../core/fault.ts'
import { jobId } from '../../core/ids.ts'
import type { Report } from '../../core/run.ts'
import { aReport, aRun } from '../../test/support/builders.ts'
import { eventually } from '../../test/support/eventually.ts'
import { manualClock } from '../../test/support/manual-clock.ts'
import { Outbox } from './outbox.ts'

it('a report that waited long for the broker is published as soon as the broker is back', async () => {
  const clock = manualClock()
  const published: Report[] = []
  let tries = 0
  let isAway = true
  const publisher = {
    async publish(_: unknown, report: Report) {
      tries++
      if (isAway) throw new Fault('feed_down', 'NATS is away')
      published.push(report)
    },
    log: () => undefined,
    connected: () => !isAway,
    async [Symbol.asyncDispose]() {},
  }
  await using outbox = new Outbox(publisher, { ended: () => undefined }, clock, () => undefined)
  const report = aReport(aRun())
  outbox.add(jobId('j'), report)
  // Pauses double, to a bound.
  for (let nth = 1; nth <= 10; nth++) {
    await eventually(() => tries === nth && clock.sleeping.length === 1)
    if (nth < 10) clock.advance(30_000)
  }
  expect(clock.sleeping[0]).toBeGreaterThan(20_000)

  isAway = false
  outbox.brokerBack()
  await eventually(() => published.length === 1)
  expect(published).toEqual([report])

  outbox.committed(report.run, report.attempt)
  expect(outbox.unpublished).toBe(0)
})
