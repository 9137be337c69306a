import { describe, expect, it } from 'vitest'
import { bucketAt, draw, isEmpty } from './buckets.ts'

const rate = { perSecond: 10, burst: 3 }

describe('a bucket', () => {
  it('gives what it holds at once, then says how long the next takes', () => {
    const bucket = bucketAt(rate, 0)
    expect([1, 2, 3].map(() => draw(bucket, rate, 0))).toEqual([0, 0, 0])
    expect(isEmpty(bucket, rate, 0)).toBe(true)
    expect(draw(bucket, rate, 0)).toBe(100)
    expect(draw(bucket, rate, 60)).toBeCloseTo(40)
    expect(draw(bucket, rate, 100)).toBe(0)
  })

  it('fills up again, and holds no more than its burst', () => {
    const bucket = bucketAt(rate, 0)
    for (let i = 0; i < 3; i++) draw(bucket, rate, 0)
    expect(isEmpty(bucket, rate, 99)).toBe(true)
    expect(isEmpty(bucket, rate, 100)).toBe(false)
    const late = 1_000_000
    expect([1, 2, 3].map(() => draw(bucket, rate, late))).toEqual([0, 0, 0])
    expect(draw(bucket, rate, late)).toBe(100)
  })
})
