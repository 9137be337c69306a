import { describe, expect, it } from 'vitest'
import { instant, isoOf, type Instant } from '../../core/clock.ts'
import { isFault } from '../../core/fault.ts'
import vectors from './cron-vectors.json' with { type: 'json' }
import { checkSchedule, replan } from './schedule.ts'
import { ticksOf } from './ticks.ts'

interface Vector {
  readonly id: string
  readonly pattern: string
  readonly tz: string
  readonly from: string
  readonly n: number
  /** Instants, or what is to become of it: `REJECT`, `REJECT-OR-NONE`, or a choice that is documented. */
  readonly expected: string | readonly string[]
}

const at = (text: string): Instant => instant(Date.parse(text))

function ticks({ pattern, tz, from, n }: Vector): string[] | 'refused' {
  const found: string[] = []
  try {
    const all = ticksOf(pattern, tz, 'pattern', 'either')
    let last: Instant | undefined = at(from)
    while (found.length < n && (last = all.after(last)) !== undefined)
      found.push(isoOf(last).replace('.000Z', 'Z'))
    return found
  } catch (error) {
    if (isFault(error, 'bad_request')) return 'refused'
    throw error
  }
}

/** Of what the vectors leave open, everything is refused. */
const expectedOf = ({ expected, n }: Vector): unknown =>
  typeof expected === 'string' ? 'refused' : expected.slice(0, n)

describe('a cron pattern has the instants that its vector says', () => {
  const sure = (vectors as readonly Vector[]).filter(({ expected }) => expected !== 'REJECT-OR-NONE')
  it.each(sure)('$id: $pattern in $tz after $from', (vector) => {
    expect(ticks(vector)).toEqual(expectedOf(vector))
  })
})

describe('a pattern that no date satisfies', () => {
  const never = (vectors as readonly Vector[]).filter(({ expected }) => expected === 'REJECT-OR-NONE')

  it.each(never)('$id has no instants: $pattern', (vector) => {
    expect(ticks(vector)).toEqual([])
  })

  it.each(['0 0 L-30 2 *', '0 0 30 2 *', '0 0 31 2,4,6,9,11 *'])('is refused: %s', (pattern) => {
    const plan = () => {
      checkSchedule({}, { pattern })
      return replan({}, { pattern }, undefined, at('2027-01-15T12:00:00Z'))
    }
    expect(plan).toThrow(expect.objectContaining({ code: 'bad_request', detail: { field: 'firn.pattern' } }))
  })

  it.each([
    ['2026', '2026-12-28T00:00:00Z'],
    ['2032', '2032-12-27T00:00:00Z'],
  ])('is not one of week 53 in a year that has it: %s', (schedule_year, first) => {
    const fields = { schedule_year, schedule_week: '53', schedule_day_of_week: 'mon' }
    expect(replan(fields, undefined, undefined, at('2026-01-01T00:00:00Z')).next).toBe(at(first))
  })

  it('is one of week 53 in a year that has none', () => {
    const fields = { schedule_year: '2027', schedule_week: '53', schedule_month: '12' }
    expect(() => replan(fields, undefined, undefined, at('2026-01-01T00:00:00Z'))).toThrow()
  })
})
