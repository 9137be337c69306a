import type { Kind } from '../ports/backend.ts'
import type { Documents } from './documents.ts'

type Word = 'text' | 'number' | 'object' | 'list'
type WordOf<T> = T extends string
  ? 'text'
  : T extends number
    ? 'number'
    : T extends readonly unknown[]
      ? 'list'
      : 'object'
type Shape<T> = { readonly [F in keyof T]?: WordOf<T[F]> }

/**
 * What every document of a kind has, once it is in the newest format, as far as others look at it without asking: a field
 * that came later without a format is not here. Only servers write documents; this tells one that was damaged, or written by hand, before anybody stumbles over it.
 */
const shapes: { readonly [K in Kind]: Shape<Documents[K]> } = {
  job: { id: 'text', project: 'text', schedule: 'object', actions: 'list', plan: 'object' },
  session: { id: 'text', project: 'text', schedule: 'object', jobs: 'list', plan: 'object' },
  set: { session: 'text', project: 'text', tag: 'number', members: 'list', phase: 'object' },
  run: {
    id: 'text',
    project: 'text',
    job: 'text',
    client: 'text',
    tasks: 'list',
    steps: 'list',
    state: 'object',
  },
  client: { id: 'text', project: 'text', labels: 'object', line: 'object' },
  backup: { id: 'text', project: 'text', client: 'text', run: 'text', paths: 'list' },
  foreign: { id: 'text', project: 'text', metadata: 'object' },
  action: { actionId: 'text', project: 'text', freezer: 'object' },
  repository: { id: 'text', project: 'text', engine: 'text', location: 'text', sealedPassword: 'text' },
  token: { id: 'text', project: 'text', hash: 'text' },
  join: { id: 'text', project: 'text', hash: 'text' },
  server: { id: 'text', agents: 'text' },
  instance: {
    id: 'text',
    project: 'text',
    client: 'text',
    key: 'text',
    datastore: 'object',
    state: 'object',
  },
  instance_backup: { id: 'text', project: 'text', client: 'text', datastore: 'object', state: 'object' },
  strategy: { project: 'text', instance: 'text', container: 'text' },
  quota: { project: 'text', made: 'number' },
  alias: { project: 'text', name: 'text', action: 'text' },
  answer: { id: 'text', project: 'text', request: 'text' },
}

const tests: Readonly<Record<Word, (value: unknown) => boolean>> = {
  text: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  list: (value) => Array.isArray(value),
}

const checks = Object.fromEntries(
  Object.entries(shapes).map(([kind, shape]) => [
    kind,
    Object.entries(shape as Record<string, Word>).map(([field, word]) => [field, tests[word]] as const),
  ]),
) as unknown as Readonly<Record<Kind, readonly (readonly [string, (value: unknown) => boolean])[]>>

/** The first field that is missing or something else than it should be; undefined: none. */
export const misshapen = (kind: Kind, fields: Readonly<Record<string, unknown>>): string | undefined =>
  checks[kind].find(([field, holds]) => !holds(fields[field]))?.[0]
