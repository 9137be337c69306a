// What a process takes, as the kernel counts it.
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** The kernel's clock tick on Linux (USER_HZ). A second has so many. */
const ticksPerSecond = 100

/** Memory now, and CPU over the next `ms`. */
export async function atRest(pid: number, ms: number): Promise<{ memoryMiB: number; cpuPercent: number }> {
  const before = await cpuSeconds(pid)
  const from = performance.now()
  await sleep(ms)
  const seconds = (performance.now() - from) / 1_000
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return {
    memoryMiB: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) / 1_024,
    cpuPercent: (((await cpuSeconds(pid)) - before) / seconds) * 100,
  }
}

async function cpuSeconds(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8')
  // After the name in brackets, which may hold anything: state is the 3rd field, utime the 14th, stime the 15th.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}
