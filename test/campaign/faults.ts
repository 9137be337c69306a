// How each fault of a campaign is made: it is begun, lasts, and is mended.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { slotsOf } from './expected.ts'
import { changeInterval, type Made } from './make.ts'
import type { Cut } from './network.ts'
import type { Chance, Round, Victim } from './rounds.ts'
import { smallDisks, type Stage } from './stage.ts'
import { failingFsync, straceCommand } from './tools.ts'

/** A fault that has begun. */
export interface Begun {
  /** What it was done to: names of processes. */
  readonly target: string
  /** Processes that may end of it. */
  readonly victims: readonly string[]
  readonly aheadMs?: number
  readonly isLeaderLost?: boolean
  /** When it took hold, Unix time in milliseconds; now when left out. */
  readonly at?: number
  /** Lasts, and ends what was done. Processes that ended are not started by it. */
  last(): Promise<void>
}

interface Scene {
  readonly stage: Stage
  readonly made: readonly Made[]
  readonly chance: Chance
  readonly signal: AbortSignal
}

/** Three leases. */
const stoppedMs = 15_000
const leaseMs = 5_000

/** Begins one. Throws when it cannot be made. */
export async function begin(round: Round, scene: Scene): Promise<Begun> {
  const target = await victimOf(round.victim, scene)
  const isLeaderLost = round.victim === 'leader'
  switch (round.fault) {
    case 'kill':
      return kill(target, isLeaderLost, scene)
    case 'stop':
      return stop(target, isLeaderLost, scene)
    case 'cut':
      return cutOff(target, round, scene, true)
    case 'cut-one-way':
      return cutOff(target, round, scene, false)
    case 'clock':
      return stepClock(target, round.aheadMs ?? 0, scene)
    case 'fsync':
      return failFsync(target, scene)
    case 'full-disk':
      return fillDisk(round.victim === 'etcd' ? smallDisks.etcd : smallDisks.agent, scene)
    case 'restart-all':
      return restartAll(scene)
    case 'update':
      return update(scene)
  }
}

async function victimOf(victim: Victim, { stage, chance }: Scene): Promise<string> {
  if (victim === 'all') return 'all'
  const leader = await stage.leader()
  if (victim === 'leader') return leader ?? pick(stage.names('server'), chance)
  return pick(
    stage.names(victim).filter((name) => name !== leader),
    chance,
  )
}

const pick = (names: readonly string[], chance: Chance): string =>
  names[Math.floor(chance() * names.length)] ?? ''

async function kill(target: string, isLeaderLost: boolean, scene: Scene): Promise<Begun> {
  const { stage, chance, signal } = scene
  const at = Date.now()
  await stage.stack.process(target).crash()
  // Some are back before anybody has noticed, some long after.
  const awayMs = chance() < 0.3 ? 200 : leaseMs + chance() * leaseMs
  return { target, victims: [target], isLeaderLost, at, last: () => pause(awayMs, signal) }
}

async function stop(target: string, isLeaderLost: boolean, { stage, signal }: Scene): Promise<Begun> {
  const process = stage.stack.process(target)
  const at = Date.now()
  process.kill('SIGSTOP')
  return {
    ...{ target, victims: [], isLeaderLost, at },
    last: async () => {
      await pause(stoppedMs, signal)
      process.kill('SIGCONT')
    },
  }
}

/** Cuts one process off from others: in both directions, or in one of them. */
async function cutOff(
  target: string,
  { victim, from }: Round,
  scene: Scene,
  isBoth: boolean,
): Promise<Begun> {
  const { stage, chance, signal } = scene
  const servers = stage.names('server')
  const others = {
    etcd: stage.names('etcd').filter((name) => name !== target),
    server: servers,
    nats: stage.names('nats'),
    'one-server': [pick(servers, chance)],
  }[from ?? 'etcd']
  const there: Cut[] = others.map((to) => ({ from: target, to }))
  const back: Cut[] = others.map((to) => ({ from: to, to: target }))
  const cuts = isBoth ? [...there, ...back] : chance() < 0.5 ? there : back
  const arrow = isBoth ? '<->' : cuts === there ? '->' : '<-'
  const at = Date.now()
  stage.network.cut(cuts)
  return {
    ...{ target: `${target} ${arrow} ${others.join(' ')}`, victims: [], at },
    // Without an answer of etcd nobody leads; what only does not hear him is another matter.
    isLeaderLost: victim === 'leader' && from === 'etcd',
    last: async () => {
      await pause(leaseMs * (1 + chance() * 1.5), signal)
      stage.network.heal()
    },
  }
}

