import { Fault } from '../../core/fault.ts'

/** A document as it was read, whatever it is. */
export interface Read {
  readonly value: object
  /** Of its last write. */
  readonly revision: number
}

/**
 * What a request says of the document that it changes (absent: there is none). Throws Fault('precondition_failed') when it is
 * another. A use case asks it inside `retrying`, with the very document whose revision its write requires: so nothing comes
 * between the comparison and the write.
 */
export type Expectation = (before: Read | undefined) => void

/** Throws Fault('precondition_failed'). */
export function refuseUnless(holds: boolean, message: string): void {
  if (!holds) throw new Fault('precondition_failed', message)
}
