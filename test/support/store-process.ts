// A process of its own that takes part in the election and writes as long as it believes that it leads; a test stops it
// with signals. Arguments: etcd's URL, its name. Each claim is a line of JSON on standard output.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { openEtcd, type EtcdStore } from '../../controller/etcd/open.ts'
import { systemClock } from '../../core/clock-system.ts'
import { isFault, type FaultCode } from '../../core/fault.ts'
import type { Epoch } from '../../core/link.ts'

/** "I believe that I lead with this epoch", at a reading of the machine's monotonic clock, which all processes share. */
export interface Claim {
  readonly by: string
  /** Absent: "I no longer do", said once. */
  readonly epoch?: Epoch
  /** Read before the epoch was asked for. Nanoseconds, as text. */
  readonly at: string
  /** What came of a write under that epoch. */
  readonly write?: 'stored' | FaultCode
}

/** Believes and writes every 10 ms until the signal; every claim goes to `onClaim`. */
export async function claimOn(
  { backend, leadership }: EtcdStore,
  by: string,
  onClaim: (claim: Claim) => void,
  signal: AbortSignal,
): Promise<void> {
  let believed = false
  for (let n = 0; !signal.aborted; n++) {
    const at = String(process.hrtime.bigint())
    const epoch = leadership.epoch()
    if (epoch === undefined && believed) onClaim({ by, at })
    believed = epoch !== undefined
    if (epoch !== undefined) {
      const writes = [{ kind: 'run' as const, project: 'claims', id: by, text: JSON.stringify({ epoch, n }) }]
      const write = await backend.commit({ requires: [], writes, epoch }).then(
        () => 'stored' as const,
        (error: unknown) => (isFault(error) ? error.code : 'store_down'),
      )
      onClaim({ by, epoch, at, write })
    }
    await systemClock.sleep(10, signal).catch(() => {})
  }
}

/** Such a process, with what it has claimed so far. */
export interface ClaimingProcess extends Disposable {
  readonly claims: Claim[]
  signal(signal: NodeJS.Signals): void
}

export function startClaiming(url: string, by: string): ClaimingProcess {
  const child = spawn(process.execPath, [import.meta.filename, url, by], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const claims: Claim[] = []
  createInterface({ input: child.stdout }).on('line', (line) => claims.push(JSON.parse(line) as Claim))
  return {
    claims,
    signal: (signal) => child.kill(signal),
    [Symbol.dispose]: () => child.kill('SIGKILL'),
  }
}

if (import.meta.main) {
  const [url = '', by = ''] = process.argv.slice(2)
  const store = openEtcd({ endpoints: [url], server: by, clock: systemClock })
  await claimOn(store, by, (claim) => console.log(JSON.stringify(claim)), new AbortController().signal)
}
