import type { Swap } from './swaps.ts'

/** Mistakes that the checker must find: each is what somebody could write, and all other tests of one process may not see. */
export const mutants = {
  /** Runs come into being before the slot is claimed: whoever dies or is overtaken in between has started what is not claimed. */
  'claim-after-start': [
    {
      file: 'controller/reconcile/schedules.ts',
      find: 'const made = creating(runs)',
      replace: [
        'for (const run of runs.splice(0)) await context.state.commit(creating([run]))',
        'const made = creating(runs)',
      ].join('\n'),
    },
  ],
  /** The agent takes whatever it is sent: orders of leaders that are none any more, and orders that it has already taken. */
  'no-agent-fence': [
    {
      file: 'agent/work/admit.ts',
      find: 'if (state.attempts.has(attemptKey(order.run, order.attempt))) return',
      replace: 'if (state.attempts.size < 0) return',
    },
    {
      file: 'agent/work/admit.ts',
      find: 'if (mark && mark.attempt >= order.attempt) return',
      replace: 'if (!mark && mark) return',
    },
    { file: 'agent/work/admit.ts', find: 'order.epoch < situation.state.epoch', replace: 'order.epoch < 0' },
  ],
  /** A run's id is made of the moment at which it is started, not of the slot that it is for. */
  'now-in-the-run-id': [
    {
      file: 'controller/reconcile/schedules.ts',
      find: 'const slot = slotAt(claim.slot)',
      replace: 'const slot = slotAt(context.clock.now())',
    },
  ],
  /** An agent that is alone makes the run's id of the moment at which it starts it. */
  'now-in-the-own-run-id': [
    {
      file: 'agent/work/autonomy.ts',
      find: 'const slot = slotAt(at)',
      replace: 'const slot = slotAt(this.#now())',
    },
  ],
} as const satisfies Record<string, readonly Swap[]>

export type Mutant = keyof typeof mutants
