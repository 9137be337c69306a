import fc from 'fast-check'
import { expect, it } from 'vitest'
import { signedText, textSigned } from './markers.ts'

it('a marker means what it meant to the list that gave it, and nothing to any other', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string(), fc.string(), (text, list, other) => {
      const marker = signedText(text, list)
      expect(marker).toMatch(/^[\w-]+$/)
      expect(textSigned(marker, list)).toBe(text)
      if (other !== list) expect(textSigned(marker, other)).toBeUndefined()
    }),
  )
})

it('a marker that lacks something, or has more, is none', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.nat(), fc.string({ minLength: 1 }), (text, at, more) => {
      const marker = signedText(text, 'list')
      expect(textSigned(marker.slice(0, at % marker.length), 'list')).toBeUndefined()
      expect(textSigned(marker + more, 'list')).toBeUndefined()
    }),
  )
})
