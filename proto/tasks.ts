import type { PlannedSchedule, SlotList } from '../core/autonomy.ts'
import type { Action, Json, LevelRule, Limits, RepositoryChoice, RestoreChoice } from '../core/action.ts'
import { Fault } from '../core/fault.ts'
import { actionId, backupId, repositoryId } from '../core/ids.ts'
import { catchUps, overlaps, type StartPolicies } from '../core/policy.ts'
import type { Parent, Reason, Task } from '../core/run.ts'
import { id, refuse } from './strict.ts'

/** Where a value was found, as a dotted path. undefined: nobody asked; only a refusal needs it, and making it takes time. */
type At = string | undefined

/** Checks a value and gives the same value as what it is. */
type Check<T> = (value: unknown, at: At) => T

/** A check for every key of `T`; one that may be absent has `optional` around it. */
type Shape<T> = {
  readonly [K in keyof T]-?: Record<never, never> extends Pick<T, K>
    ? { readonly optional: Check<Exclude<T[K], undefined>> }
    : Check<T[K]>
}

const optional = <T>(check: Check<T>) => ({ optional: check })

/** Only this value of the kind, or kinds, that this version knows. Another one is a newer server's. */
function unsupported(at: At, what: unknown): never {
  throw new Fault('unsupported', `${at}: this agent does not know ${JSON.stringify(what)}`)
}

const text: Check<string> = (value, at) => (typeof value === 'string' ? value : refuse(`${at} is no text`))
const flag: Check<boolean> = (value, at) =>
  typeof value === 'boolean' ? value : refuse(`${at} is no boolean`)
const whole: Check<number> = (value, at) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : refuse(`${at} is no count`)
const checkedId =
  <T>(parse: (text: unknown) => T): Check<T> =>
  (value) =>
    id(parse, value)

const word =
  <const T extends string>(...words: readonly T[]): Check<T> =>
  (value, at) =>
    words.find((known) => known === value) ?? unsupported(at, value)

const list =
  <T>(check: Check<T>): Check<readonly T[]> =>
  (value, at) => {
    if (!Array.isArray(value)) refuse(`${at} is no list`)
    for (const [i, item] of value.entries()) check(item, at && `${at}[${i}]`)
    return value as T[]
  }

function record(value: unknown, at: At): { readonly [key: string]: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(`${at} is no object`)
  return value as { readonly [key: string]: unknown }
}

/** An object with exactly these keys: one that is not known could change the meaning of the others. */
function object<T>(shape: Shape<T>): Check<T> {
  const checks = Object.entries<Check<unknown> | { readonly optional: Check<unknown> }>(shape).map(
    ([key, check]) =>
      typeof check === 'function' ? { key, check, must: true } : { key, check: check.optional, must: false },
  )
  return (value, at) => {
    const fields = record(value, at)
    for (const key in fields) if (!Object.hasOwn(shape, key)) unsupported(at, key)
    for (const { key, check, must } of checks)
      if (must || fields[key] !== undefined) check(fields[key], at && `${at}.${key}`)
    return value as T
  }
}

/** One of several objects, told apart by the word in one key. */
function either<T extends { readonly [K in Key]: string }, Key extends string>(
  key: Key,
  kinds: { readonly [Word in T[Key]]: Check<Extract<T, { readonly [K in Key]: Word }>> },
): Check<T> {
  return (value, at) => {
    const kind = record(value, at)[key]
    if (typeof kind !== 'string') refuse(`${at}.${key} is no text`)
    if (!Object.hasOwn(kinds, kind)) unsupported(at && `${at}.${key}`, kind)
    return (kinds as { readonly [word: string]: Check<T> })[kind]?.(value, at) ?? unsupported(at, kind)
  }
}

const limits = object<Limits>({
  uploadKiBs: optional(whole),
  downloadKiBs: optional(whole),
  nice: optional(whole),
  ioClass: optional(word('idle', 'best-effort')),
  ioLevel: optional(whole),
})

const levels = object<LevelRule>({
  noIncremental: flag,
  maxLevel: optional(whole),
  alwaysLevel: optional(whole),
  restartAlwaysLevelDays: optional(whole),
})

/** One kind of a union: named in full, so that a key that core adds to it does not compile until it is checked here. */
type Choice<T, W extends string> = Extract<T, { readonly is: W }>
type Do<W extends string> = Extract<Action, { readonly do: W }>

