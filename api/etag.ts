import { refuseUnless, type Expectation, type Read } from '../controller/use-cases/expectation.ts'
import { refusal } from './fields.ts'
import type { Ask } from './route.ts'

/*
 * Optimistic locking. A document is shown with its ETag (`ask.json(view, 200, etagHeader(stored))`, in answers to GET, POST and
 * PATCH alike). A change hands `expectationOf(ask)` to its use case, which refuses with 412 unless the document is still the
 * one that `If-Match` names:
 *
 *   const stored = await patchJob(context, ask.caller, id, fields, expectationOf(ask))
 *   return ask.json({ job_id: stored.value.id }, 200, etagHeader(stored))
 */

/**
 * The ETag of a stored document: its version, which each change by a caller counts up (what servers note beside it does not),
 * and its creation, since one that is deleted and made again counts from 1 again. Documents without a version have the
 * revision of their last write.
 */
export function etagOf({ value, revision }: Read): string {
  const { version, createdAt } = value as { readonly version?: number; readonly createdAt?: number }
  return version === undefined ? `"r${revision}"` : `"${version}-${(createdAt ?? 0).toString(36)}"`
}

/** The header that carries it. */
export const etagHeader = (stored: Read): { readonly etag: string } => ({ etag: etagOf(stored) })

/** What the reference says of these headers, for routes that ask `expectationOf`. */
export const matchHeaders: Readonly<Record<string, string>> = {
  'If-Match':
    'ETags that the document may have (of an earlier answer), or `*`: else nothing is changed and the answer is 412',
  'If-None-Match': '`*`: only if there is no such document yet; else the answer is 412',
}

/** Entity tags of ours are short; more than a few make no sense. */
const headerMax = 2_000

/**
 * What `If-Match` (one or more ETags, or `*`: it exists) and `If-None-Match: *` (it does not) demand of the document that the
 * request changes; undefined when neither header is there. Throws Fault('bad_request') for a header in another form.
 */
export function expectationOf(ask: Ask): Expectation | undefined {
  const match = ask.header('if-match')
  const none = ask.header('if-none-match')
  if (match === undefined && none === undefined) return undefined
  if (none !== undefined && none.trim() !== '*')
    throw refusal('If-None-Match', 'must be *: with an ETag it means nothing for a change')
  const wanted = match === undefined ? undefined : tagsIn(match)
  return (before) => {
    if (none !== undefined) refuseUnless(before === undefined, 'If-None-Match: it is there already')
    if (!wanted) return
    const isAsWanted = before !== undefined && (wanted === '*' || wanted.includes(etagOf(before)))
    refuseUnless(isAsWanted, 'If-Match: it is not, or no longer, as the request says; read it again')
  }
}

function tagsIn(header: string): '*' | readonly string[] {
  const text = header.trim()
  if (text === '*') return '*'
  const tags = text.length > headerMax ? [] : text.split(',').map((tag) => tag.trim())
  if (tags.length === 0 || !tags.every((tag) => /^"[\x21\x23-\x7e]{1,100}"$/.test(tag)))
    throw refusal('If-Match', 'must be * or ETags, in double quotes and separated by commas')
  return tags
}
