import type { Job } from '../../../core/job.ts'
import type { World } from '../world.ts'
import { iso } from './words.ts'

/**
 * Slots as a clock on a wall would have them: what Intl says of an instant is held against the fields of the schedule. It shares no
 * code with what computes slots.
 */
export class Calendar {
  readonly #world: World
  /** Days on which a daily job has had its slot, by job and generation. */
  readonly #days = new Map<string, string>()
  readonly #formats = new Map<string, Intl.DateTimeFormat>()

  constructor(world: World) {
    this.#world = world
  }

  take({ id, schedule, firn, plan }: Job, slot: number): void {
    const zone = typeof firn?.['timezone'] === 'string' ? firn['timezone'] : 'UTC'
    const { schedule_hour: hour, schedule_minute: minute, schedule_date, schedule_interval } = schedule
    // Whichever comes first counts: two changes at once may have left both.
    if (schedule_date !== undefined || schedule_interval !== undefined) return
    if (hour !== undefined && minute !== undefined)
      this.#daily(`${id}.${plan.generation}`, zone, Number(hour) * 60 + Number(minute), slot)
    const pattern = firn?.['pattern']
    if (typeof pattern === 'string') this.#minutes(id, zone, pattern.split(' ')[0] ?? '', slot)
  }

  /** Once a day, at that time; where that time is left out, at the first moment after it. */
  #daily(name: string, zone: string, wanted: number, slot: number): void {
    const local = this.#local(zone, slot)
    const before = this.#local(zone, slot - 1)
    const skipped = before.minutes < wanted && local.minutes > wanted
    if (local.seconds !== 0 || (local.minutes !== wanted && !skipped))
      this.#world.violated(
        'a slot is when the wall clock says so',
        `${name} at ${iso(slot)}, ${wanted} min in ${zone}`,
      )
    if (this.#days.get(name) === local.day)
      this.#world.violated(
        'a daily slot comes once a day',
        `${name} at ${iso(slot)} again on ${local.day} in ${zone}`,
      )
    this.#days.set(name, local.day)
  }

  #minutes(name: string, zone: string, field: string, slot: number): void {
    const { minutes, seconds } = this.#local(zone, slot)
    const step = /^\*\/(\d+)$/.exec(field)?.[1]
    const fits = step === undefined ? minutes % 60 === Number(field) : (minutes % 60) % Number(step) === 0
    if (!fits || seconds !== 0)
      this.#world.violated(
        'a slot is when the wall clock says so',
        `${name} at ${iso(slot)}, "${field}" in ${zone}`,
      )
  }

  #local(
    zone: string,
    at: number,
  ): { readonly day: string; readonly minutes: number; readonly seconds: number } {
    let format = this.#formats.get(zone)
    if (!format) {
      const two = '2-digit'
      format = new Intl.DateTimeFormat('en-GB', {
        ...{ timeZone: zone, hourCycle: 'h23', month: two, day: two, hour: two, minute: two, second: two },
      })
      this.#formats.set(zone, format)
    }
    const part: Record<string, string> = {}
    for (const { type, value } of format.formatToParts(at)) part[type] = value
    return {
      day: `${part['month']}-${part['day']}`,
      minutes: Number(part['hour']) * 60 + Number(part['minute']),
      seconds: at % 60_000 === 0 ? 0 : Number(part['second']),
    }
  }
}
