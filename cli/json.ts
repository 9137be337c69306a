// Reads answers of a server without trusting their shape: what is missing or of another type is absent.

/** Anything that JSON can say. */
export type Document = Readonly<Record<string, unknown>>

/** `value` as an object; an empty one when it is none. */
export function object(value: unknown): Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Document) : {}
}

/** `value` as a list; an empty one when it is none. */
export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** What lies at a path of keys. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => object(inner)[key], value)
}

/** The text, number or boolean at a path, as text; empty when there is none. */
export function text(value: unknown, ...path: readonly string[]): string {
  const found = at(value, ...path)
  return typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean'
    ? String(found)
    : ''
}

/** The finite number at a path. */
export function number(value: unknown, ...path: readonly string[]): number | undefined {
  const found = at(value, ...path)
  return typeof found === 'number' && Number.isFinite(found) ? found : undefined
}

/** The objects of the list at a path. */
export const objects = (value: unknown, ...path: readonly string[]): Document[] =>
  list(at(value, ...path)).map(object)
