import type { ClockReading } from './link.ts'

/*
 * The offset between two monotonic clocks, from pairs of readings that crossed on the way (RFC 5905 does the same). All
 * times are microseconds.
 */

/** One probe: `server clock = own clock + offsetUs`, as seen around `atUs` of the own clock. */
export interface Sample {
  readonly offsetUs: number
  /** What the probe was on its way, both ways together: half of it is how wrong the offset can be. */
  readonly delayUs: number
  readonly atUs: number
  /** From sending the probe to its answer. */
  readonly spanUs: number
}

/** A reading of the other clock, and half the width of the interval in which the true one lies. */
export interface Estimate {
  readonly us: number
  readonly errorUs: number
}

/** How many probes are kept: with beats every 5 s the oldest is a bit more than a minute old. */
export const samplesMax = 16

/** How far two clocks may part: twice the 50 ppm that a computer's quartz is good for. */
const driftMax = 100e-6

/** The samples with one more probe, the oldest left out. Readings that no true clocks can give change nothing. */
export function withReading(
  samples: readonly Sample[],
  reading: ClockReading,
  receivedUs: number,
): readonly Sample[] {
  const { agentSentUs, serverReceivedUs, serverSentUs } = reading
  const spanUs = receivedUs - agentSentUs
  const delayUs = spanUs - (serverSentUs - serverReceivedUs)
  if (serverSentUs < serverReceivedUs || delayUs < 0) return samples
  const offsetUs = (serverReceivedUs - agentSentUs + (serverSentUs - receivedUs)) / 2
  return [
    ...samples.slice(1 - samplesMax),
    { offsetUs, delayUs, atUs: (agentSentUs + receivedUs) / 2, spanUs },
  ]
}

/** A reading of the own clock as one of the other; undefined without a probe. One gives a true, if wide, interval. */
export function toOther(samples: readonly Sample[], ownUs: number): Estimate | undefined {
  const best = bestOf(samples, () => ownUs)
  return best && { us: Math.round(ownUs + best.offsetUs), errorUs: best.errorUs }
}

/** A reading of the other clock as one of the own. */
export function toOwn(samples: readonly Sample[], otherUs: number): Estimate | undefined {
  // Each by its own offset: that of another probe may be wrong by more than this one's age counts for.
  const best = bestOf(samples, ({ offsetUs }) => otherUs - offsetUs)
  return best && { us: Math.round(otherUs - best.offsetUs), errorUs: best.errorUs }
}

/** The probe that says most of a moment: the shorter it was on its way, and the newer, the better. */
function bestOf(
  samples: readonly Sample[],
  ownUsBy: (sample: Sample) => number,
): { offsetUs: number; errorUs: number } | undefined {
  let best: { offsetUs: number; errorUs: number } | undefined
  for (const sample of samples) {
    const errorUs = errorAt(sample, ownUsBy(sample))
    if (best === undefined || errorUs <= best.errorUs) best = { offsetUs: sample.offsetUs, errorUs }
  }
  return best
}

/**
 * Half the delay, for all of it may have been on one way, and what the clocks may have parted since and during the probe
 * (one and a half spans; two are on the safe side), and 1 for rounding.
 */
const errorAt = ({ delayUs, atUs, spanUs }: Sample, ownUs: number): number =>
  Math.ceil(delayUs / 2 + driftMax * (Math.abs(ownUs - atUs) + 2 * spanUs)) + 1
