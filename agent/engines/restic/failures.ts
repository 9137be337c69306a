import type { Reason } from '../../../core/run.ts'
import type { Exit } from '../process/child.ts'

/** Why an engine's step failed, as a stable word; docs of `Reason.code`. */
export type ReasonCode =
  | 'locked'
  | 'unreachable'
  | 'auth'
  | 'no_repository'
  | 'no_space'
  | 'source_missing'
  | 'unreadable'
  | 'damaged'
  | 'version'
  | 'config'
  | 'killed'
  | 'stalled'
  | 'cancelled'
  | 'unknown'

export interface Failure {
  readonly code: ReasonCode
  readonly text: string
}

/** Those that may be over when it is tried again. The others wait for somebody to change something. */
const passing: ReadonlySet<ReasonCode> = new Set(['locked', 'unreachable', 'killed', 'stalled', 'unknown'])

export const isRetryable = (failure: Failure): boolean => passing.has(failure.code)
export const reasonOf = (failure: Failure): Reason => ({ code: failure.code, text: failure.text })

/** Since 0.17. A missing repository is told by its text: the same code comes when it cannot be reached. */
const codes: ReadonlyMap<number, ReasonCode> = new Map([
  [11, 'locked'],
  [12, 'auth'],
])

/** Exit codes of a shell's kind for SIGINT, SIGKILL and SIGTERM: restic uses them for the signals that it handles. */
const signalCodes: ReadonlySet<number> = new Set([130, 137, 143])

/**
 * What restic writes, by cause. The first that matches decides, so the more telling come first: a full disk also makes
 * locks fail, and a server that cannot be reached also has no config file.
 */
const texts: readonly (readonly [ReasonCode, RegExp])[] = [
  ['killed', /context canceled|signal interrupt/i],
  ['no_space', /no space left on device|disk quota exceeded|file too large/i],
  [
    'auth',
    /wrong password|no key found|resolving password failed|\b40[13] |access ?denied|permission denied \(/i,
  ],
  ['locked', /already locked/i],
  [
    'unreachable',
    /dial tcp|connection (refused|reset|timed out)|no such host|i\/o timeout|network is unreachable|no route to host|tls: |handshake|unable to start the sftp session|ssh: |unexpected http response \(5\d\d\)|\b50[0234] /i,
  ],
  ['source_missing', /all (source|target) directories\/files do not exist/i],
  ['no_repository', /unable to open config file|is there a repository at|repository does not exist/i],
  [
    'damaged',
    /repository contains errors|ciphertext verification failed|(does|do) not match|invalid data returned|data corruption|pack [0-9a-f]+.* does not exist|unable to load (tree|index)|not found in (index|repository)|unexpected eof|wrong data/i,
  ],
  ['version', /unsupported repository version|unknown (shorthand )?flag|unknown command/i],
  [
    'config',
    /invalid (id|backend|argument|value)|no matching id found|failed to load snapshot|failed to find (snapshot|parent)|permission denied|read-only file system|not a directory|unable to (parse|open) repository/i,
  ],
]

/** The cause that a text speaks of. */
export function codeOfText(text: string): ReasonCode | undefined {
  return texts.find(([, form]) => form.test(text))?.[0]
}

/** Longest reason that is passed on. Characters. */
const reasonLengthMax = 600

/**
 * Why a restic command failed that nobody asked to stop. `lines`: what it said on stderr besides errors of single items,
 * in order. The fatal words decide; the rest is looked at only when these say nothing.
 */
export function failureOf(exit: Exit, lines: readonly string[]): Failure {
  const fatal = lines.filter((line) => /^fatal: |^exit error: /i.test(line))
  const told = (fatal.length > 0 ? fatal : lines.slice(-5))
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const text = told.join('; ').slice(0, reasonLengthMax) || `restic ended with ${exitWords(exit)}`
  if (exit.is !== 'exited') return { code: 'killed', text: `restic ended with ${exitWords(exit)}` }
  const code = codes.get(exit.code) ?? codeOfText(fatal.join('\n')) ?? codeOfText(lines.join('\n'))
  if (code !== undefined) return { code, text }
  if (exit.code === 10) return { code: 'no_repository', text }
  return { code: signalCodes.has(exit.code) ? 'killed' : 'unknown', text }
}

/** E.g. `exit code 3` or `SIGKILL`. */
export function exitWords(exit: Exit): string {
  switch (exit.is) {
    case 'exited':
      return `exit code ${exit.code}`
    case 'signalled':
      return exit.signal
    case 'abandoned':
      return 'no end (it hangs in the kernel)'
  }
}
