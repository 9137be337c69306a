import { chmod, readFile, stat, writeFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tempDir } from '../../test/support/temp.ts'
import { openSealer } from './seal.ts'

const forbidden = expect.objectContaining({ code: 'forbidden' }) as Error

describe('a sealed secret', () => {
  it('opens where it belongs, and after a restart', async () => {
    await using dir = await tempDir()
    const sealed = (await openSealer(dir.join('keys'))).seal('pässword', 'repository/p/r/password')
    expect(sealed).toMatch(/^s1:[0-9a-f]{8}:[\w-]+$/)
    expect(sealed).not.toContain(Buffer.from('pässword').toString('base64url'))
    expect((await openSealer(dir.join('keys'))).open(sealed, 'repository/p/r/password')).toBe('pässword')
    expect(((await stat(dir.join('keys'))).mode & 0o777).toString(8)).toBe('600')
  })

  it('is never sealed the same way twice', async () => {
    await using dir = await tempDir()
    const sealer = await openSealer(dir.join('keys'))
    expect(sealer.seal('x', 'here')).not.toBe(sealer.seal('x', 'here'))
  })

  it('comes out whatever it holds', async () => {
    await using dir = await tempDir()
    const sealer = await openSealer(dir.join('keys'))
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (secret, place) => {
        expect(sealer.open(sealer.seal(secret, place), place)).toBe(secret)
      }),
    )
  })

  it('does not open elsewhere, damaged, cut, or with another key', async () => {
    await using dir = await tempDir()
    const sealer = await openSealer(dir.join('keys'))
    const other = await openSealer(dir.join('other'))
    const sealed = sealer.seal('secret', 'here')
    expect(() => sealer.open(sealed, 'there')).toThrow(forbidden)
    expect(() => other.open(sealed, 'here')).toThrow(forbidden)
    for (const cut of [0, 1, 11, 12, 28, 33]) {
      expect(() => sealer.open(sealed.slice(0, sealed.length - cut - 1), 'here')).toThrow(forbidden)
    }
    const at = sealed.length - 4
    const flipped = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1)
    expect(() => sealer.open(flipped, 'here')).toThrow(forbidden)
  })

  it('opens with an older key after a new one was put on top, which seals from then on', async () => {
    await using dir = await tempDir()
    const sealed = (await openSealer(dir.join('keys'))).seal('secret', 'here')
    await openSealer(dir.join('new'))
    const both = (await readFile(dir.join('new'), 'utf8')) + (await readFile(dir.join('keys'), 'utf8'))
    await writeFile(dir.join('keys'), both)
    const sealer = await openSealer(dir.join('keys'))
    expect(sealer.open(sealed, 'here')).toBe('secret')
    expect(sealer.seal('x', 'here').split(':')[1]).toBe(both.slice(0, 8))
  })

  it('has a key file that is refused when others can read it or when it is something else', async () => {
    await using dir = await tempDir()
    await writeFile(dir.join('keys'), 'hello\n', { mode: 0o600 })
    await expect(openSealer(dir.join('keys'))).rejects.toMatchObject({ code: 'bad_request' })
    await chmod(dir.join('keys'), 0o644)
    await expect(openSealer(dir.join('keys'))).rejects.toMatchObject({ code: 'forbidden' })
  })

  it('has one key file for processes that start at once', async () => {
    await using dir = await tempDir()
    const [a, b] = await Promise.all([openSealer(dir.join('keys')), openSealer(dir.join('keys'))])
    expect(b.open(a.seal('secret', 'here'), 'here')).toBe('secret')
  })
})
