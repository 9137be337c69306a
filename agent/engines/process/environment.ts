/**
 * Environment variables that a child inherits from the agent: where programs, temporary files, time zones and trusted
 * certificates are. Nothing else passes, so no RESTIC_*, AWS_* or token of whoever started the agent reaches a tool.
 */
const inherited = ['PATH', 'TMPDIR', 'TZ', 'SSL_CERT_FILE', 'SSL_CERT_DIR'] as const

/** Where programs are looked for when the agent itself was started without a PATH. */
export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Names the attempt in the environment of each of its children, so that those that outlive the agent are found. */
export const attemptVariable = 'FIRN_ATTEMPT'
/** Names the agent's state directory likewise: two agents on one node keep their hands off each other's children. */
export const stateVariable = 'FIRN_STATE'

/** Present where a child tidies up on SIGINT and has to be given the time; without it SIGTERM is the polite signal. */
export const tidyVariable = 'FIRN_TIDY'

export interface ChildIdentity {
  readonly attemptId: string
  /** What tells this agent's state directory from another's; see `stateVariable`. */
  readonly stateMark: string
}

/**
 * The whole environment of a child. `extra` wins over what is inherited, but never over the two marks: without them a
 * child could not be found again.
 */
export function childEnvironment(
  identity: ChildIdentity,
  home: string,
  extra: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const env: Record<string, string> = {}
  for (const name of inherited) {
    const value = process.env[name]
    if (value !== undefined) env[name] = value
  }
  env['PATH'] ??= defaultPath
  return {
    ...env,
    LC_ALL: 'C.UTF-8',
    HOME: home,
    ...extra,
    [attemptVariable]: identity.attemptId,
    [stateVariable]: identity.stateMark,
  }
}
