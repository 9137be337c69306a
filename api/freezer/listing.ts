import type { JsonObject } from '../../core/action.ts'
import { setImmediate as yieldToOthers } from 'node:timers/promises'
import type { Ask } from '../route.ts'
import { refusal, quoted } from '../fields.ts'
import { finds, parseSearch, type Search } from './search.ts'

/** What a list reads from: the documents that the caller may see, in order of creation, and how to show one. */
export interface Listed<T> {
  /** All that can be found; a search may narrow them down, never beyond what it finds. */
  readonly documents: (search: Search | undefined) => Iterable<T>
  readonly show: (document: T) => JsonObject
}

const limitDefault = 10
/** More is not asked for by any client in one page: the command line asks for 100. */
const limitMax = 1000

/** A search keeps the process to itself for no longer than this. Milliseconds. */
const sliceMs = 5
/** Documents between two looks at the clock. */
const sliceDocuments = 32

/** Answers Freezer's list: `{"<plural>": [...]}`, paged after filtering. Throws Fault('bad_request'). */
export function answerList<T>(ask: Ask, plural: string, listed: Listed<T>): Response | Promise<Response> {
  const limit = Math.min(whole(ask, 'limit') || limitDefault, limitMax)
  const offset = whole(ask, 'offset') ?? 0
  if (!ask.hasBody) return ask.json({ [plural]: page(listed, offset, limit) })
  return ask.body().then(async (body) => {
    const search = parseSearch(body)
    const found = search ? await searched(listed, search, offset, limit) : page(listed, offset, limit)
    return ask.json({ [plural]: found })
  })
}

/** A whole number of the query; empty is absent. */
function whole(ask: Ask, name: string): number | undefined {
  const text = ask.query(name)
  if (text === undefined || text === '') return undefined
  if (!/^\d{1,9}$/.test(text)) throw refusal(name, `${quoted(text)} is not a whole number`)
  return Number(text)
}

function page<T>({ documents, show }: Listed<T>, offset: number, limit: number): JsonObject[] {
  const found: JsonObject[] = []
  let passed = 0
  for (const document of documents(undefined)) {
    if (passed++ < offset) continue
    found.push(show(document))
    if (found.length >= limit) break
  }
  return found
}

async function searched<T>(
  { documents, show }: Listed<T>,
  search: Search,
  offset: number,
  limit: number,
): Promise<JsonObject[]> {
  const found: JsonObject[] = []
  let passed = 0
  let looked = 0
  let since = performance.now()
  for (const document of documents(search)) {
    if (++looked % sliceDocuments === 0 && performance.now() - since > sliceMs) {
      await yieldToOthers()
      since = performance.now()
    }
    const shown = show(document)
    if (!finds(search, shown) || passed++ < offset) continue
    found.push(shown)
    if (found.length >= limit) break
  }
  return found
}
