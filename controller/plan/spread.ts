/** How many agents each server holds: this one, and the others that take agents. */
export interface Held<S> {
  readonly own: number
  readonly others: ReadonlyMap<S, number>
}

/** Which of its agents a server gives away, and to whom. */
export interface Relief<S> {
  readonly moves: number
  /** Those that hold less than their share, the emptiest first. */
  readonly to: readonly S[]
}

/** Chance spreads agents unevenly; up to this part of a share, and this many agents, is left as it is. */
const tolerance = { part: 0.2, agents: 5 } as const

/**
 * What a server that holds clearly more than its share is to give away: nothing unless it is beyond the tolerance, then all that is
 * beyond the share. Servers decide apart from each other, and only those that hold too much do anything.
 */
export function reliefOf<S>({ own, others }: Held<S>): Relief<S> {
  const total = [...others.values()].reduce((sum, held) => sum + held, own)
  const share = Math.ceil(total / (others.size + 1))
  const over = own - share
  if (over <= Math.max(tolerance.agents, tolerance.part * share)) return { moves: 0, to: [] }
  const lighter = [...others].filter(([, held]) => held < share).sort(([, a], [, b]) => a - b)
  return { moves: over, to: lighter.map(([server]) => server) }
}
