import { describe, expect, it } from 'vitest'
import { instant, isoOf, later, monotonic } from './clock.ts'
import { Fault, badField, isFault, unreachable } from './fault.ts'

describe('a fault', () => {
  it('has a code, facts that may be shown, and a cause that may not', () => {
    const cause = new Error('ECONNREFUSED')
    const fault = new Fault('busy', 'a run is in progress', { cause, retryAfterMs: 500 })
    expect(fault).toMatchObject({ name: 'Fault', code: 'busy', detail: { retryAfterMs: 500 }, cause })
    expect(fault.message).not.toContain('ECONNREFUSED')
  })

  it('has neither detail nor cause unless given', () => {
    const fault = new Fault('timeout', 'too long')
    expect(fault.detail).toEqual({})
    expect('cause' in fault).toBe(false)
  })

  it('of a bad request names the field', () => {
    expect(badField('job_id', 'is needed')).toMatchObject({
      code: 'bad_request',
      message: 'job_id: is needed',
      detail: { field: 'job_id' },
    })
  })

  it('is told from other errors by its code', () => {
    const fault = new Fault('fenced', 'not the leader')
    expect(isFault(fault)).toBe(true)
    expect(isFault(fault, 'stale_write', 'fenced')).toBe(true)
    expect(isFault(fault, 'stale_write')).toBe(false)
    expect(isFault(new Error('fenced'), 'fenced')).toBe(false)
  })
})

describe('a value that no case was written for', () => {
  it('is named when it turns up all the same', () => {
    expect(() => unreachable({ is: 'new' } as never)).toThrow('{"is":"new"}')
  })
})

describe('an instant', () => {
  it('is a whole millisecond, moves by milliseconds, and shows as ISO 8601', () => {
    expect(instant(1.4)).toBe(1)
    expect(later(instant(1_000), 500)).toBe(1_500)
    expect(isoOf(instant(0))).toBe('1970-01-01T00:00:00.000Z')
    expect(monotonic(0.25)).toBe(0.25)
  })
})
