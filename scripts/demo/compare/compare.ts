// Two manifests side by side.
import type { Entry, Manifest } from './manifest.ts'

/** What is compared of each entry. */
export const aspects = ['bytes', 'mode', 'mtime', 'links', 'xattrs', 'owner'] as const
export type Aspect = (typeof aspects)[number]

/** Something that is not as it was. */
export interface Difference {
  readonly path: string
  readonly aspect: Aspect
  readonly text: string
}

/** What is different in `after`, of the aspects that are asked for. */
export function differences(before: Manifest, after: Manifest, asked: ReadonlySet<Aspect>): Difference[] {
  const found: Difference[] = []
  for (const [path, was] of before.entries) {
    const is = after.entries.get(path)
    if (is === undefined) found.push({ path, aspect: 'bytes', text: 'is missing' })
    else
      for (const aspect of asked) {
        const text = checks[aspect](was, is)
        if (text !== undefined) found.push({ path, aspect, text })
      }
  }
  for (const path of after.entries.keys())
    if (!before.entries.has(path)) found.push({ path, aspect: 'bytes', text: 'was not there before' })
  return found
}

const checks: Record<Aspect, (was: Entry, is: Entry) => string | undefined> = {
  bytes: (was, is) => {
    if (was.type !== is.type) return `was a ${was.type}, is a ${is.type}`
    if (was.type === 'symlink' || (was.size === is.size && was.content === is.content)) return undefined
    return `was ${was.size} bytes, is ${is.size} bytes with another hash`
  },
  // A link's own mode says nothing.
  mode: (was, is) =>
    was.type === 'symlink' || was.mode === is.mode ? undefined : changed(octal(was), octal(is)),
  mtime: (was, is) => (was.mtimeNs === is.mtimeNs ? undefined : changed(was.mtimeNs, is.mtimeNs)),
  links: (was, is) => {
    if (was.type === 'symlink' && was.content !== is.content) return changed(was.content, is.content)
    return was.same === is.same ? undefined : `was the same file as ${was.same}, is that of ${is.same}`
  },
  xattrs: (was, is) => {
    const [a, b] = [was, is].map(({ attributes }) =>
      JSON.stringify([...attributes].map((pair) => pair.join('=')).sort()),
    )
    return a === b ? undefined : changed(a, b)
  },
  owner: (was, is) =>
    was.uid === is.uid && was.gid === is.gid
      ? undefined
      : changed(`${was.uid}:${was.gid}`, `${is.uid}:${is.gid}`),
}

const changed = (was: unknown, is: unknown): string => `was ${String(was)}, is ${String(is)}`
const octal = ({ mode }: Entry): string => mode.toString(8)
