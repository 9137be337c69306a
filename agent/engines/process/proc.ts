import fs from 'node:fs'

/** What /proc says of a process, as far as the agent needs it. */
export interface ProcessStat {
  readonly pid: number
  readonly state: string
  readonly group: number
  /** Boot id and start time in clock ticks since boot: with the pid it names one process for ever. */
  readonly startTime: string
}

const procFolder = '/proc'

let bootIdRead: string | undefined
function bootId(): string {
  bootIdRead ??= text(`${procFolder}/sys/kernel/random/boot_id`)?.trim() ?? 'unknown-boot'
  return bootIdRead
}

/** /proc/PID/stat of a process; undefined when there is none (any more). A zombie still has one. */
export function processStat(pid: number): ProcessStat | undefined {
  const stat = text(`${procFolder}/${pid}/stat`)
  return stat === undefined ? undefined : parseStat(pid, stat, bootId())
}

/** The command name may hold blanks and brackets, so that fields are counted from the last `)`. */
export function parseStat(pid: number, stat: string, boot: string): ProcessStat | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, , group] = fields
  // proc(5) counts from 1 and has two fields before the state: starttime is its field 22.
  const startTicks = fields[22 - 3]
  if (state === undefined || group === undefined || startTicks === undefined) return undefined
  return { pid, state, group: Number(group), startTime: `${boot}/${startTicks}` }
}

/** All processes of the node, zombies left out: they hold nothing, and whoever adopted them may never reap them. */
export function liveProcesses(): ProcessStat[] {
  const all: ProcessStat[] = []
  let names: string[]
  try {
    names = fs.readdirSync(procFolder)
  } catch {
    return all
  }
  for (const name of names) {
    if (!/^\d+$/.test(name)) continue
    const stat = processStat(Number(name))
    if (stat !== undefined && stat.state !== 'Z' && stat.state !== 'X') all.push(stat)
  }
  return all
}

/** Whether a process group has a member that is not a zombie. */
export function groupLives(group: number): boolean {
  try {
    process.kill(-group, 0)
  } catch (error) {
    // EPERM: there are members, of another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return liveProcesses().some((member) => member.group === group)
}

/** Signals a process group and wakes it, since a stopped process acts on a signal only once it goes on. False: nobody there. */
export function signalGroup(group: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-group, signal)
    process.kill(-group, 'SIGCONT')
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Some variables of a process's first environment; undefined when it may not be read. */
export function environmentOf(pid: number, names: readonly string[]): Record<string, string> | undefined {
  const all = text(`${procFolder}/${pid}/environ`)
  if (all === undefined) return undefined
  const found: Record<string, string> = {}
  for (const entry of all.split('\0')) {
    const at = entry.indexOf('=')
    if (at > 0 && names.includes(entry.slice(0, at))) found[entry.slice(0, at)] = entry.slice(at + 1)
  }
  return found
}

/** Bytes that a process has read so far, files and sockets alike; undefined when that may not be known. */
export function bytesReadBy(pid: number): number | undefined {
  const match = /^rchar: (\d+)$/m.exec(text(`${procFolder}/${pid}/io`) ?? '')
  return match === null ? undefined : Number(match[1])
}

function text(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
