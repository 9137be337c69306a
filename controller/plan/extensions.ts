import { badField } from '../../core/fault.ts'

/** The `firn` object of a document: what the published forms of schedules cannot say. */
export type Extensions = Readonly<Record<string, unknown>>

/** Longer patterns say nothing that shorter ones cannot. Characters. */
const patternMax = 255

/** More firings than one a second for thirty years. */
const countMax = 1_000_000_000

/** `firn.timezone`; UTC when unset. Throws Fault('bad_request') when it is no text. */
export function timezoneOf(firn: Extensions | undefined): string {
  const timezone = firn?.['timezone']
  if (timezone === undefined) return 'UTC'
  if (typeof timezone !== 'string') throw badField('firn.timezone', 'must be a string')
  return timezone
}

/** `firn.pattern`, a cron pattern, as it was written. Throws Fault('bad_request') when it is no text. */
export function patternIn(firn: Extensions | undefined): string | undefined {
  const pattern = firn?.['pattern']
  if (pattern === undefined) return undefined
  if (typeof pattern !== 'string') throw badField('firn.pattern', 'must be a string')
  if (pattern.length > patternMax) throw badField('firn.pattern', `has more than ${patternMax} characters`)
  return pattern
}

/** `firn.autostart`: whether a new job without a trigger runs once, now; true when unset. Throws Fault('bad_request'). */
export function autostartOf(firn: Extensions | undefined): boolean {
  const autostart = firn?.['autostart']
  if (autostart === undefined) return true
  if (typeof autostart !== 'boolean') throw badField('firn.autostart', 'must be a boolean')
  return autostart
}

/** `firn.count`: how often a schedule fires, all in all. Throws Fault('bad_request'). */
export function countOf(firn: Extensions | undefined): number | undefined {
  const count = firn?.['count']
  if (count === undefined) return undefined
  if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 1 || count > countMax)
    throw badField('firn.count', `must be a whole number from 1 to ${countMax}`)
  return count
}

/** `firn.autonomy`: whether the agent goes on with the job when no server is there; true when unset. Throws Fault('bad_request'). */
export function autonomyOf(firn: Extensions | undefined): boolean {
  const autonomy = firn?.['autonomy']
  if (autonomy === undefined) return true
  if (typeof autonomy !== 'boolean') throw badField('firn.autonomy', 'must be a boolean')
  return autonomy
}
