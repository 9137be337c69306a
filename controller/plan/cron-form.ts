import { instant, type Instant } from '../../core/clock.ts'
import { badField } from '../../core/fault.ts'
import type { Job } from '../../core/job.ts'
import { nextTick } from './calendar.ts'
import { triggerIn } from './schedule.ts'
import { ticksOf } from './ticks.ts'
import type { Trigger } from './trigger.ts'

/** A schedule that one time or a five-field cron pattern in UTC expresses: what Qinling calls a job's. */
export type CronForm =
  { readonly is: 'once'; readonly at: Instant } | { readonly is: 'recurring'; readonly pattern: string }

/** What a schedule is in that form; undefined when it says more, or nothing. */
export function cronFormOf({ schedule, firn }: Pick<Job, 'schedule' | 'firn'>): CronForm | undefined {
  const trigger = triggerIn(schedule, firn)
  if (trigger.is === 'once') return { is: 'once', at: trigger.at }
  if (trigger.is !== 'cron' || trigger.until !== undefined || !isUtc(trigger.timezone)) return undefined
  const pattern = trigger.days === 'either' ? trigger.pattern.trim() : fiveFieldsOf(trigger)
  return pattern !== undefined && isCron(pattern) ? { is: 'recurring', pattern } : undefined
}

const isUtc = (timezone: string): boolean => /^(Etc\/)?(UTC|UCT|Zulu)$/i.test(timezone)

/** Freezer's fields as five of cron: on a full minute of any year, any week, and not by two day fields that must both match. */
function fiveFieldsOf({ pattern, weeks }: Extract<Trigger, { is: 'cron' }>): string | undefined {
  const [second, minute, hour, day, month, weekday, year] = pattern.split(' ')
  if (weeks || second !== '0' || year !== '*' || (day !== '*' && weekday !== '*')) return undefined
  return [minute, hour, day, month, weekday].join(' ')
}

const macro = /^@(hourly|daily|midnight|weekly|monthly|yearly|annually)$/i
/** `?`, `W`, `+` and the like are other dialects', which croner knows too. */
const field = /^[\d*,/a-z#-]+$/i
const foreign = /w(?!ed)/i

function isCron(pattern: string): boolean {
  if (macro.test(pattern)) return true
  const fields = pattern.split(/\s+/)
  return fields.length === 5 && fields.every((text) => field.test(text) && !foreign.test(text))
}

/**
 * Refuses what is not a cron pattern of five fields, or a macro, that some day satisfies. Throws Fault('bad_request') naming
 * `pattern`.
 */
export function checkCron(text: string, now: Instant): void {
  const pattern = text.trim()
  if (!isCron(pattern))
    throw badField(
      'pattern',
      'must have five fields (minute, hour, day of month, month, day of week) or be a macro like @daily',
    )
  // croner would take "/5" for "*/5".
  if (/(^|[\s,])\//.test(pattern)) throw badField('pattern', 'a step needs what it goes through, as in */5')
  if (ticksOf(pattern, 'UTC', 'pattern', 'either').after(now) === undefined)
    throw badField('pattern', 'no date satisfies it')
}

/** How a job stands, as Qinling has it. */
export type Standing = 'running' | 'paused' | 'cancelled' | 'done'

/** `done`: nothing is to come any more, whether it was started or not. A member of a session waits for that. */
export function standingOf(job: Pick<Job, 'schedule' | 'firn' | 'wanted' | 'session' | 'plan'>): Standing {
  if (job.wanted === 'cancelled') return 'cancelled'
  if (isOver(job)) return 'done'
  return job.wanted === 'stopped' || job.session !== undefined ? 'paused' : 'running'
}

function isOver({
  schedule,
  firn,
  plan,
  wanted,
  session,
}: Pick<Job, 'schedule' | 'firn' | 'wanted' | 'session' | 'plan'>): boolean {
  if (plan.left === 0) return true
  const form = cronFormOf({ schedule, ...(firn ? { firn } : {}) })
  if (form?.is === 'once' && plan.claimed !== undefined && plan.claimed >= (plan.set ?? form.at)) return true
  return wanted === 'active' && session === undefined && plan.next === undefined
}

/** When a job fires next, or would if it were not stopped, or has fired last. */
export const nextShown = (job: Pick<Job, 'plan' | 'schedule' | 'firn' | 'createdAt'>): Instant =>
  job.plan.next ?? job.plan.held ?? job.plan.claimed ?? firstSlot(job)

/** The first slot that a schedule had when its job was made, as far as it can be told now. */
export function firstSlot({
  schedule,
  firn,
  createdAt,
}: Pick<Job, 'schedule' | 'firn' | 'createdAt'>): Instant {
  const trigger = triggerIn(schedule, firn)
  if (trigger.is === 'once') return trigger.at
  return (trigger.is === 'cron' ? nextTick(trigger, createdAt) : undefined) ?? instant(createdAt)
}
