import type { Clock } from '../../core/clock.ts'

const firstMs = 20

/** Everything that reconnects to etcd does so at least this often: it is back within half a second of etcd. */
const lastMs = 500

/**
 * How long to wait before trying again after so many failures in a row: doubling, half of it by chance, so that all servers
 * do not come at once. Milliseconds.
 */
export function backoffMs(clock: Clock, failures: number): number {
  const full = Math.min(lastMs, firstMs * 2 ** Math.min(failures, 10))
  return full * (0.5 + clock.random() / 2)
}
