import { isObject, type FunctionCall, type JobAction, type Json, type JsonObject } from '../../core/action.ts'
import { badField, isFault } from '../../core/fault.ts'
import {
  clientId,
  uuidOf,
  uuidOfName,
  type ActionId,
  type ClientId,
  type JobId,
  type ProjectId,
} from '../../core/ids.ts'
import type { Job } from '../../core/job.ts'
import type { Reason } from '../../core/run.ts'
import { isEnrolled } from '../../core/select.ts'
import type { ActionDocument, Alias, Stored } from '../state/documents.ts'
import type { Context } from './context.ts'
import { selectorOf } from './job-planning.ts'
import { isSecretName, mask } from './secret-fields.ts'

type Lookups = Pick<Context, 'state'>

/** A function is a saved action. What a call of one comes to now, or why it comes to nothing. */
export type Found =
  | {
      readonly action: Stored<ActionDocument>
      readonly alias?: Stored<Alias>
      /** As it was called, with what an alias points to. */
      readonly call: FunctionCall
    }
  | { readonly missing: Reason; readonly call: FunctionCall }

/** Follows an alias to where it points now, and looks the action up. Only the newest version of an action is kept. */
export function lookUp({ state }: Lookups, project: ProjectId, call: FunctionCall): Found {
  const alias = call.alias === undefined ? undefined : state.get('alias', project, call.alias)
  if (call.alias !== undefined && !alias) return missing(call, 'alias_missing', `no alias ${call.alias}`)
  const id = alias?.value.action ?? call.action
  const action = id === undefined ? undefined : state.get('action', project, id)
  if (!action) return missing(call, 'function_missing', `no function ${uuidOf(id ?? '')}`)
  const version = call.version === 0 ? (alias?.value.version ?? 0) : call.version
  if (version !== 0 && version !== action.value.version)
    return missing(
      call,
      'version_missing',
      `function ${uuidOf(action.value.actionId)} has version ${action.value.version} only, not ${version}`,
    )
  const found = { ...call, action: action.value.actionId, version }
  return { action, call: found, ...(alias ? { alias } : {}) }
}

function missing(call: FunctionCall, code: string, text: string): Found {
  // An alias that cannot be followed points nowhere.
  const { action, ...rest } = call
  return {
    missing: { code, text },
    call: call.alias === undefined && action !== undefined ? { ...rest, action } : rest,
  }
}

/** What a job does: its own actions, or the saved one that it calls, as that is now. */
export function actionsOf(context: Lookups, job: Job): readonly JobAction[] {
  if (!job.function) return job.actions
  const found = lookUp(context, job.project, job.function)
  return 'action' in found ? [actionOf(found.action.value)] : []
}

/** An action document as an entry of a job. */
function actionOf({ actionId, maxRetries, maxRetriesIntervalS, mandatory, freezer, extra }: ActionDocument) {
  return {
    ...{ actionId, maxRetries, maxRetriesIntervalS, mandatory, freezer },
    ...(extra ? { extra } : {}),
  } satisfies JobAction
}

/** Nested deeper than this an input is no set of arguments. */
const depthMax = 16

/** The arguments in an input: the JSON object that it holds; a text of any other kind has none. */
function argumentsIn(input: string | undefined): JsonObject {
  try {
    const value = JSON.parse(input ?? '') as Json
    return isObject(value) ? value : {}
  } catch {
    return {}
  }
}

/**
 * Refuses an input that cannot be kept or used. It is shown to whoever may see the job, so it may hold no secret: those belong
 * into the action, which seals them. Throws Fault('bad_request') naming `field`.
 */
export function checkInput(input: string | undefined, field: string): void {
  const given = argumentsIn(input)
  refuseSecrets(given, field, 0)
  if (given['client_id'] !== undefined) clientIn(given, field)
}

function refuseSecrets(value: Json, at: string, depth: number): void {
  if (typeof value !== 'object' || value === null) return
  if (depth > depthMax) throw badField(at, `is nested more than ${depthMax} levels deep`)
  for (const [key, item] of Object.entries(value)) {
    const isEmpty = item === null || item === '' || (depth === 0 && item === mask)
    const path = `${at}.${key.slice(0, 80)}`
    if (!Array.isArray(value) && isSecretName(key) && !isEmpty)
      throw badField(path, 'a secret belongs into the action, which seals it')
    refuseSecrets(item, path, depth + 1)
  }
}

