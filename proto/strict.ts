import { Fault } from '../core/fault.ts'

/** What a peer sent cannot be read. Throws Fault('bad_message'). */
export function refuse(what: string, cause?: unknown): never {
  throw new Fault('bad_message', what, cause === undefined ? {} : { cause })
}

/** The value, when it is there; else Fault('bad_message') naming the field. */
export const present = <T>(field: string, value: T | undefined): T =>
  value ?? refuse(`${field} is missing or unknown`)

/** A whole number from 0 to 2^53 - 1. Messages that came as JSON can hold anything. */
export const count = (field: string, value: number): number =>
  Number.isSafeInteger(value) && value >= 0 ? value : refuse(`${field} is no count`)

/** A finite number from 0 on. */
export const measure = (field: string, value: number): number =>
  Number.isFinite(value) && value >= 0 ? value : refuse(`${field} is no measure`)

/** `check` of the value, when there is one. */
export const maybe = <T, R>(
  check: (field: string, value: T) => R,
  field: string,
  value: T | undefined,
): R | undefined => (value === undefined ? undefined : check(field, value))

/** An id by core's own rule, whose refusal is the peer's fault here. */
export function id<T>(parse: (text: unknown) => T, text: unknown): T {
  try {
    return parse(text)
  } catch (cause) {
    refuse(cause instanceof Fault ? cause.message : 'bad id', cause)
  }
}

/** Text that may be unknown: empty on the wire. */
export const textOf = (text: string): string | undefined => (text === '' ? undefined : text)

/** The fields that have a value: core's optional fields are absent rather than undefined. */
export function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const there: { [K in keyof T]?: T[K] } = {}
  for (const key in fields) if (fields[key] !== undefined) there[key] = fields[key]
  return there as { [K in keyof T]?: Exclude<T[K], undefined> }
}

/** A path as core has it: text, and the exact bytes when text cannot hold them. */
export interface PathText {
  readonly path: string
  readonly pathBase64?: string
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** Raw bytes of a path as core has it. */
export function pathOf(bytes: Buffer): PathText {
  const path = utf8.decode(bytes)
  return Buffer.from(path).equals(bytes) ? { path } : { path, pathBase64: bytes.toString('base64') }
}

/** The raw bytes of a path. */
export const bytesOf = ({ path, pathBase64 }: PathText): Buffer =>
  pathBase64 === undefined ? Buffer.from(path) : Buffer.from(pathBase64, 'base64')
