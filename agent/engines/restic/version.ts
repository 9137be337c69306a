import type { EngineProbe } from '../../../core/link.ts'

export const engineName = 'restic'

export interface Version {
  readonly major: number
  readonly minor: number
  readonly patch: number
  readonly text: string
}

/** What a version of restic can do; what it cannot is worked around. Sources: restic's release notes. */
export interface Capabilities {
  /** `restore --json` with progress and a summary (0.17). Before, a restore says nothing until it ends. */
  readonly restoreProgress: boolean
  /** `restore --sparse` (0.15). */
  readonly sparseRestore: boolean
  /** The summary of a backup has the whole snapshot id and the bytes stored (0.17). Before: eight digits. */
  readonly fullSummary: boolean
}

/** Older ones lack repository format 2 and `--json` errors. */
const oldest = { major: 0, minor: 14 }
/** Below this it works, with less to see; see the capability table. */
const recommended = { major: 0, minor: 18 }

/** Out of `restic version`: text, or JSON where `--json` is understood. */
export function parseVersion(output: string): Version | undefined {
  const match = /(?:^restic |"version":\s*")(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?([-+.\w]*)/m.exec(output)
  if (match === null) return undefined
  const [, major, minor, patch = '0', rest = ''] = match
  return {
    major: Number(major),
    minor: Number(minor),
    patch: Number(patch),
    text: `${major}.${minor}.${patch}${rest}`,
  }
}

const isAtLeast = (version: Version, than: { readonly major: number; readonly minor: number }): boolean =>
  version.major > than.major || (version.major === than.major && version.minor >= than.minor)

/** Undefined for a version that is too old to be used. */
export function capabilitiesOf(version: Version): Capabilities | undefined {
  if (!isAtLeast(version, oldest)) return undefined
  const from17 = isAtLeast(version, { major: 0, minor: 17 })
  return {
    restoreProgress: from17,
    sparseRestore: isAtLeast(version, { major: 0, minor: 15 }),
    fullSummary: from17,
  }
}

/** The version in words for the agent's hello. */
export function probeOf(version: Version): EngineProbe {
  const capabilities = capabilitiesOf(version)
  if (capabilities === undefined) {
    const problem = `restic ${version.text} is too old: 0.14 is the oldest that can be used`
    return {
      engine: engineName,
      available: false,
      version: version.text,
      capabilities: [],
      problems: [problem],
    }
  }
  const names: Record<keyof Capabilities, string> = {
    restoreProgress: 'restore_progress',
    sparseRestore: 'sparse_restore',
    fullSummary: 'full_summary',
  }
  const able = (Object.keys(names) as (keyof Capabilities)[]).filter((name) => capabilities[name])
  const problems = isAtLeast(version, recommended)
    ? []
    : [`restic ${version.text} works, but 0.18 or later shows more (progress of restores, bytes stored)`]
  return {
    engine: engineName,
    available: true,
    version: version.text,
    capabilities: able.map((name) => names[name]),
    problems,
  }
}
