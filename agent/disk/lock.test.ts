import fs from 'node:fs'
import { describe, expect, it } from 'vitest'
import { isFault } from '../../core/fault.ts'
import { tempDir } from '../../test/support/temp.ts'
import { lockFolder } from './lock.ts'

const first = { pid: 100, startTime: 'boot/1' }
const second = { pid: 200, startTime: 'boot/2' }
const faultOf = (work: () => unknown): unknown => {
  try {
    work()
    return undefined
  } catch (error) {
    return error
  }
}

describe('the lock of a state directory', () => {
  it('keeps a second agent out while the first lives, and says who has it', async () => {
    await using dir = await tempDir()
    using _ = lockFolder(dir.path, first, () => true)
    const fault = faultOf(() => lockFolder(dir.path, second, () => true))
    expect(isFault(fault, 'conflict')).toBe(true)
    expect(String(fault)).toContain('pid 100')
  })

  it('is free again afterwards', async () => {
    await using dir = await tempDir()
    lockFolder(dir.path, first, () => true)[Symbol.dispose]()
    using _ = lockFolder(dir.path, second, () => true)
    expect(fs.readdirSync(dir.path)).toEqual(['lock'])
  })

  it('is taken over from a process that is gone, also when its pid has come back as another', async () => {
    await using dir = await tempDir()
    lockFolder(dir.path, first, () => true)
    const alive = ({ pid, startTime }: typeof first): boolean => pid === 100 && startTime === 'boot/9'
    using _ = lockFolder(dir.path, second, alive)
    expect(fs.readFileSync(dir.join('lock'), 'utf8')).toContain('200')
  })

  it('is taken over when it cannot be read', async () => {
    await using dir = await tempDir()
    fs.writeFileSync(dir.join('lock'), 'gar')
    using _ = lockFolder(dir.path, second, () => true)
    expect(fs.readFileSync(dir.join('lock'), 'utf8')).toContain('200')
  })

  it('does not free what another agent has taken', async () => {
    await using dir = await tempDir()
    const stale = lockFolder(dir.path, first, () => true)
    using _ = lockFolder(dir.path, second, () => false)
    stale[Symbol.dispose]()
    expect(fs.existsSync(dir.join('lock'))).toBe(true)
  })
})
