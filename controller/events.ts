import { destination, pino, type Logger } from 'pino'
import type { ServerConfig } from './config.ts'

/** What a server tells its log, by name, with what belongs to it. */
export interface Events {
  'server.starting': { server: string; version: string; node: string }
  'server.ready': { url: string; agents: string }
  'server.draining': { waitingFor: string }
  'server.stopped': Record<never, never>
  'store.trouble': { what: string; err: unknown }
  'store.unreadable': { kind: string; project: string; id: string; why: 'later' | 'damaged'; format?: number }
  'feed.trouble': { what: string; err?: unknown }
  'identity.trouble': { what: string; err: unknown }
  'leader.changed': { leads: boolean; epoch: number }
  'line.opened': { project: string; client: string; peer: string; version: string }
  'line.closed': { project: string; client: string; why: string; text: string }
  'line.refused': { peer: string; text: string }
  'line.bug': { project: string; client: string; err: unknown }
  'run.changed': {
    run: string
    project: string
    client: string
    job: string
    session?: string
    tag?: number
    state: string
    attempt?: number
    result?: string
    reason?: string
  }
  'set.changed': {
    project: string
    session: string
    tag: number
    phase: string
    result?: string
    grade?: string
  }
  'look.failed': { key: string; err: unknown }
  'http.request': {
    request: string
    method: string
    route: string
    status: number
    ms: number
    project?: string
    user?: string
  }
  'http.failed': { request: string; method: string; route: string; err: unknown }
}

const levels: Partial<Record<keyof Events, 'debug' | 'warn' | 'error'>> = {
  'http.request': 'debug',
  'line.refused': 'warn',
  'line.bug': 'error',
  'store.trouble': 'warn',
  'feed.trouble': 'warn',
  'identity.trouble': 'warn',
  'look.failed': 'warn',
  'store.unreadable': 'error',
  'http.failed': 'error',
}

export type Recorder = <E extends keyof Events>(event: E, fields: Events[E]) => void

/** Who speaks is set once; each event goes out at its own level. Values that could be secret never get here. */
export const recorder =
  (log: Logger): Recorder =>
  (event, fields) =>
    log[levels[event] ?? 'info']({ event, ...fields })

/** JSON lines on standard output. */
export const openLog = (level: ServerConfig['log']['level']): Logger =>
  pino(
    { level, base: { process: 'server' }, timestamp: pino.stdTimeFunctions.isoTime },
    destination({ fd: 1, sync: false }),
  )
