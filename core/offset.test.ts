import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { samplesMax, toOther, toOwn, withReading, type Sample } from './offset.ts'

/** Microseconds. */
const second = 1_000_000
const delay = fc.integer({ min: 0, max: 2 * second })

/** A probe sent at `at` of a world whose server clock runs by `server`. */
function probe(server: (ownUs: number) => number, at: number, there: number, held: number, back: number) {
  const reading = {
    sequence: 0,
    agentSentUs: at,
    serverReceivedUs: Math.round(server(at + there)),
    serverSentUs: Math.round(server(at + there + held)),
  }
  return { reading, receivedUs: at + there + held + back }
}

const clocks = fc
  .record({
    ahead: fc.integer({ min: -1e12, max: 1e12 }),
    ppm: fc.double({ min: -99, max: 99, noNaN: true }),
  })
  .map(
    ({ ahead, ppm }) =>
      (ownUs: number) =>
        2e12 + ahead + ownUs * (1 + ppm * 1e-6),
  )

const probes = fc.array(fc.record({ pause: delay, there: delay, held: fc.nat(1_000), back: delay }), {
  minLength: 1,
  maxLength: 30,
})

describe('the offset between two monotonic clocks', () => {
  it('is unknown without a probe', () => {
    expect(toOther([], 5)).toBeUndefined()
    expect(toOwn([], 5)).toBeUndefined()
  })

  it('always lies in the interval that is said, however uneven the ways and however the clocks drift', () => {
    fc.assert(
      fc.property(clocks, probes, fc.integer({ min: 0, max: 300 * second }), (server, probes, later) => {
        let samples: readonly Sample[] = []
        let at = 1e12
        for (const { pause, there, held, back } of probes) {
          const { reading, receivedUs } = probe(server, (at += pause), there, held, back)
          samples = withReading(samples, reading, receivedUs)
          at = receivedUs
        }
        const own = at + later
        const other = toOther(samples, own)!
        expect(Math.abs(other.us - server(own))).toBeLessThanOrEqual(other.errorUs + 1)
        const back = toOwn(samples, Math.round(server(own)))!
        expect(Math.abs(back.us - own)).toBeLessThanOrEqual(back.errorUs + 2)
      }),
    )
  })

  it('counts the age of a probe by that probe, not by a newer one that was long on its way', () => {
    const server = (ownUs: number) => ownUs * (1 + 99e-6)
    const short = probe(server, 1_000 * second, 0, 50, 20)
    const long = probe(server, 1_000 * second + 70, 400_000, 1, 1)
    const samples = withReading(
      withReading([], short.reading, short.receivedUs),
      long.reading,
      long.receivedUs,
    )
    const own = 1_000 * second + 400_100
    const back = toOwn(samples, Math.round(server(own)))!
    expect(Math.abs(back.us - own)).toBeLessThanOrEqual(back.errorUs + 2)
  })

  it('is taken from the probe that was shortest on its way', () => {
    const server = (ownUs: number) => ownUs + 500
    let samples: readonly Sample[] = []
    for (const back of [9_000, 40, 7_000]) {
      const { reading, receivedUs } = probe(server, 1_000, 20, 5, back)
      samples = withReading(samples, reading, receivedUs)
    }
    expect(toOther(samples, 1_000)).toEqual({ us: 1_490, errorUs: 32 })
  })

  it('prefers a new probe to a shorter one that is too old to say much', () => {
    const server = (ownUs: number) => ownUs
    const old = probe(server, 0, 10, 0, 10)
    const fresh = probe(server, 100 * second, 400, 0, 400)
    const samples = withReading(withReading([], old.reading, old.receivedUs), fresh.reading, fresh.receivedUs)
    expect(toOther(samples, 100 * second)!.errorUs).toBeLessThan(410)
    expect(toOther(samples, 0)!.errorUs).toBeLessThan(20)
  })

  it('keeps a bounded number of probes, the newest', () => {
    let samples: readonly Sample[] = []
    for (let i = 0; i < 3 * samplesMax; i++) {
      const { reading, receivedUs } = probe((ownUs) => ownUs, i * second, 10, 0, 10)
      samples = withReading(samples, reading, receivedUs)
    }
    expect(samples).toHaveLength(samplesMax)
    expect(samples[0]!.atUs).toBe((3 * samplesMax - samplesMax) * second + 10)
  })

  it.each([
    ['was answered before it was sent', { agentSentUs: 100, serverReceivedUs: 0, serverSentUs: 0 }],
    ['was held for longer than it took', { agentSentUs: 0, serverReceivedUs: 0, serverSentUs: 51 }],
    ['was answered before it was received', { agentSentUs: 0, serverReceivedUs: 9, serverSentUs: 3 }],
  ])('learns nothing from a probe that %s', (_, reading) => {
    expect(withReading([], { sequence: 1, ...reading }, 50)).toEqual([])
  })
})