async function stepClock(target: string, aheadMs: number, { stage, signal }: Scene): Promise<Begun> {
  await stage.setClock(target, aheadMs)
  return {
    ...{ target: `${target} ${aheadMs / 1_000} s`, victims: [] },
    // Agents start nothing by their clock.
    ...(target.startsWith('server') && aheadMs > 0 ? { aheadMs } : {}),
    last: async () => {
      await pause(leaseMs * 2, signal)
      await stage.setClock(target, 0)
      // It is read again once a second.
      await pause(1_500, signal)
    },
  }
}

async function failFsync(target: string, { stage, signal }: Scene): Promise<Begun> {
  const strace = straceCommand()
  const pid = stage.stack.process(target).pid
  if (!strace || pid === undefined) throw new Error(`strace cannot be attached to ${target}`)
  const tracer = spawn(strace.file, failingFsync(pid), {
    ...{ stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...strace.env } },
  })
  let said = ''
  tracer.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  return {
    ...{ target, victims: [target] },
    last: async () => {
      await pause(leaseMs, signal)
      const hasEnded = tracer.exitCode !== null || tracer.signalCode !== null
      // It ends with what it traces.
      if (hasEnded && stage.stack.process(target).pid === pid) throw new Error(`strace of ${target}: ${said}`)
      if (hasEnded) return
      const ended = once(tracer, 'exit')
      // It lets go of the process first.
      tracer.kill('SIGTERM')
      await ended
    },
  }
}

async function fillDisk(target: string, { stage, signal }: Scene): Promise<Begun> {
  const disk = stage.disks.get(target)
  if (!disk) throw new Error(`${target} has no disk of its own`)
  disk.fill()
  return {
    ...{ target, victims: [target] },
    last: async () => {
      await pause(leaseMs * 1.5, signal)
      disk.free()
    },
  }
}

async function restartAll({ stage, signal, chance }: Scene): Promise<Begun> {
  const all = [...stage.stack.processes.values()]
  // In order, as somebody would, or as when the power goes.
  const isCrash = chance() < 0.5
  for (const kind of ['agent', 'server', 'nats', 'etcd'])
    await Promise.all(all.filter((it) => it.kind === kind).map((it) => (isCrash ? it.crash() : it.stop())))
  const victims = all.map(({ name }) => name)
  return { target: isCrash ? 'all, killed' : 'all, stopped', victims, last: () => pause(1_000, signal) }
}

/** Schedules get another interval at the very moment at which they are due. */
async function update({ stage, made, chance, signal }: Scene): Promise<Begun> {
  const changed = made.filter(({ wanted }) => wanted.kind === 'job' && wanted.isChanged === true)
  return {
    ...{ target: changed.map(({ id }) => id).join(' '), victims: [] },
    last: async () => {
      for (let times = 0; times < 3; times++)
        for (const one of changed) {
          const rule = one.versions.at(-1)?.rule
          const [slot] = rule ? slotsOf(rule, Date.now() + 200, Date.now() + 30_000) : []
          if (slot === undefined) continue
          await pause(slot - Date.now() + (chance() - 0.5) * 40, signal)
          const from = Math.ceil(Date.now() / 1_000) * 1_000 + 1_000
          await changeInterval(stage, one, from, 4 + Math.floor(chance() * 6))
        }
    },
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(Math.max(0, ms), undefined, { signal })
