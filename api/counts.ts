/** How many requests each route answered with which status, and how long that took. */
export class RequestCounts {
  readonly #counts = new Map<string, Map<number, { count: number; sumMs: number }>>()

  take(route: string, status: number, durationMs: number): void {
    let byStatus = this.#counts.get(route)
    if (!byStatus) this.#counts.set(route, (byStatus = new Map()))
    const entry = byStatus.get(status)
    if (entry) {
      entry.count++
      entry.sumMs += durationMs
    } else byStatus.set(status, { count: 1, sumMs: durationMs })
  }

  *all(): IterableIterator<{ route: string; status: number; count: number; sumMs: number }> {
    for (const [route, byStatus] of this.#counts)
      for (const [status, entry] of byStatus) yield { route, status, ...entry }
  }
}
