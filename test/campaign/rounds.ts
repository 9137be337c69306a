// Which fault comes when in a campaign, and to whom: a plan by chance, the same for the same seed.

/** Every kind of fault: `begin` of faults.ts makes it, `kinds` says of whom. */
export const faultNames = [
  'kill',
  'stop',
  'cut',
  'cut-one-way',
  'clock',
  'fsync',
  'full-disk',
  'restart-all',
  'update',
] as const
/** One of them. */
export type FaultName = (typeof faultNames)[number]

/** Whom a fault is about. `leader`: the server that leads when it begins. */
export type Victim = 'leader' | 'server' | 'etcd' | 'nats' | 'agent' | 'all'

/** A round of a campaign. */
export interface Round {
  readonly fault: FaultName
  readonly victim: Victim
  /** Whom it is cut off from. */
  readonly from?: 'etcd' | 'server' | 'nats' | 'one-server'
  /** How far a clock is stepped, behind when negative. */
  readonly aheadMs?: number
}

/** What is chosen with: a number in [0, 1). */
export type Chance = () => number

/** Rounds by kind, so that even a short campaign has one of each. */
const kinds: Readonly<Record<FaultName, readonly Omit<Round, 'fault'>[]>> = {
  kill: [
    { victim: 'leader' },
    ...(['etcd', 'agent', 'server', 'leader', 'nats'] as const).map((victim) => ({ victim })),
  ],
  stop: (['leader', 'etcd', 'agent', 'server'] as const).map((victim) => ({ victim })),
  cut: [
    { victim: 'leader', from: 'etcd' },
    { victim: 'etcd', from: 'etcd' },
    { victim: 'agent', from: 'server' },
    { victim: 'agent', from: 'nats' },
  ],
  'cut-one-way': [
    { victim: 'etcd', from: 'etcd' },
    { victim: 'server', from: 'etcd' },
    { victim: 'agent', from: 'server' },
    { victim: 'agent', from: 'one-server' },
  ],
  clock: [
    { victim: 'leader', aheadMs: -90_000 },
    { victim: 'leader', aheadMs: 90_000 },
    { victim: 'agent', aheadMs: 90_000 },
    { victim: 'server', aheadMs: -90_000 },
    { victim: 'agent', aheadMs: -90_000 },
    { victim: 'server', aheadMs: 90_000 },
  ],
  fsync: [{ victim: 'etcd' }, { victim: 'agent' }],
  'full-disk': [{ victim: 'agent' }, { victim: 'etcd' }],
  'restart-all': [{ victim: 'all' }],
  update: [{ victim: 'all' }, { victim: 'all' }],
}

/** Turns: in each one round of every kind, in an order by chance, and always the next one of its kind. */
export function rounds(chance: Chance, names: readonly FaultName[] = faultNames): Round[] {
  const turns = Math.max(...names.map((name) => kinds[name].length))
  return Array.from({ length: turns }, (_, turn) =>
    shuffled(names, chance).flatMap((fault): Round[] => {
      const victim = kinds[fault][turn]
      return victim ? [{ fault, ...victim }] : []
    }),
  ).flat()
}

function shuffled<T>(all: readonly T[], chance: Chance): T[] {
  const left = [...all]
  const mixed: T[] = []
  while (left.length > 0) mixed.push(...left.splice(Math.floor(chance() * left.length), 1))
  return mixed
}

/** A stream of numbers in [0, 1) by a seed (mulberry32): the same seed always chooses the same faults. */
export function chanceOf(seed: number): Chance {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
