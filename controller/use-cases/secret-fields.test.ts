import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../core/action.ts'
import { masked, sealed } from './secret-fields.ts'

const sealer = {
  seal: (secret: string, place: string) => `${place}|${secret}`,
  open: (text: string, place: string) => {
    if (!text.startsWith(`${place}|`)) throw new Error('not of this place')
    return text.slice(place.length + 1)
  },
}
const at = (name: string) => (path: string) => `${name}/${path}`
const secret = (name: string, path: string, value: unknown) => ({
  $sealed: `${name}/${path}|${JSON.stringify(value)}`,
})

describe('the secrets of a document', () => {
  it('are those that are named like one, at any depth and of any shape', () => {
    const document: JsonObject = {
      ssh_password: 'x',
      storages: [{ secret_key: 'y', container: 'c' }],
      mysql_conf: { user: 'root' },
      ...{
        ssh_key: '/root/.ssh/id_rsa',
        encrypt_pass_file: '/etc/key',
        backup_name: 'pass',
        empty_password: '',
      },
    }
    expect(sealed(sealer, document, at('a'))).toEqual({
      ...document,
      ssh_password: secret('a', 'ssh_password', 'x'),
      storages: [{ secret_key: secret('a', 'storages.0.secret_key', 'y'), container: 'c' }],
      mysql_conf: secret('a', 'mysql_conf', { user: 'root' }),
    })
  })

  it('are shown masked, and kept when the mask comes back', () => {
    const stored = sealed(sealer, { password: 'x', n: { token: 't' } }, at('a'))
    const shown = masked(stored)
    expect(shown).toEqual({ password: '***', n: { token: '***' } })
    expect(sealed(sealer, shown, at('a'), { document: stored, place: at('a') })).toEqual(stored)
  })

  it('move along to another place', () => {
    const stored = sealed(sealer, { password: 'x' }, at('a'))
    const moved = sealed(sealer, { password: '***' }, at('b'), { document: stored, place: at('a') })
    expect(moved).toEqual({ password: secret('b', 'password', 'x') })
  })

  it("are no others': a mask without a secret behind it is refused", () => {
    expect(() => sealed(sealer, { password: '***' }, at('a'))).toThrow(
      expect.objectContaining({ code: 'bad_request' }),
    )
  })
})
