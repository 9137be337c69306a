import { describe, expect, it } from 'vitest'
import { Fault } from '../../core/fault.ts'
import { realClock } from '../../test/support/real-clock.ts'
import { memoryStore } from '../memory/backend.ts'
import { State } from '../state/state.ts'
import { retrying } from './retrying.ts'

const context = () => ({ clock: realClock, state: new State(memoryStore().backend(), realClock) })

describe('deciding again', () => {
  it('goes on until nobody else was faster', async () => {
    let tries = 0
    const attempt = async () => {
      if (++tries < 3) throw new Fault('stale_write', 'faster')
      return tries
    }
    expect(await retrying(context(), attempt)).toBe(3)
  })

  it('ends some time, and at once for what is no race', async () => {
    let tries = 0
    const failing = (code: 'stale_write' | 'conflict') => async () => {
      tries++
      throw new Fault(code, 'no')
    }
    await expect(retrying(context(), failing('stale_write'))).rejects.toMatchObject({ code: 'stale_write' })
    expect(tries).toBeGreaterThan(3)
    tries = 0
    await expect(retrying(context(), failing('conflict'))).rejects.toMatchObject({ code: 'conflict' })
    expect(tries).toBe(1)
  })
})
