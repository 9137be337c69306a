import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isFault } from '../../core/fault.ts'
import { validatedFrom } from './answers.ts'

const names = { admin: ['admin'], operator: ['member', 'Operator'], viewer: ['reader'] }

const answer = (over: object = {}) => ({
  token: {
    project: { id: 'p1', name: 'shop' },
    user: { id: 'u1', name: 'alice' },
    roles: [{ name: 'reader' }],
    expires_at: '2027-01-15T12:00:00.000000Z',
    ...over,
  },
})

const roleOf = (...held: string[]) =>
  validatedFrom(answer({ roles: held.map((name) => ({ name })) }), names).identity.role

describe('an answer of Keystone', () => {
  it('tells project, user and end of a token', () => {
    expect(validatedFrom(answer(), names)).toEqual({
      identity: { project: 'p1', user: 'u1', userName: 'alice', role: 'viewer' },
      expiresAt: Date.parse('2027-01-15T12:00Z'),
    })
  })

  it('gives the highest role that its roles mean, in any case of letters', () => {
    expect(roleOf('reader', 'member')).toBe('operator')
    expect(roleOf('OPERATOR')).toBe('operator')
    expect(roleOf('reader', 'Admin', 'member')).toBe('admin')
    expect(() => roleOf('creator')).toThrow(expect.objectContaining({ code: 'forbidden' }))
    expect(() => validatedFrom(answer({ roles: undefined }), names)).toThrow(
      expect.objectContaining({ code: 'forbidden' }),
    )
  })

  it('lets nobody in without a project', () => {
    expect(() => validatedFrom(answer({ project: undefined }), names)).toThrow(
      expect.objectContaining({ code: 'unauthenticated' }),
    )
  })

  it('is refused with a fault whatever else it is', () => {
    const keys = ['token', 'project', 'user', 'roles', 'expires_at', 'id', 'name', '__proto__']
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom<unknown>(null, 0, 'p1', '', '2027-01-15T12:00Z', true),
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...keys), tie('tree'), { maxKeys: 5 }),
      ),
    }))
    fc.assert(
      fc.property(
        fc.oneof(
          tree,
          tree.map((project) => answer({ project })),
          tree.map((roles) => answer({ roles })),
        ),
        (document) => {
          try {
            expect(validatedFrom(document, names).identity.project).toMatch(/^[\w-]+$/)
          } catch (error) {
            expect(isFault(error, 'unauthenticated', 'forbidden', 'bad_message')).toBe(true)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})
