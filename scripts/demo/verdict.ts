// What the demo found, and whether that is what it promised.
import { at, list, number, objects, text, type Document } from '../../cli/json.ts'
import { statsOf } from '../../cli/views/runs.ts'
import type { Aspect, Difference } from './compare/compare.ts'
import type { LiveComparison } from './compare/live.ts'

/** One member of a set, as the summary has it. */
export interface MemberSummary {
  readonly tag: number
  readonly client: string
  readonly run: string
  readonly backup: string
  readonly files: number
  readonly bytes: number
  readonly bytesAdded: number
  readonly durationMs: number
  readonly startSkewUs: number | undefined
  readonly grade: string
  readonly result: string
}

/** A static tree that came back. */
export interface TreeComparison {
  readonly client: string
  readonly files: number
  readonly bytes: number
  readonly compared: readonly Aspect[]
  readonly differences: readonly Difference[]
}

/** The whole demo. */
export interface Summary {
  readonly ok: boolean
  /** Why not. */
  readonly reasons: readonly string[]
  readonly members: readonly MemberSummary[]
  readonly trees: readonly TreeComparison[]
  readonly live: LiveComparison
  readonly unreadable: readonly string[]
  readonly ms: number
}

/** The members of a set that has ended. */
export function membersOf(set: Document): MemberSummary[] {
  return objects(set, 'members').map((member) => {
    const stats = statsOf(member)
    const count = (name: string): number => number(stats, name) ?? 0
    return {
      tag: number(set, 'tag') ?? 0,
      client: text(member, 'client_id'),
      run: text(member, 'run_id'),
      backup: text({ id: list(at(member, 'backup_ids'))[0] }, 'id'),
      files: count('files_new') + count('files_changed') + count('files_unmodified'),
      bytes: count('bytes_processed'),
      bytesAdded: count('bytes_added'),
      durationMs: Date.parse(text(member, 'ended_at')) - Date.parse(text(member, 'started_at')),
      startSkewUs: number(set, 'start_skew_us'),
      grade: text(set, 'grade'),
      result: text(member, 'result'),
    }
  })
}

/** What is wrong with the results of a set: everything that could be read has to be in it. */
export function wrongResults(set: Document, partial: ReadonlySet<string>): string[] {
  const wanted = partial.size > 0 ? 'partial' : 'success'
  const result = text(set, 'result')
  const tag = text(set, 'tag')
  const why = text(set, 'reason', 'text')
  return [
    ...(result === wanted
      ? []
      : [`set ${tag} ended ${result}, not ${wanted}${why === '' ? '' : `: ${why}`}`]),
    ...objects(set, 'members').flatMap((member) => {
      const client = text(member, 'client_id')
      const expected = partial.has(client) ? 'partial' : 'success'
      const found = text(member, 'result')
      if (found === expected) return []
      const reason = text(member, 'reason', 'text')
      return [`${client} in set ${tag} ended ${found}, not ${expected}${reason === '' ? '' : `: ${reason}`}`]
    }),
  ]
}

/**
 * What may be new beside the changed bytes: directories are stored anew, and so is the piece of a file that a change lies
 * in; restic cuts files into pieces of 8 MiB at most.
 */
const overheadMax = 10 * 2 ** 20

/** What contradicts that the second backup took only what had changed since the first. */
export function wrongIncrement(
  first: MemberSummary,
  second: MemberSummary,
  based: { readonly level: number | undefined; readonly parent: string },
  changedBytes: number | undefined,
): string[] {
  const { client } = second
  const wrong: string[] = []
  if (based.parent !== first.backup) wrong.push(`the second backup of ${client} is not based on the first`)
  if (!((based.level ?? 0) > 0))
    wrong.push(`the second backup of ${client} is of level ${based.level ?? 'none'}`)
  if (changedBytes === undefined) return wrong
  if (second.bytesAdded > Math.min(changedBytes + overheadMax, first.bytesAdded / 2))
    wrong.push(
      `the second backup of ${client} added ${second.bytesAdded} bytes for ${changedBytes} changed ones`,
    )
  return wrong
}
