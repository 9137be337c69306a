import { describe, expect, it } from 'vitest'
import { at, noon } from '../../test/support/builders.ts'
import { excludedUntil, policiesOf } from './policies.ts'

const refusal = (field: string) => expect.objectContaining({ code: 'bad_request', detail: { field } })

describe('policies', () => {
  it('have defaults', () => {
    const defaults = { catchUp: 'latest', catchUpMax: 10, overlap: 'skip', jitterMs: 0, exclusions: [] }
    expect(policiesOf(undefined)).toEqual(defaults)
    expect(policiesOf({})).toEqual(defaults)
  })

  it('are read as they are written', () => {
    const firn = {
      ...{ catch_up: 'all', catch_up_max: 3, overlap: 'cancel', jitter: '5  minutes' },
      ...{ start_deadline: '2 hours', exclusions: ['1970-01-02', '1970-01-03/1970-01-05'] },
      pause_after_failures: 4,
    }
    expect(policiesOf(firn)).toEqual({
      ...{ catchUp: 'all', catchUpMax: 3, overlap: 'cancel', jitterMs: 300_000 },
      ...{ startDeadlineMs: 7_200_000, pauseAfterFailures: 4 },
      exclusions: [
        { first: 1, last: 1 },
        { first: 2, last: 4 },
      ],
    })
  })

  it.each<[string, unknown]>([
    ['catch_up', 'some'],
    ['catch_up', null],
    ['catch_up_max', 0],
    ['catch_up_max', 101],
    ['catch_up_max', 1.5],
    ['catch_up_max', '3'],
    ['overlap', 'SKIP'],
    ['jitter', 5],
    ['jitter', '5 minute'],
    ['jitter', '8 days'],
    ['start_deadline', '0 hours'],
    ['start_deadline', '367 days'],
    ['pause_after_failures', 101],
    ['exclusions', '2027-12-24'],
    ['exclusions', Array.from({ length: 101 }, () => '2027-12-24')],
  ])('are refused by their name: %s %o', (key, value) => {
    expect(() => policiesOf({ [key]: value })).toThrow(refusal(`firn.${key}`))
  })

  it.each<[unknown]>([
    [3],
    [''],
    ['2027-02-29'],
    ['2027-13-01'],
    ['2027-1-1'],
    ['2027-01-01/'],
    ['2027-01-02/2027-01-01'],
    ['2027-01-01/2027-01-02/2027-01-03'],
  ])('exclude no day that there is not: %o', (entry) => {
    expect(() => policiesOf({ exclusions: ['2027-12-24', entry] })).toThrow(refusal('firn.exclusions.1'))
  })

  it('exclude days of the zone of their schedule', () => {
    const { exclusions } = policiesOf({ exclusions: ['2027-01-16'] })
    const day = Date.UTC(2027, 0, 16) / 86_400_000
    expect(excludedUntil({ exclusions }, at('2027-01-15T23:00Z'), 'Europe/Berlin')).toBe(day)
    expect(excludedUntil({ exclusions }, at('2027-01-15T23:00Z'), 'UTC')).toBeUndefined()
    expect(excludedUntil({ exclusions: [] }, noon, 'UTC')).toBeUndefined()
  })
})
