import { describe, expect, it } from 'vitest'
import { later } from '../../core/clock.ts'
import { noon } from '../../test/support/builders.ts'
import { autostartOf } from './extensions.ts'
import { claimDue } from './claim.ts'
import { onceNow, replan } from './schedule.ts'

describe('a job that nobody has said a time for', () => {
  const due = onceNow(replan({}, undefined, undefined, noon), noon)

  it('is due at once, and never again', () => {
    const claim = claimDue({ id: 'j1', schedule: {}, plan: due }, { open: 0, failures: 0 }, later(noon, 5))
    expect(claim).toMatchObject({ do: 'start', slot: noon, plan: { claimed: noon } })
    expect(claim).not.toHaveProperty('plan.next')
  })

  it('is due still when the servers were away, for a day', () => {
    const day = 86_400_000
    expect(
      claimDue({ id: 'j1', schedule: {}, plan: due }, { open: 0, failures: 0 }, later(noon, day)),
    ).toMatchObject({ do: 'start', slot: noon })
    expect(
      claimDue({ id: 'j1', schedule: {}, plan: due }, { open: 0, failures: 0 }, later(noon, day + 1)),
    ).toMatchObject({ do: 'skip' })
  })

  it.each([
    [undefined, true],
    [{}, true],
    [{ autostart: true }, true],
    [{ autostart: false }, false],
  ])('starts by itself unless it says otherwise: %j', (firn, starts) => {
    expect(autostartOf(firn)).toBe(starts)
  })

  it('says so with a boolean only', () => {
    expect(() => autostartOf({ autostart: 'no' })).toThrow('firn.autostart')
  })
})