const repositoryChoice = either<RepositoryChoice, 'is'>('is', {
  default: object<Choice<RepositoryChoice, 'default'>>({ is: word('default') }),
  named: object<Choice<RepositoryChoice, 'named'>>({ is: word('named'), id: checkedId(repositoryId) }),
  place: object<Choice<RepositoryChoice, 'place'>>({
    is: word('place'),
    storage: word('local'),
    container: text,
  }),
})

const restoreChoice = either<RestoreChoice, 'is'>('is', {
  backup: object<Choice<RestoreChoice, 'backup'>>({ is: word('backup'), id: checkedId(backupId) }),
  series: object<Choice<RestoreChoice, 'series'>>({
    is: word('series'),
    backupName: text,
    hostname: optional(text),
    notAfter: optional(whole),
  }),
})

const action = either<Action, 'do'>('do', {
  backup: object<Do<'backup'>>({
    do: word('backup'),
    engine: text,
    backupName: text,
    paths: list(text),
    instance: optional(text),
    excludes: list(text),
    oneFileSystem: flag,
    onUnreadable: word('partial', 'fail'),
    levels,
    repository: repositoryChoice,
    limits,
  }),
  restore: object<Do<'restore'>>({
    do: word('restore'),
    engine: text,
    from: restoreChoice,
    include: list(text),
    target: text,
    create: optional(object({ template: text, instance: text, name: text })),
    overwrite: flag,
    repository: repositoryChoice,
    limits,
  }),
  verify: object<Do<'verify'>>({
    do: word('verify'),
    engine: text,
    scope: word('structure', 'data'),
    part: optional(object({ n: whole, of: whole })),
    repository: repositoryChoice,
    limits,
  }),
  forget: object<Do<'forget'>>({
    do: word('forget'),
    engine: text,
    backups: list(checkedId(backupId)),
    free: optional(flag),
    repository: repositoryChoice,
    limits,
  }),
  exec: object<Do<'exec'>>({
    do: word('exec'),
    engine: word('exec'),
    commands: list(list(text)),
    timeLimitMs: whole,
    limits,
  }),
})

const parent = object<Parent>({ backup: checkedId(backupId), engineRef: text })
const reason = object<Reason>({ code: text, text })

const task = object<Task>({
  actionId: checkedId(actionId),
  action,
  maxRetries: whole,
  retryAfterMs: whole,
  mandatory: flag,
  repository: optional(checkedId(repositoryId)),
  level: optional(whole),
  parent: optional(parent),
  sources: optional(list(parent)),
  refusal: optional(reason),
})

const tasks = list(task)

/** JSON that came as text. Throws Fault('bad_message'), and Fault('unsupported') for what a later version may say. */
function checked<T>(json: string, name: string, check: Check<T>): T {
  let value: Json
  try {
    value = JSON.parse(json) as Json
  } catch (cause) {
    refuse(`${name} are no JSON`, cause)
  }
  try {
    return check(value, undefined)
  } catch {
    return check(value, name) // the same again, to say where
  }
}

/** The tasks of an order as they travel. */
export const tasksToJson = (tasks: readonly Task[]): string => JSON.stringify(tasks)

/**
 * The tasks of an order. Throws Fault('unsupported') for an action, a choice or a key that this version does not know, and
 * Fault('bad_message') for what no version would send.
 */
export const tasksFromJson = (json: string): readonly Task[] => checked(json, 'tasks', tasks)

const at = whole as Check<never>

type List<W extends SlotList['is']> = Extract<SlotList, { readonly is: W }>

const slots = either<SlotList, 'is'>('is', {
  interval: object<List<'interval'>>({
    is: word('interval'),
    everyMs: whole,
    from: optional(at),
    until: optional(at),
  }),
  continuous: object<List<'continuous'>>({
    is: word('continuous'),
    from: optional(at),
    until: optional(at),
  }),
  listed: object<List<'listed'>>({ is: word('listed'), at: list(at) }),
})

const schedule = object<PlannedSchedule>({
  next: at,
  claimed: optional(at),
  left: optional(whole),
  failures: whole,
  slots,
  policies: object<StartPolicies>({
    catchUp: word(...catchUps),
    catchUpMax: whole,
    overlap: word(...overlaps),
    jitterMs: whole,
    startDeadlineMs: optional(whole),
    pauseAfterFailures: optional(whole),
  }),
  excluded: list(object({ from: at, to: at })),
})

/** The schedule of a plan as it travels. */
export const scheduleToJson = (planned: PlannedSchedule): string => JSON.stringify(planned)

/** Throws as `tasksFromJson`. */
export const scheduleFromJson = (json: string): PlannedSchedule => checked(json, 'schedule', schedule)
