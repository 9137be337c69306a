import { z } from 'zod'
import type { JsonObject } from '../../core/action.ts'
import { Fault } from '../../core/fault.ts'
import { EdgeFault } from '../faults.ts'
import { quoted } from '../fields.ts'
import type { Input } from '../operation.ts'
import type { Ask } from '../route.ts'
import { sentDocument } from './forms.ts'
import { finds, parseSearch, searchForm, termsOf, type Search } from './search.ts'
import { inTurns } from './turns.ts'

/** What a list reads from: the documents that the caller may see, in order of creation, and how to show one. */
export interface Listed<T> {
  /** All that can be found, perhaps without the first `skip`; a search may narrow them, never beyond what it finds. */
  readonly documents: (search: Search | undefined, skip: number) => Candidates<T>
  readonly show: (document: T) => JsonObject
  /** The text of what is shown, where that is known without making it. */
  readonly textOf?: (document: T) => string
}

/** Documents that may be found. */
export interface Candidates<T> {
  readonly items: Iterable<T>
  /** So many that are found have been left out already. */
  readonly skipped: number
  /** Whether the search finds a document, where that is known without making its view; undefined: it is not. */
  readonly isFound: (document: T) => boolean | undefined
}

const limitDefault = 10
/** No client asks for more in one page: the command line asks for 100. More is refused, for fewer would look like the end. */
const limitMax = 10_000
/** Of a page's text, in characters. */
const pageMax = 32 * 1024 * 1024
/** A search over everything takes seconds; with many at once, each has its turn. Milliseconds. */
const searchMs = 30_000
/** What is done between two looks at the clock, in documents passed over; a look at one, and making its view, take as long as so many. */
const costBetweenLooks = 1024
const lookCost = 32
const viewCost = 64

/** The query of every list; what the numbers must be is checked where they are read, in Freezer's words. */
export const pageQuery = z.object({
  limit: z
    .string()
    .optional()
    .meta({ description: `Documents in a page, at most ${limitMax}; 10 by default` }),
  offset: z.string().optional().meta({ description: 'Documents to leave out, of those that are found' }),
})

/** What every list says of itself: Freezer reads its search from the body of a GET. */
export const listSpec = { method: 'GET', role: 'viewer', query: pageQuery, body: searchForm } as const

/** The answer of a list, for the reference. */
export const listOf = (plural: string, item: z.ZodType) => z.object({ [plural]: z.array(item) })

/** Answers Freezer's list: `{"<plural>": [...]}`, paged after filtering. Throws Fault('bad_request'). */
export function answerList<T>(
  ask: Ask,
  input: Pick<Input<unknown, unknown>, 'body'>,
  plural: string,
  listed: Listed<T>,
): Response | Promise<Response> {
  const limit = numberOf(ask, 'limit') || limitDefault
  if (limit > limitMax) throw invalid('limit', `${limit} is greater than the maximum of ${limitMax}`)
  const offset = numberOf(ask, 'offset') ?? 0
  if (!ask.hasBody) return page(ask, plural, listed, { search: undefined, offset, limit })
  return sentDocument(ask, input).then((document) =>
    page(ask, plural, listed, { search: parseSearch(document), offset, limit }),
  )
}

const invalid = (name: string, message: string) => new EdgeFault('invalid_parameter', `${name}: ${message}`)

/** A whole number of the query; empty is absent. */
function numberOf(ask: Ask, name: string): number | undefined {
  const text = ask.query(name)
  if (text === undefined || text === '') return undefined
  if (!/^\d{1,15}$/.test(text)) throw invalid(name, `${quoted(text)} is not a whole number`)
  return Number(text)
}

interface Wanted {
  readonly search: Search | undefined
  readonly offset: number
  readonly limit: number
}

function page<T>(ask: Ask, plural: string, listed: Listed<T>, wanted: Wanted): Response | Promise<Response> {
  const collected = new Page(listed, wanted)
  const answer = (): Response => ask.jsonText(`{"${plural}":[${collected.texts.join(',')}]}`)
  const going = inTurns((isOver) => collected.goOn(isOver), patience(ask))
  return going ? going.then(answer) : answer()
}

/** A page that is being collected. */
class Page<T> {
  readonly texts: string[] = []
  readonly #listed: Listed<T>
  readonly #wanted: Wanted
  readonly #items: Iterator<T>
  readonly #isFound: (document: T) => boolean | undefined
  /** Of the documents that are found, so many have been left out. */
  #passed: number
  /** Of one document that is looked into. */
  readonly #cost: number
  #size = 0

  constructor(listed: Listed<T>, wanted: Wanted) {
    const { items, skipped, isFound } = listed.documents(wanted.search, wanted.search ? 0 : wanted.offset)
    this.#listed = listed
    this.#wanted = wanted
    this.#items = items[Symbol.iterator]()
    this.#isFound = wanted.search === undefined ? () => true : isFound
    this.#passed = skipped
    this.#cost = viewCost * (1 + Math.floor(termsOf(wanted.search) / 8))
  }

  /** Goes on until the page is full or nothing is left (true), or the turn is over (false). */
  goOn(isOver: () => boolean): boolean {
    for (let cost = 0; this.texts.length < this.#wanted.limit;) {
      const { done, value } = this.#items.next()
      if (done) return true
      cost += this.#take(value)
      if (cost < costBetweenLooks) continue
      if (isOver()) return false
      cost = 0
    }
    return true
  }

  /** Gives what it has cost. */
  #take(document: T): number {
    const { search, offset } = this.#wanted
    const isFound = this.#isFound(document)
    if (isFound === false) return lookCost
    if (isFound && this.#passed < offset) {
      this.#passed++
      return 1
    }
    const { show, textOf } = this.#listed
    if (isFound && textOf) {
      this.#add(textOf(document))
      return this.#cost
    }
    const shown = show(document)
    if (!isFound && search && !finds(search, shown)) return this.#cost
    if (this.#passed < offset) this.#passed++
    else this.#add(JSON.stringify(shown))
    return this.#cost
  }

  #add(text: string): void {
    this.#size += text.length
    if (this.#size > pageMax)
      throw invalid('limit', `the page would have more than ${pageMax} characters; ask for less`)
    this.texts.push(text)
  }
}

/** Throws Fault 'cancelled' once nobody waits for the answer any more, 'timeout' after 30 s. */
function patience(ask: Ask): () => void {
  const until = performance.now() + searchMs
  const { outgoing } = ask.http.env ?? {}
  return () => {
    if (outgoing?.destroyed) throw new Fault('cancelled', 'the request broke off')
    if (performance.now() > until) throw new Fault('timeout', 'the search took too long; make it narrower')
  }
}
