import { z } from 'zod'
import type { JsonObject } from '../../core/action.ts'
import { isFault } from '../../core/fault.ts'
import { clientId } from '../../core/ids.ts'
import { refusal } from '../fields.ts'
import type { Input } from '../operation.ts'
import { prose } from '../plain-text.ts'
import type { Ask } from '../route.ts'

/*
 * The parts that Freezer's documents are checked by. They only check: what is stored is what was sent, key by key, and not
 * what a schema makes of it.
 */

/** A field that is the server's: accepted, for clients send whole documents back, and not looked at. */
export const ignored = z.unknown().optional().meta({ description: "The server's; accepted and ignored" })

/** Freezer's ID. */
export const idText = z.string().regex(/^[\w-]{1,64}$/)

/** Freezer's CLIENT. */
export const clientText = z
  .string()
  .refine(isClient, 'must be a host name, optionally after a "prefix_"')
  .meta({ description: 'A host name, optionally after a `prefix_`' })

function isClient(text: string): boolean {
  try {
    clientId(text)
    return true
  } catch {
    return false
  }
}

/** A word as Freezer has them: `backup`, `fs`. */
export const wordText = z
  .string()
  .max(255)
  .regex(/^[\w-]+$/)

/** Longer descriptions are books. Characters; the published bound is 64 bytes, the real one 255 characters. */
export const description = prose(z.string().max(4096))

/** Unix seconds; -1: never. */
export const seconds = z.int().meta({ description: 'Unix seconds; -1: never' })

/** Seconds; no pause is longer than a year. */
export const pauseS = z
  .int()
  .min(0)
  .max(366 * 24 * 3600)

/** The answer to a change: whose it is, and the document's version after it. */
export const changed = (key: string) =>
  z.object({ [key]: z.string(), version: z.int().meta({ description: 'Grows by one with each change' }) })

/** The document as it was sent, once its schema has found nothing wrong with it. Throws what the check throws. */
export async function sentDocument(
  ask: Ask,
  input: Pick<Input<unknown, unknown>, 'body'>,
): Promise<JsonObject> {
  await input.body()
  return ((await ask.body()) ?? {}) as JsonObject
}

/** Does work whose refusals name fields, with each name as the sender has spelt it. */
export async function spelling<T>(speltAs: (field: string) => string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isFault(error, 'bad_request') || error.detail.field === undefined) throw error
    const { field } = error.detail
    const spelt = speltAs(field)
    if (spelt === field || !error.message.startsWith(`${field}: `)) throw error
    throw refusal(spelt, error.message.slice(field.length + 2))
  }
}
