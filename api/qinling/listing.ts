import type { JsonObject } from '../../core/action.ts'
import { Fault } from '../../core/fault.ts'
import { inTurns } from '../freezer/turns.ts'
import type { Ask } from '../route.ts'
import { textIn } from './filters.ts'

/** A list that takes longer than this is of no use to anybody. Milliseconds. */
const listMs = 30_000

/** Documents between two looks at the clock. */
const batch = 64

/**
 * The first `limit` views that there are (undefined: none) and that are wanted, in turns with other requests. Throws Fault
 * 'timeout'.
 */
export async function collected<T>(
  items: Iterable<T>,
  view: (item: T) => JsonObject | undefined,
  isWanted: (shown: JsonObject) => boolean,
  limit: number,
): Promise<JsonObject[]> {
  const found: JsonObject[] = []
  const left = items[Symbol.iterator]()
  const until = performance.now() + listMs
  const step = (isOver: () => boolean): boolean => {
    for (let looked = 1; found.length < limit; looked++) {
      const { done, value } = left.next()
      if (done) return true
      const shown = view(value)
      if (shown && isWanted(shown)) found.push(shown)
      if (looked % batch === 0 && isOver()) return false
    }
    return true
  }
  await inTurns(step, () => {
    if (performance.now() > until) throw new Fault('timeout', 'the list took too long; make it narrower')
  })
  return found
}

/** Values of all these projects, one project after the other. */
export function* valuesIn<T>(
  projects: readonly string[],
  of: (project: string) => Iterable<{ readonly value: T }>,
): IterableIterator<T> {
  for (const project of projects) for (const { value } of of(project)) yield value
}

/** Views of several projects in order of creation; those of one project come in it. */
export const inOrder = (shown: JsonObject[], projects: readonly string[]): JsonObject[] =>
  projects.length < 2
    ? shown
    : shown.toSorted((a, b) => compare(textIn(a, 'created_at'), textIn(b, 'created_at')))

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Answers `{"<plural>": [...]}`. */
export const answerList = (ask: Ask, plural: string, shown: readonly JsonObject[]): Response =>
  ask.json({ [plural]: shown })
