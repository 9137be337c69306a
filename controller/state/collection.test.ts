import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Collection } from './collection.ts'
import type { Stored } from './documents.ts'

interface Thing {
  readonly colour: string
  readonly tags: readonly string[]
}

const indexes = { colour: (thing: Thing) => [thing.colour], tag: (thing: Thing) => thing.tags }
const stored = (colour: string, tags: readonly string[] = [], revision = 1): Stored<Thing> => ({
  value: { colour, tags },
  revision,
})
const colours = (things: Iterable<Stored<Thing>>) => [...things].map(({ value }) => value.colour)

describe('a collection', () => {
  it('lists a project in the order in which its documents came, which a change does not alter', () => {
    const things = new Collection<Thing>(indexes)
    things.set('p1', 'b', stored('blue'))
    things.set('p1', 'a', stored('red'))
    things.set('p2', 'c', stored('grey'))
    things.set('p1', 'b', stored('green'))
    expect(colours(things.of('p1'))).toEqual(['green', 'red'])
    expect([things.size, things.count('p1'), things.count('p3')]).toEqual([3, 2, 0])
    expect([...things.all()].map(([project, id]) => `${project}/${id}`)).toEqual(['p1/b', 'p1/a', 'p2/c'])
  })

  it('gives what was there before a change', () => {
    const things = new Collection<Thing>(indexes)
    const red = stored('red')
    expect(things.set('p1', 'a', red)).toBeUndefined()
    expect(things.set('p1', 'a', stored('blue'))).toBe(red)
    expect(things.delete('p1', 'b')).toBeUndefined()
    expect(things.delete('p2', 'a')).toBeUndefined()
    expect(things.delete('p1', 'a')?.value.colour).toBe('blue')
    expect(things.size).toBe(0)
  })

  it('can be changed while it is gone through', () => {
    const things = new Collection<Thing>(indexes)
    for (const id of ['a', 'b', 'c']) things.set('p1', id, stored('red'))
    let seen = 0
    for (const _thing of things.where('colour', 'red')) things.set('p1', `${++seen}`, stored('blue'))
    expect(seen).toBe(3)
  })

  it('lists an index in the order in which documents came into it, which other changes do not alter', () => {
    const things = new Collection<Thing>(indexes)
    for (const id of ['a', 'b', 'c']) things.set('p1', id, stored('red', [], 1))
    things.set('p1', 'a', stored('red', ['new'], 2))
    expect([...things.where('colour', 'red')].map(({ revision }) => revision)).toEqual([2, 1, 1])
    things.set('p1', 'b', stored('blue'))
    things.set('p1', 'b', stored('red', [], 3))
    expect([...things.where('colour', 'red')].map(({ revision }) => revision)).toEqual([2, 1, 3])
  })

  it('knows no index that was not asked for', () => {
    expect(() => [...new Collection<Thing>(indexes).where('size', '3')]).toThrow('no index size')
  })

  it('answers from its indexes what a look at every document answers, after any changes', () => {
    const words = ['red', 'blue', 'grey']
    const change = fc.record({
      project: fc.constantFrom('p1', 'p2'),
      id: fc.constantFrom('a', 'b', 'c', 'd'),
      thing: fc.option(
        fc.record({
          colour: fc.constantFrom(...words),
          tags: fc.array(fc.constantFrom(...words), { maxLength: 3 }),
        }),
        { nil: undefined },
      ),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
        const things = new Collection<Thing>(indexes)
        const plain = new Map<string, Stored<Thing>>()
        for (const { project, id, thing } of changes) {
          if (thing) {
            const next = stored(thing.colour, thing.tags)
            things.set(project, id, next)
            plain.set(`${project}/${id}`, next)
          } else {
            things.delete(project, id)
            plain.delete(`${project}/${id}`)
          }
        }
        expect(things.size).toBe(plain.size)
        for (const word of words) {
          const [byColour, byTag] = [
            [...plain.values()].filter(({ value }) => value.colour === word),
            [...plain.values()].filter(({ value }) => value.tags.includes(word)),
          ]
          expect(new Set(things.where('colour', word))).toEqual(new Set(byColour))
          expect(new Set(things.where('tag', word))).toEqual(new Set(byTag))
          expect(things.countWhere('tag', word)).toBe(byTag.length)
        }
      }),
    )
  })
})
