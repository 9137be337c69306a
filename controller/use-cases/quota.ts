import type { ProjectId } from '../../core/ids.ts'
import { put, unchanged, type Transaction } from '../state/documents.ts'
import type { State } from '../state/state.ts'

/** What is written with each thing of which a project may have so many, so that no two take its last place at once. */
export function quotaMark(
  state: State,
  project: ProjectId,
  of: 'backups' | 'instances',
): Pick<Transaction, 'requires' | 'puts'> {
  const stored = state.get('quota', project, of)
  const made = (stored?.value.made ?? 0) + 1
  return {
    requires: [unchanged('quota', project, of, stored)],
    puts: [put('quota', project, of, { project, made })],
  }
}
