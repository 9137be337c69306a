import { badField } from '../../core/fault.ts'
import { kinds, type Kind, type Ref } from '../ports/backend.ts'

/**
 * Everything Firn keeps in etcd lies under this prefix; the number is the version of the layout. A document's key is
 * `/firn/1/<kind>/<project>/<id>`. This file is the only one that spells a key.
 */
const root = '/firn/1/'

/** The leader's key: its create_revision is the epoch, its value the leading server's id, its lease that server's. */
export const leaderKey = Buffer.from(`${root}leader`)

/** Written for its revision alone, see `EtcdBackend.revision`. */
export const markKey = Buffer.from(`${root}mark`)

/** The range [start, end) that holds every key of ours, the leader's key included. */
export const everything = { start: Buffer.from(root), end: after(root) } as const

/** The first key behind all that start with `prefix`. */
function after(prefix: string): Buffer {
  const bytes = Buffer.from(prefix)
  const last = bytes.length - 1
  bytes[last] = (bytes[last] ?? 0) + 1
  return bytes
}

/** A part of a key: everything but letters, digits and "_", ".", "-", ":" as percent-encoded UTF-8. */
const spelt = (part: string) =>
  part.replace(/[^\w.:-]+/g, (run) => encodeURIComponent(run).replace(/[!'()*~]/g, hex))
const hex = (char: string) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`

/** The key of a document. Throws Fault 'bad_request' for text that is no well-formed Unicode. */
export function keyOf({ kind, project, id }: Ref): Buffer {
  try {
    return Buffer.from(`${root}${kind}/${spelt(project)}/${spelt(id)}`)
  } catch (cause) {
    throw badField(kind, `a name that is no Unicode text (${String(cause)})`)
  }
}

/** The document that a key names; undefined for the leader's key and for any key that this version does not write. */
export function refOf(key: Buffer): Ref | undefined {
  const text = key.toString('utf8')
  if (!text.startsWith(root)) return undefined
  const [kind, project, id, ...more] = text.slice(root.length).split('/')
  if (!isKind(kind) || project === undefined || id === undefined || more.length > 0) return undefined
  try {
    const ref = { kind, project: decodeURIComponent(project), id: decodeURIComponent(id) }
    return keyOf(ref).equals(key) ? ref : undefined
  } catch {
    return undefined
  }
}

const isKind = (text: string | undefined): text is Kind =>
  (kinds as readonly (string | undefined)[]).includes(text)
