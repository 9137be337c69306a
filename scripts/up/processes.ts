// What belongs to a stack, found in /proc, and how it is ended when nobody is left who would end it in order.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { stateVariable } from '../../agent/engines/process/environment.ts'
import {
  environmentOf,
  liveProcesses,
  processStat,
  type ProcessStat,
} from '../../agent/engines/process/proc.ts'

/** Names the stack in the environment of every process that the launcher starts. */
export const stackVariable = 'FIRN_STACK'

/** One process for ever: a pid comes back, with its start time it does not. */
export interface ProcessName {
  readonly pid: number
  readonly startTime: string
}

/** What to look for. */
export interface Marks {
  /** The value of `stackVariable`. */
  readonly stack: string
  /** State directories of the agents, links resolved. */
  readonly states: readonly string[]
  /** Those that the launcher started itself. */
  readonly started: readonly (ProcessName & { readonly isAgent: boolean })[]
}

/** This process, or another that lives; undefined when there is none (any more). */
export function nameOf(pid: number): ProcessName | undefined {
  const stat = processStat(pid)
  return stat === undefined || stat.state === 'Z' ? undefined : { pid, startTime: stat.startTime }
}

/** Whether that very process still lives. */
export const lives = ({ pid, startTime }: ProcessName): boolean => nameOf(pid)?.startTime === startTime

/**
 * All living processes of a stack but the caller: those that were started (by pid and start time), those that carry its
 * marks in their environment, and all their descendants. The last find what another user's agent has started, whose
 * environment may be closed even to root.
 */
export function processesOf(marks: Marks): ProcessStat[] {
  const all = liveProcesses().filter(({ pid }) => pid !== process.pid)
  const isMarked = (stat: ProcessStat): boolean => {
    if (marks.started.some((it) => it.pid === stat.pid && it.startTime === stat.startTime)) return true
    const found = environmentOf(stat.pid, [stackVariable, stateVariable])
    return found?.[stackVariable] === marks.stack || marks.states.includes(found?.[stateVariable] ?? '')
  }
  const members = new Set(all.filter(isMarked).map(({ pid }) => pid))
  const parents = new Map(all.map(({ pid }) => [pid, parentOf(pid)]))
  for (let size = -1; size !== members.size;) {
    size = members.size
    for (const [pid, parent] of parents) if (parent !== undefined && members.has(parent)) members.add(pid)
  }
  return all.filter(({ pid }) => members.has(pid))
}

function parentOf(pid: number): number | undefined {
  try {
    const [, parent] = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return parent === undefined ? undefined : Number(parent)
  } catch {
    return undefined
  }
}

/** How long etcd, NATS, servers and engines may take to end by themselves. Milliseconds. */
const politeMs = 1_500
/** How long all of it may take. Milliseconds. */
const endMsMax = 4_500
const lookEveryMs = 50

/**
 * Ends all that is left of a stack, within 5 s. Agents die at once, for they would go on working otherwise; engines are
 * interrupted, so that restic removes its lock; the others are asked first. Answers who is still there.
 */
export async function endProcesses(marks: Marks): Promise<ProcessStat[]> {
  const begun = performance.now()
  const told = new Set<number>()
  for (;;) {
    const found = processesOf(marks)
    const elapsed = performance.now() - begun
    if (found.length === 0 || elapsed > endMsMax) return found
    for (const { pid } of found) {
      const started = marks.started.find((it) => it.pid === pid)
      const mayBePolite = elapsed < politeMs && started?.isAgent !== true
      if (mayBePolite && told.has(pid)) continue
      told.add(pid)
      send(pid, mayBePolite ? (started ? 'SIGTERM' : 'SIGINT') : 'SIGKILL')
    }
    await sleep(lookEveryMs)
  }
}

/** Signals a process, and wakes it: a stopped one acts on a signal only once it goes on. */
function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
    process.kill(pid, 'SIGCONT')
  } catch {
    // It has just ended, or is not ours to end.
  }
}
