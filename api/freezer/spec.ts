import type { Version } from './shown.ts'

/** What the routes of one kind of document have in common in one version of the API. */
export interface Group {
  /** `/v1` or `/v2/:project_id`. */
  readonly base: string
  readonly version: Version
}

/** What each route says of itself beside its method, path and forms. `id` is unique in a version: `createJob`. */
export const spec = ({ version }: Group, id: string, summary: string) =>
  ({
    errors: 'freezer',
    tag: `Freezer ${version}`,
    id: `${version}${id.slice(0, 1).toUpperCase()}${id.slice(1)}`,
    summary,
  }) as const

/** A route that looks, and one that changes something. */
export const looks = { method: 'GET', role: 'viewer' } as const
export const changes = { role: 'operator' } as const
