// A process of its own that outlives a launcher which was killed, and ends what that had started. The launcher holds the
// other end of its standard input: when that closes, however it came to it, all of the stack has to go.
import { createInterface } from 'node:readline'
import { chargeVariable, type Charge } from './charge.ts'
import { endProcesses } from './processes.ts'
import { removeFolder } from './remove.ts'

// Whoever ends it early would leave the stack without a guard.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

let charge = JSON.parse(process.env[chargeVariable] ?? 'null') as Charge | null
for await (const line of createInterface({ input: process.stdin })) {
  try {
    charge = JSON.parse(line) as Charge
  } catch {
    // A launcher that is killed while it writes leaves half a line; the one before it counts.
  }
}
if (charge !== null) {
  const left = await endProcesses(charge.marks)
  if (charge.remove !== undefined) removeFolder(charge.remove)
  process.exitCode = left.length === 0 ? 0 : 1
}
