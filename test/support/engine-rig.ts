// What an engine needs around it in a test: an agent's context, a repository's access, and its events in one piece.
import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Action, Limits } from '../../core/action.ts'
import type { RepositoryAccess } from '../../core/link.ts'
import { backupId, repositoryId } from '../../core/ids.ts'
import type { ItemError } from '../../core/run.ts'
import type {
  Engine,
  EngineContext,
  EngineEnd,
  EngineEvent,
  EngineProgress,
  EngineTask,
  LogLine,
} from '../../agent/ports/engine.ts'
import { toolPath } from '../../scripts/tools.ts'
import { realClock } from './real-clock.ts'
import { tempDir, type TempDir } from './temp.ts'

/** All that one run of an engine gave. */
export interface Ran {
  readonly end: EngineEnd
  readonly phases: readonly string[]
  readonly progress: readonly EngineProgress[]
  readonly items: readonly ItemError[]
}

/** The context of an agent, with what it was told on record. */
export class EngineRig implements AsyncDisposable {
  readonly dir: TempDir
  readonly log: LogLine[] = []
  /** Children that were started and have not ended. */
  readonly running = new Map<
    number,
    { readonly pid: number; readonly startTime: string; readonly command: string }
  >()
  readonly abort = new AbortController()

  private constructor(dir: TempDir) {
    this.dir = dir
    mkdirSync(dir.join('state'), { mode: 0o700 })
  }

  static async open(): Promise<EngineRig> {
    return new EngineRig(await tempDir('engine'))
  }

  context(more: Partial<EngineContext> = {}): EngineContext {
    return {
      attemptId: 'run-a.1',
      tags: { run: 'run-a', step: '0', job: 'job-a' },
      host: 'node-a',
      stateDir: this.dir.join('state'),
      signal: this.abort.signal,
      stallMs: 120_000,
      clock: realClock,
      children: {
        started: (child) => void this.running.set(child.pid, child),
        ended: (pid) => void this.running.delete(pid),
      },
      log: (line) => void this.log.push(line),
      ...more,
    }
  }

  /** Access to a repository in a folder of its own. */
  access(name: string, more: Partial<RepositoryAccess> = {}): RepositoryAccess {
    return {
      id: repositoryId(name),
      engine: 'restic',
      location: this.dir.join(name),
      password: 'correct horse battery',
      ...more,
    }
  }

  /** Runs to the end; `see` is called with each event as it comes. */
  async run(
    engine: Engine,
    task: EngineTask,
    more: Partial<EngineContext> = {},
    see: (event: EngineEvent) => void = () => {},
  ): Promise<Ran> {
    const events: EngineEvent[] = []
    for await (const event of engine.run(task, this.context(more))) {
      events.push(event)
      see(event)
    }
    const ends = events.filter((event) => event.type === 'end')
    const [end] = ends
    if (end === undefined || ends.length > 1 || events.at(-1) !== end)
      throw new Error(`not exactly one end, last: ${JSON.stringify(events.slice(-3))}`)
    return {
      end,
      phases: events.flatMap((event) => (event.type === 'phase' ? [event.phase] : [])),
      progress: events.flatMap((event) => (event.type === 'progress' ? [event.progress] : [])),
      items: events.flatMap((event) => (event.type === 'item_error' ? [event.error] : [])),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dir[Symbol.asyncDispose]()
  }
}

type Some<K extends Action['do']> = Partial<Extract<Action, { do: K }>>
const unlimited: Limits = {}
const repository = { is: 'default' } as const

/** A backup of these paths: level 0 unless a parent is given. */
export function backupOf(
  paths: readonly string[],
  access: RepositoryAccess,
  more: Some<'backup'> & { readonly parent?: string } = {},
): EngineTask {
  const { parent, ...action } = more
  return {
    do: 'backup',
    action: {
      do: 'backup',
      engine: 'restic',
      backupName: 'data',
      paths,
      excludes: [],
      oneFileSystem: false,
      onUnreadable: 'partial',
      levels: { noIncremental: false },
      repository,
      limits: unlimited,
      ...action,
    },
    repository: access,
    level: parent === undefined ? 0 : 1,
    ...(parent === undefined ? {} : { parent: { backup: backupId('parent'), engineRef: parent } }),
  }
}

/** A restore of a whole snapshot into `target`. */
export function restoreOf(
  engineRef: string,
  target: string,
  access: RepositoryAccess,
  more: Some<'restore'> = {},
): EngineTask {
  const from = { is: 'backup', id: backupId('source') } as const
  const action = { do: 'restore', engine: 'restic', from, include: [], target, overwrite: false } as const
  return {
    do: 'restore',
    action: { ...action, repository, limits: unlimited, ...more },
    repository: access,
    source: { backup: backupId('source'), engineRef },
  }
}

/** A check of a repository's structure unless said otherwise. */
export function verifyOf(access: RepositoryAccess, more: Some<'verify'> = {}): EngineTask {
  const action = { do: 'verify', engine: 'restic', scope: 'structure' } as const
  return { do: 'verify', action: { ...action, repository, limits: unlimited, ...more }, repository: access }
}

/** Dropping these snapshots. */
export function forgetOf(
  engineRefs: readonly string[],
  access: RepositoryAccess,
  more: Some<'forget'> = {},
): EngineTask {
  return {
    do: 'forget',
    action: { do: 'forget', engine: 'restic', backups: [], repository, limits: unlimited, ...more },
    repository: access,
    sources: engineRefs.map((engineRef) => ({ backup: backupId('old'), engineRef })),
  }
}

/** Commands joined as a pipe. */
export function execOf(
  commands: readonly (readonly string[])[],
  timeLimitMs = 60_000,
  env: Readonly<Record<string, string>> = {},
): EngineTask {
  return { do: 'exec', action: { do: 'exec', engine: 'exec', commands, timeLimitMs, limits: unlimited }, env }
}

/**
 * The restics that the contract is held against: the one of the set-up, and those named in FIRN_TEST_RESTIC (paths with
 * colons between them).
 */
export function resticPrograms(): string[] {
  const more = (process.env['FIRN_TEST_RESTIC'] ?? '').split(':').filter((program) => program !== '')
  return [toolPath('restic'), ...more]
}

const execFileAsync = promisify(execFile)

/** Runs restic itself, past the engine. Rejects when it fails. */
export async function bareRestic(
  program: string,
  access: RepositoryAccess,
  ...args: string[]
): Promise<string> {
  const env = {
    PATH: process.env['PATH'],
    HOME: access.location,
    RESTIC_REPOSITORY: access.location,
    RESTIC_PASSWORD: access.password,
  }
  return (await execFileAsync(program, ['--no-cache', ...args], { env })).stdout
}
