import type { Context } from '../../controller/use-cases/context.ts'

type State = Context['state']
type ValueOf<T> = NonNullable<T> extends { readonly value: infer V } ? V : never

const actionIn = (state: State) => state.get('action', '', '')
const aliasIn = (state: State) => state.get('alias', '', '')

/** A saved action, as it is stored. */
export type Action = ValueOf<ReturnType<typeof actionIn>>
export type Alias = ValueOf<ReturnType<typeof aliasIn>>
export type { Run } from '../../core/run.ts'