function clientIn(given: JsonObject, field: string): ClientId {
  try {
    return clientId(given['client_id'])
  } catch {
    throw badField(`${field}.client_id`, 'must be a host name, optionally after a "prefix_"')
  }
}

/** The action as called: keys of the input override its arguments; `***` leaves the secret that it stands for. */
export function withInput(action: JobAction, input: string | undefined): JobAction {
  const { client_id: _, ...others } = argumentsIn(input)
  const overriding = Object.entries(others).filter(([, value]) => value !== mask)
  if (overriding.length === 0) return action
  return { ...action, freezer: { ...action.freezer, ...Object.fromEntries(overriding) } }
}

/** Where a call runs. */
export type Place = { readonly client: ClientId } | { readonly selector: Record<string, string> }

/** What the input, else the action's `firn` object says of where it runs. Throws Fault('bad_request'). */
function placeSaid({ extra }: JobAction, input: string | undefined, field: string): Place | undefined {
  const given = argumentsIn(input)
  if (given['client_id'] !== undefined) return { client: clientIn(given, field) }
  const firn = extra?.['firn']
  if (!isObject(firn)) return undefined
  if (firn['client_id'] !== undefined) return { client: clientIn(firn, 'firn') }
  const selector = selectorOf(firn)
  return selector && { selector }
}

/**
 * Where a call is to run, as its input or the action says; undefined when neither does. Throws Fault('bad_request') naming
 * `field` when that client has no agent.
 */
export function placeAsked(
  { state }: Lookups,
  project: ProjectId,
  action: JobAction,
  input: string | undefined,
  field: string,
): Place | undefined {
  const said = placeSaid(action, input, field)
  if (said && 'client' in said && !isEnrolled(state.get('client', project, said.client)?.value))
    throw badField(`${field}.client_id`, `${said.client} has no enrolled agent`)
  return said
}

/**
 * Where a call is to run: on the `client_id` of its input, else on the action's `firn.client_id` or `firn.client_selector`, else on
 * the project's only client with an agent. Throws Fault('bad_request') naming `field` when none of them says.
 */
export function placeOf(
  context: Lookups,
  project: ProjectId,
  action: JobAction,
  input: string | undefined,
  field: string,
): Place {
  const said = placeAsked(context, project, action, input, field)
  if (said) return said
  const clients = [...context.state.of('client', project)].filter(({ value }) => isEnrolled(value))
  const [only] = clients
  if (only && clients.length === 1) return { client: only.value.id }
  throw badField(
    field,
    `it names no client_id, nor does the function's firn object, and the project has ${clients.length} enrolled clients`,
  )
}

/** What a job's start comes to at this moment. */
export interface Start {
  readonly actions: readonly JobAction[]
  readonly function?: FunctionCall
  /** Where it runs now, if it calls a function: that may have moved since. */
  readonly place?: Place
  /** It cannot be done: its run ends `failed` at once, and says so. */
  readonly failure?: Reason
}

/** What a job does when it starts now. */
export function startOf(context: Lookups, job: Job): Start {
  if (!job.function) return { actions: job.actions }
  const found = lookUp(context, job.project, job.function)
  if ('missing' in found) return { actions: [], function: found.call, failure: found.missing }
  try {
    const action = actionOf(found.action.value)
    const { input } = found.call
    const place = placeSaid(action, input, 'function_input')
    return {
      actions: [withInput(action, input)],
      function: found.call,
      ...(place ? { place } : {}),
    }
  } catch (error) {
    if (!isFault(error, 'bad_request')) throw error
    return { actions: [], function: found.call, failure: { code: 'bad_call', text: error.message } }
  }
}

/** The job with the client, or the labels, that its function runs on now. */
export function movedTo(job: Job, place: Place | undefined): Job {
  if (!place) return job
  const { client: _, selector: __, ...rest } = job
  return { ...rest, ...place }
}

/** The job that runs of a function asked for by hand belong to. It is stored nowhere: nothing but requests starts it. */
export const functionJobOf = (action: ActionId): JobId => uuidOfName('function', action) as JobId
