const unitMs: Record<string, number> = {
  weeks: 7 * 86_400_000,
  days: 86_400_000,
  hours: 3_600_000,
  minutes: 60_000,
  seconds: 1_000,
}

/** A time span in Freezer's words, `5 minutes`, in milliseconds; undefined for another text, and for none at all. */
export function durationIn(text: string): number | undefined {
  const [, count, unit] = /^(\d+) +(weeks|days|hours|minutes|seconds)$/.exec(text) ?? []
  const ms = Number(count) * (unitMs[unit ?? ''] ?? Number.NaN)
  return ms > 0 ? ms : undefined
}
