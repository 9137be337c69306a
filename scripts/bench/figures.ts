// What a benchmark answers, and the arithmetic of it.

/** One line of the table. */
export interface Figure {
  /** Stable name for programs. */
  readonly id: string
  readonly what: string
  readonly unit: string
  readonly ours: number
  /** The same of the parts themselves, measured in turn with ours. */
  readonly limit?: number
  /** The median of the rounds' own ratios (ours : limit), so that a machine that slows down meanwhile counts for neither. */
  readonly ratio?: number
  /** What the ratio (or, where there is no limit, ours) should be. */
  readonly expected?: { readonly atLeast: number } | { readonly atMost: number }
}

/** What one benchmark found: figures, and everything that was not as it must be (errors, lost or double results). */
export interface Findings {
  readonly figures: readonly Figure[]
  readonly wrong: readonly string[]
}

export interface BenchmarkOptions {
  /** Few and short rounds: to see that it works. */
  readonly quick: boolean
  /** Tells how far it is. */
  readonly say: (text: string) => void
}

export interface Benchmark {
  readonly name: string
  /** A sentence on what is measured. */
  readonly about: string
  readonly run: (options: BenchmarkOptions) => Promise<Findings>
}

/** The value that a part `q` (0 to 1) of the values does not exceed; NaN for none. */
export function quantile(values: Iterable<number>, q: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? Number.NaN
}

export const median = (values: Iterable<number>): number => {
  const sorted = Float64Array.from(values).sort()
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2
}

/** Measures each in turn, `rounds` times, every second time in reverse: what one leaves behind then meets the others alike. */
export async function alternate<K extends string>(
  rounds: number,
  measures: Readonly<Record<K, () => Promise<number>>>,
): Promise<Record<K, number[]>> {
  const names = Object.keys(measures) as K[]
  const values = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>
  for (let round = 0; round < rounds; round++)
    for (const name of round % 2 === 0 ? names : names.toReversed()) values[name].push(await measures[name]())
  return values
}

/** Ours beside the limit, from the rounds of both. */
export const compared = (
  ours: readonly number[],
  limit: readonly number[],
): Pick<Figure, 'ours' | 'limit' | 'ratio'> & { readonly ratio: number } => ({
  ours: median(ours),
  limit: median(limit),
  ratio: median(ours.map((value, round) => value / (limit[round] ?? Number.NaN))),
})

/** Whether a figure is as expected; undefined when nothing is. */
export function meets({ expected, ratio, ours }: Figure): boolean | undefined {
  if (!expected) return undefined
  const value = ratio ?? ours
  return 'atLeast' in expected ? value >= expected.atLeast : value <= expected.atMost
}
