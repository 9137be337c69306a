import { Fault } from '../../core/fault.ts'
import type { ActionId } from '../../core/ids.ts'
import { put, ref, unchanged, type Alias, type Stored } from '../state/documents.ts'
import type { Caller, Context } from './context.ts'
import { lookUp } from './functions.ts'
import { retrying } from './retrying.ts'

/** What a request says of an alias. */
export interface AliasFields {
  readonly action: ActionId
  /** 0: whatever the action is by then. */
  readonly version: number
  readonly description: string
}

/** Throws Fault 'conflict' (the name is taken), 'not_found' (no such function or version), 'store_down'. */
export async function createAlias(
  context: Context,
  caller: Caller,
  name: string,
  fields: AliasFields,
): Promise<Stored<Alias>> {
  const { project, user } = caller
  return retrying(context, async () => {
    if (context.state.get('alias', project, name))
      throw new Fault('conflict', `name: there is an alias ${name} already`, { field: 'name' })
    const createdAt = context.clock.now()
    return store(context, { ...fields, name, project, user, createdAt }, undefined)
  })
}

/** Points an alias elsewhere: jobs that follow it do so from their next start on. Throws Fault 'not_found', 'stale_write', 'store_down'. */
export async function changeAlias(
  context: Context,
  caller: Caller,
  name: string,
  fields: Partial<AliasFields>,
): Promise<Stored<Alias>> {
  return retrying(context, async () => {
    const before = existingAlias(context, caller, name)
    if (Object.keys(fields).length === 0) return before
    return store(context, { ...before.value, ...fields, updatedAt: context.clock.now() }, before)
  })
}

/** Jobs that follow it stay; their starts fail until there is one of this name again. Throws Fault 'not_found', 'store_down'. */
export async function removeAlias(context: Context, caller: Caller, name: string): Promise<void> {
  await retrying(context, async () => {
    const before = existingAlias(context, caller, name)
    await context.state.commit({
      requires: [unchanged('alias', caller.project, name, before)],
      puts: [],
      deletes: [ref('alias', caller.project, name)],
    })
  })
}

/** The caller's alias. Throws Fault('not_found') for another project's, too. */
export function existingAlias(
  { state }: Pick<Context, 'state'>,
  { project }: Pick<Caller, 'project'>,
  name: string,
): Stored<Alias> {
  const alias = state.get('alias', project, name)
  if (!alias) throw new Fault('not_found', `no alias ${name.slice(0, 80)}`)
  return alias
}

async function store(
  context: Context,
  alias: Alias,
  before: Stored<Alias> | undefined,
): Promise<Stored<Alias>> {
  const { project, name, action, version } = alias
  const found = lookUp(context, project, { action, version })
  if ('missing' in found) throw new Fault('not_found', found.missing.text)
  const revision = await context.state.commit({
    requires: [unchanged('alias', project, name, before), unchanged('action', project, action, found.action)],
    puts: [put('alias', project, name, alias)],
  })
  return { value: alias, revision }
}
