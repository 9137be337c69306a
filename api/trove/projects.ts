import { Fault } from '../../core/fault.ts'
import type { ProjectId } from '../../core/ids.ts'
import type { Ask } from '../route.ts'

/**
 * A project that a parameter names, which only administrators may. It need not exist: then it has nothing. Throws
 * Fault('forbidden').
 */
export function projectNamed(ask: Ask, named: string): ProjectId {
  demandAdmin(ask, 'project_id')
  return named as ProjectId
}

const yes: ReadonlySet<string> = new Set(['1', 't', 'true', 'on', 'y', 'yes'])

/** Whether every project's things are asked for. Anything that is not a word for yes is no. Throws Fault('forbidden'). */
export function asksForAll(ask: Ask, text: string | undefined): boolean {
  if (text === undefined || !yes.has(text.toLowerCase())) return false
  demandAdmin(ask, 'all_projects')
  return true
}

function demandAdmin(ask: Ask, parameter: string): void {
  if (ask.caller.role !== 'admin')
    throw new Fault('forbidden', `${parameter} is for administrators; the token's role is ${ask.caller.role}`)
}
