import type { FunctionCall } from '../../core/action.ts'
import { Fault } from '../../core/fault.ts'
import { some } from '../fields.ts'
import type { Ask } from '../route.ts'
import { numberOf, textOf, uuidIn } from './forms.ts'
import { actionNamed } from './lookup.ts'

/** What a request says of the function that it wants called. */
interface Named {
  readonly function_id?: string | null | undefined
  readonly function_alias?: string | null | undefined
  readonly function_version?: number | string | null | undefined
}

/** Whether a function is named at all; an empty text names none. */
export const namesFunction = ({ function_id, function_alias }: Named): boolean =>
  Boolean(function_id) || Boolean(function_alias)

/** The call that is asked for: an alias wins over an id. Throws Fault('not_found') for an id that no action is shown under. */
export function callIn(ask: Ask, named: Named, input: string | null | undefined): FunctionCall {
  const rest = { version: numberOf(named.function_version) ?? 0, ...some('input', textOf(input)) }
  if (named.function_alias) return { alias: named.function_alias, ...rest }
  const uuid = uuidIn(named.function_id ?? '', 'function_id')
  const action = actionNamed(ask, ask.caller.project, uuid)
  if (!action) throw new Fault('not_found', `no function ${uuid}`)
  return { action: action.actionId, ...rest }
}
