import { describe, expect, it } from 'vitest'
import { aBackup, aClient, noon } from '../test/support/builders.ts'
import { later } from './clock.ts'
import type { BackupId } from './ids.ts'
import { isEnrolled, matches, newestOf } from './select.ts'

describe('a selector', () => {
  const web = aClient({ labels: { role: 'web', site: 'east' } })

  it('matches the clients that have all its labels', () => {
    expect(matches(web, { role: 'web' })).toBe(true)
    expect(matches(web, { role: 'web', site: 'east' })).toBe(true)
    expect(matches(web, { role: 'web', site: 'west' })).toBe(false)
    expect(matches(web, { rack: '7' })).toBe(false)
  })

  it('matches nobody when it is empty: everybody would be a mistake', () => {
    expect(matches(web, {})).toBe(false)
  })
})

describe('a client', () => {
  it('is the servers’ to plan for once its agent has enrolled, until that is revoked', () => {
    const { enrolled: _none, ...foreign } = aClient()
    expect(isEnrolled(aClient())).toBe(true)
    expect(isEnrolled(foreign)).toBe(false)
    expect(isEnrolled(undefined)).toBe(false)
    expect(isEnrolled(aClient({ enrolled: { at: noon, fingerprint: 'ab', revokedAt: noon } }))).toBe(false)
  })
})

describe('the newest backup of a series', () => {
  const backup = (id: string, ms: number, over = {}) =>
    aBackup({ id: id as BackupId, startedAt: later(noon, ms), ...over })
  const etc = { is: 'series', backupName: 'etc' } as const

  it('is the one that started last, whatever order they are listed in', () => {
    const list = [backup('b2', 2), backup('b3', 3), backup('b1', 1)]
    expect(newestOf(list, etc)?.id).toBe('b3')
  })

  it('is not later than asked for, of that name, and was kept', () => {
    const list = [
      backup('b1', 1),
      backup('b2', 2),
      backup('b3', 3, { result: 'failed' }),
      backup('b4', 4, { backupName: 'var' }),
    ]
    expect(newestOf(list, etc)?.id).toBe('b2')
    expect(newestOf(list, { ...etc, notAfter: noon + 1 })?.id).toBe('b1')
    expect(newestOf(list, { ...etc, notAfter: noon })).toBeUndefined()
  })

  it('may be partial: it is restorable', () => {
    expect(newestOf([backup('b1', 1, { result: 'partial' })], etc)?.id).toBe('b1')
  })
})
