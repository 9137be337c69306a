import { execFile } from 'node:child_process'
import { mkdir, stat } from 'node:fs/promises'
import path from 'node:path'
import type { RepositoryAccess } from '../../../core/link.ts'
import type { EngineContext, ToolContext } from '../../ports/engine.ts'
import { launch } from '../process/child.ts'
import { childEnvironment, defaultPath, tidyVariable } from '../process/environment.ts'
import { lastingOutputs } from '../process/pipes.ts'
import { findProgram } from '../process/program.ts'
import type { Failure } from './failures.ts'
import type { Call } from './call.ts'
import { Session, wordsOf } from './session.ts'
import { capabilitiesOf, parseVersion, type Capabilities, type Version } from './version.ts'

export interface ResticSettings {
  /** An absolute path, or a name to look for in PATH. */
  readonly program: string
  /** Tells this agent's children from those of another agent on the node. */
  readonly stateMark: string
}

export type Attempted<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure }

/** Longest line of output that is kept whole. Listings are one line: 64 MiB are about 100 000 snapshots. */
const lineBytesMax = 10 * 2 ** 20
const listingBytesMax = 64 * 2 ** 20

/** The installed restic, ready to be called for one attempt. */
export class Restic {
  readonly version: Version
  readonly capabilities: Capabilities
  /** A command ended in a way that may have left a lock behind. */
  unclean = false

  readonly #file: string
  readonly #stateMark: string

  private constructor(file: string, version: Version, capabilities: Capabilities, stateMark: string) {
    this.#file = file
    this.version = version
    this.capabilities = capabilities
    this.#stateMark = stateMark
  }

  /** Looks which restic is there. `config` when there is none, `version` when it is too old. */
  static async find(settings: ResticSettings, signal: AbortSignal): Promise<Attempted<Restic>> {
    const installed = await installedVersion(settings.program, signal)
    if (!installed.ok) return installed
    const { file, version } = installed.value
    const capabilities = capabilitiesOf(version)
    if (capabilities === undefined)
      return failed('version', `restic ${version.text} is too old: 0.14 is the oldest that can be used`)
    return { ok: true, value: new Restic(file, version, capabilities, settings.stateMark) }
  }

  /** Starts a command. The caller reads the session to its end or disposes it. */
  async start(call: Call, context: ToolContext, maxLineBytes = lineBytesMax): Promise<Attempted<Session>> {
    if (context.signal.aborted) return failed('cancelled', wordsOf(context.signal.reason))
    const cache = cacheFolder(context, call.access)
    try {
      await mkdir(cache, { recursive: true, mode: 0o700 })
    } catch (error) {
      return failed('config', `the state directory cannot be written: ${(error as Error).message}`)
    }
    const { uploadKiBs, downloadKiBs } = call.limits ?? {}
    const limits = [
      ...(uploadKiBs === undefined ? [] : ['--limit-upload', String(uploadKiBs)]),
      ...(downloadKiBs === undefined ? [] : ['--limit-download', String(downloadKiBs)]),
    ]
    // Killed under it, the agent must not leave it to die of a broken pipe with its lock in the repository.
    using outputs = await lastingOutputs(context.stateDir)
    const launched = await launch(
      {
        ...(outputs === undefined ? {} : { pipes: outputs.pipes }),
        program: this.#file,
        args: [...limits, ...call.args],
        env: childEnvironment(
          { attemptId: context.attemptId, stateMark: this.#stateMark },
          context.stateDir,
          {
            RESTIC_PASSWORD_FILE: '/dev/fd/3',
            // Not in the arguments: a URL may hold a password.
            RESTIC_REPOSITORY_FILE: '/dev/fd/4',
            RESTIC_CACHE_DIR: cache,
            RESTIC_PROGRESS_FPS: '1',
            [tidyVariable]: '1',
          },
        ),
        secrets: [call.access.password, call.access.location],
        ...(call.limits === undefined ? {} : { limits: call.limits }),
      },
      context,
    )
    if (!launched.ok) {
      for (const { stream } of outputs?.pipes.outputs ?? []) stream.destroy()
      const passing = launched.code === 'EAGAIN' || launched.code === 'ENOMEM'
      return failed(passing ? 'unknown' : 'config', launched.text)
    }
    const locks = !call.args.includes('--no-lock')
    const onUnclean = (): void => {
      if (locks) this.unclean = true
    }
    return { ok: true, value: new Session(launched.child, call, context, maxLineBytes, onUnclean) }
  }

  /** Runs a short command and gives the lines of its stdout. Whatever exit code but 0 is a failure. */
  async collect(call: Call, context: ToolContext): Promise<Attempted<string[]>> {
    const started = await this.start(call, context, listingBytesMax)
    if (!started.ok) return started
    await using session = started.value
    const lines: string[] = []
    let bytes = 0
    for await (const line of session.lines()) {
      if (line.source === 'stderr') {
        session.note(line)
        continue
      }
      bytes += line.text.length
      if (line.cut || bytes > listingBytesMax)
        return failed('unknown', `restic's answer to ${call.args[0]} is too long`)
      lines.push(line.text)
    }
    const { failure } = await session.end()
    return failure === undefined ? { ok: true, value: lines } : { ok: false, failure }
  }
}

/** One for each repository: what a check or a crash leaves in it concerns no other. */
export const cacheFolder = (context: Pick<EngineContext, 'stateDir'>, access: RepositoryAccess): string =>
  path.join(context.stateDir, 'cache', access.id)

export const failed = (
  code: Failure['code'],
  text: string,
): { readonly ok: false; readonly failure: Failure } => ({
  ok: false,
  failure: { code, text },
})

interface Installed {
  readonly file: string
  readonly version: Version
}

/** By path; `key` changes when another binary is put there. */
const known = new Map<string, { readonly key: string; readonly version: Version }>()
const versionWaitMs = 10_000

/** Asks the binary for its version, once for each binary. */
export async function installedVersion(program: string, signal: AbortSignal): Promise<Attempted<Installed>> {
  const found = findProgram(program, process.env['PATH'] ?? defaultPath)
  if (!found.ok) return failed('config', `${program} cannot be run (${found.code})`)
  const { file } = found
  try {
    const { mtimeMs, size, ino } = await stat(file)
    const key = `${ino}/${size}/${mtimeMs}`
    const before = known.get(file)
    if (before?.key === key) return { ok: true, value: { file, version: before.version } }
    const version = parseVersion(await outputOf(file, signal))
    if (version === undefined) return failed('version', `${file} does not say which restic it is`)
    known.set(file, { key, version })
    return { ok: true, value: { file, version } }
  } catch (error) {
    return failed('config', `${file} cannot be asked for its version: ${(error as Error).message}`)
  }
}

function outputOf(file: string, signal: AbortSignal): Promise<string> {
  const options = {
    signal,
    timeout: versionWaitMs,
    killSignal: 'SIGKILL',
    maxBuffer: 2 ** 16,
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? defaultPath, LC_ALL: 'C.UTF-8' },
  } as const
  return new Promise((resolve, reject) => {
    const child = execFile(file, ['version'], options, (error, stdout) =>
      error instanceof Error ? reject(error) : resolve(stdout),
    )
    child.stdin?.end()
  })
}
