/** How often something may be done. */
export interface Rate {
  readonly perSecond: number
  /** How many at once, after a rest. */
  readonly burst: number
}

/** What one caller has left: `level` was true at `at`, and grows since. */
export interface Bucket {
  level: number
  /** Milliseconds of the monotonic clock. */
  at: number
}

/** A full one. */
export const bucketAt = ({ burst }: Rate, now: number): Bucket => ({ level: burst, at: now })

/**
 * Takes one out of the bucket. Answers how many milliseconds to wait for the next when it is empty, and takes nothing then;
 * else 0.
 */
export function draw(bucket: Bucket, { perSecond, burst }: Rate, now: number): number {
  const level = Math.min(burst, bucket.level + ((now - bucket.at) / 1000) * perSecond)
  bucket.at = now
  bucket.level = level < 1 ? level : level - 1
  return level < 1 ? ((1 - level) / perSecond) * 1000 : 0
}

/** Whether it is empty now. Changes nothing. */
export const isEmpty = (bucket: Bucket, { perSecond }: Rate, now: number): boolean =>
  bucket.level + ((now - bucket.at) / 1000) * perSecond < 1
