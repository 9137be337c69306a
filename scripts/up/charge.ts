import type { Marks } from './processes.ts'

/**
 * What a watchdog has to do. It gets it in its environment, and again, whole, in a JSON line on its standard input whenever
 * it has changed.
 */
export interface Charge {
  readonly marks: Marks
  /** A folder that goes with the stack. */
  readonly remove?: string
}

/** The variable that holds it as JSON. */
export const chargeVariable = 'FIRN_WATCHDOG_CHARGE'
