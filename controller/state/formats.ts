import { kinds, type Kind } from '../ports/backend.ts'

/** A document's fields, without its number, in some format. */
export type Fields = Readonly<Record<string, unknown>>

/** Between one format of a kind and the next. Pure, and lossless both ways: what goes down comes up the same. */
export interface Step {
  /** What the older format says, in the newer one. */
  readonly up: (older: Fields) => Fields
  /** What the newer one says, in the older one: for as long as the release before this one may still read it. */
  readonly down: (newer: Fields) => Fields
}

/** The formats of one kind that a release knows. */
export interface Format {
  /** From format 1 to 2, from 2 to 3 …: it reads all of them. */
  readonly steps: readonly Step[]
  /** The format that it writes. */
  readonly writes: number
}

/**
 * How documents are stored. A document is `{"v":2, …}`, its number the format of its kind. It is read in whatever format it
 * has, up to the newest that the release knows, and brought to the newest in memory; it is stored anew only when it is
 * written anyway. A release that brings a format reads it and goes on writing the one before; the release after it writes
 * it. So servers of two successive releases run together, and the newer one may be taken back.
 */
export type Formats = Readonly<Record<Kind, Format>>

const first: Format = { steps: [], writes: 1 }

/** Every kind in its first format. */
export const firstFormats: Formats = Object.fromEntries(kinds.map((kind) => [kind, first])) as Formats

/** This release's. A kind that has got another format is named beside the first ones: `job: { steps: [renamed], writes: 1 }`. */
export const formats: Formats = { ...firstFormats }

/** The newest format that is read. */
export const newestOf = ({ steps }: Format): number => steps.length + 1

/** Fields of format `from`, in the newest one. */
export const raised = ({ steps }: Format, from: number, fields: Fields): Fields =>
  steps.slice(from - 1).reduce((older, { up }) => up(older), fields)

/** Fields of the newest format, in the one that is written. */
export const lowered = ({ steps, writes }: Format, fields: Fields): Fields =>
  steps.slice(writes - 1).reduceRight((newer, { down }) => down(newer), fields)

/** What a server says of itself: the newest format that it reads, of each kind that has more than the first. */
export const readsOf = (known: Formats): Readonly<Record<string, number>> =>
  Object.fromEntries(
    kinds.map((kind) => [kind, newestOf(known[kind])] as const).filter(([, newest]) => newest > 1),
  )

/** The kinds that `known` writes in a format which a server that says this of itself does not read. */
export const unreadBy = (reads: Readonly<Record<string, number>> | undefined, known: Formats): Kind[] =>
  kinds.filter((kind) => known[kind].writes > (reads?.[kind] ?? 1))
