import type {
  Action,
  Json,
  JsonObject,
  LevelRule,
  Limits,
  RepositoryChoice,
  RestoreChoice,
} from './action.ts'
import { isDatastore } from './datastores.ts'
import { isFault } from './fault.ts'
import { backupId, repositoryId } from './ids.ts'
import { isInstanceKey } from './instance.ts'
import type { Reason } from './run.ts'

/** Either what an action means, or why this release cannot do it: it is stored all the same, and its run says so. */
export type Meaning = { readonly action: Action } | { readonly refusal: Reason }

/** How long an exec may take when it does not say. Milliseconds. Freezer's `timeout` is about groups of cloud resources. */
const execLimitMs = 3_600_000

/** Seconds: a year. */
const timeLimitMaxS = 366 * 24 * 3600

class Refused extends Error {
  readonly code: string
  constructor(code: string, text: string) {
    super(text)
    this.code = code
  }
}
const refuse = (text: string, code = 'unsupported'): never => {
  throw new Refused(code, text)
}

/**
 * What Freezer's open `freezer_action` object means here. Without `engine_name` it is restic in the client's default
 * repository; with `storage` and `container` the repository that they describe. With a mode that is a kind of database
 * (`sqlite`) it is about the one that the agent knows as `instance`, which stands in place of paths. Never throws.
 */
export function meaningOf(freezer: JsonObject): Meaning {
  try {
    return { action: actionOf(freezer) }
  } catch (error) {
    if (error instanceof Refused) return { refusal: { code: error.code, text: error.message } }
    if (isFault(error)) return { refusal: { code: 'bad_action', text: error.message } }
    throw error
  }
}

function actionOf(freezer: JsonObject): Action {
  const what = textOf(freezer, 'action') ?? 'backup'
  switch (what) {
    case 'backup':
      return backupOf(freezer)
    case 'restore':
      return restoreOf(freezer)
    case 'exec':
      return execOf(freezer)
    case 'verify':
      return { do: 'verify', engine: engineOf(freezer), ...scopeOf(freezer), ...common(freezer) }
    default:
      return refuse(`this release does not do "${what}"`)
  }
}

function common(freezer: JsonObject): { repository: RepositoryChoice; limits: Limits } {
  return { repository: repositoryOf(freezer), limits: limitsOf(freezer) }
}

function engineOf(freezer: JsonObject): string {
  const mode = textOf(freezer, 'mode') ?? 'fs'
  const engine = textOf(freezer, 'engine_name')
  if (isDatastore(mode)) {
    if (engine !== undefined && engine !== mode)
      refuse(`engine_name: "${engine}" does not do mode "${mode}"`, 'bad_action')
    return mode
  }
  if (mode !== 'fs') refuse(`this release does not do mode "${mode}"`)
  if (engine !== undefined && isDatastore(engine))
    refuse(`engine_name: "${engine}" needs mode "${engine}" and an instance in place of paths`, 'bad_action')
  return engine ?? 'restic'
}

function backupOf(freezer: JsonObject): Action {
  const engine = engineOf(freezer)
  return {
    do: 'backup',
    engine,
    backupName: textOf(freezer, 'backup_name') ?? '',
    ...(isDatastore(engine)
      ? { paths: [], instance: instanceOf(freezer, 'path_to_backup') }
      : { paths: pathsOf(freezer) }),
    excludes: listOf(freezer, 'exclude'),
    oneFileSystem: flagOf(freezer, 'one_file_system') ?? false,
    onUnreadable: onUnreadableOf(freezer),
    levels: levelsOf(freezer),
    ...common(freezer),
  }
}

function pathsOf(freezer: JsonObject): string[] {
  const paths = listOf(freezer, 'path_to_backup')
  if (paths.length === 0) refuse('path_to_backup: is needed', 'bad_action')
  for (const path of paths) checkPath('path_to_backup', path)
  return paths
}

/** The key of a database; `instead` is the field that has no place beside it. */
function instanceOf(freezer: JsonObject, instead: string): string {
  if (!absent(freezer[instead])) refuse(`${instead}: has no place beside an instance`, 'bad_action')
  return keyOf(freezer, 'instance')
}

function keyOf(freezer: JsonObject, field: string): string {
  const key = textOf(freezer, field) ?? refuse(`${field}: is needed`, 'bad_action')
  if (!isInstanceKey(key)) refuse(`${field}: must be 1 to 64 letters, digits, ".", "_" or "-"`, 'bad_action')
  return key
}

function onUnreadableOf(freezer: JsonObject): 'fail' | 'partial' {
  const word = textOf(freezer, 'on_unreadable') ?? 'partial'
  return word === 'fail' || word === 'partial'
    ? word
    : refuse('on_unreadable: must be "fail" or "partial"', 'bad_action')
}

function levelsOf(freezer: JsonObject): LevelRule {
  const number = (key: string): number | undefined => wholeOf(freezer, key)
  const [maxLevel, alwaysLevel, restart] = ['max_level', 'always_level', 'restart_always_level'].map(number)
  return {
    noIncremental: flagOf(freezer, 'no_incremental') ?? flagOf(freezer, 'incremental') === false,
    ...(maxLevel === undefined ? {} : { maxLevel }),
    ...(alwaysLevel === undefined ? {} : { alwaysLevel }),
    ...(restart === undefined ? {} : { restartAlwaysLevelDays: restart }),
  }
}

function restoreOf(freezer: JsonObject): Action {
  const engine = engineOf(freezer)
  return {
    do: 'restore',
    engine,
    from: sourceOf(freezer),
    ...(isDatastore(engine) ? creationOf(freezer) : landingOf(freezer)),
    ...common(freezer),
  }
}

function landingOf(freezer: JsonObject) {
  const target = textOf(freezer, 'restore_abs_path') ?? refuse('restore_abs_path: is needed', 'bad_action')
  checkPath('restore_abs_path', target)
  return {
    target,
    include: listOf(freezer, 'include'),
    overwrite: flagOf(freezer, 'overwrite') ?? false,
  }
}

/** A database is never restored in place: a new one is made, from a template of the node's configuration. */
function creationOf(freezer: JsonObject) {
  const instance = instanceOf(freezer, 'restore_abs_path')
  const template = keyOf(freezer, 'template')
  const name = textOf(freezer, 'instance_name') ?? instance
  return { create: { template, instance, name }, target: '', include: [], overwrite: false }
}

function sourceOf(freezer: JsonObject): RestoreChoice {
  const id = textOf(freezer, 'backup_id')
  if (id !== undefined) return { is: 'backup', id: backupId(id) }
  const hostname = textOf(freezer, 'hostname')
  const until = textOf(freezer, 'restore_from_date')
  const notAfter =
    until === undefined ? undefined : Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(until) ? until : `${until}Z`)
  if (notAfter !== undefined && Number.isNaN(notAfter)) refuse('restore_from_date: is no date', 'bad_action')
  return {
    is: 'series',
    backupName:
      textOf(freezer, 'backup_name') ?? refuse('backup_name: is needed to find the backup', 'bad_action'),
    ...(hostname === undefined ? {} : { hostname }),
    ...(notAfter === undefined ? {} : { notAfter }),
  }
}

function execOf(freezer: JsonObject): Action {
  const commands = commandsOf(freezer['command'])
  const limitS = wholeOf(freezer, 'time_limit')
  if (limitS !== undefined && limitS > timeLimitMaxS) refuse('time_limit: is more than a year', 'bad_action')
  return {
    do: 'exec',
    engine: 'exec',
    commands,
    timeLimitMs: limitS === undefined ? execLimitMs : limitS * 1_000,
    limits: limitsOf(freezer),
  }
}

/** An argument vector, or Freezer's string: split at blanks, `|` joins commands, never a shell. */
function commandsOf(command: Json | undefined): string[][] {
  const split = (part: string): string[] => part.trim().split(/\s+/)
  const list = Array.isArray(command) ? command : []
  const commands: Json[][] = typeof command === 'string' ? command.split('|').map(split) : [list]
  return commands.map((words) => {
    const texts = words.filter((word) => typeof word === 'string' && !word.includes('\0'))
    if (!words[0] || texts.length < words.length)
      refuse('command: must be an argument vector or a string', 'bad_action')
    return texts as string[]
  })
}

function scopeOf(freezer: JsonObject): { scope: 'structure' | 'data'; part?: { n: number; of: number } } {
  const scope = textOf(freezer, 'scope') === 'data' ? 'data' : 'structure'
  const text = textOf(freezer, 'part')
  if (text === undefined) return { scope }
  const [n = 0, of = 0] = (/^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? []).slice(1).map(Number)
  if (n < 1 || n > of) refuse('part: must be like 2/7', 'bad_action')
  return { scope, part: { n, of } }
}

function repositoryOf(freezer: JsonObject): RepositoryChoice {
  const named = textOf(freezer, 'repository_id')
  if (named !== undefined) return { is: 'named', id: repositoryId(named) }
  const storage = textOf(freezer, 'storage')
  const container = textOf(freezer, 'container')
  if (storage === undefined || (container === undefined && storage === 'local')) return { is: 'default' }
  if (storage !== 'local') return refuse(`this release does not do storage "${storage}"`)
  checkPath('container', container ?? '')
  return { is: 'place', storage, container: container ?? '' }
}

function limitsOf(freezer: JsonObject): Limits {
  const upload = rateOf(freezer, 'upload_limit')
  const download = rateOf(freezer, 'download_limit')
  const nice = wholeOf(freezer, 'nice')
  const ioLevel = wholeOf(freezer, 'io_level')
  const ioClass = textOf(freezer, 'io_class')
  return {
    ...(upload === undefined ? {} : { uploadKiBs: upload }),
    ...(download === undefined ? {} : { downloadKiBs: download }),
    ...(nice === undefined ? {} : { nice: Math.min(nice, 19) }),
    ...(ioClass === 'idle' || ioClass === 'best-effort' ? { ioClass } : {}),
    ...(ioLevel === undefined ? {} : { ioLevel: Math.min(ioLevel, 7) }),
  }
}

const factors: Record<string, number> = { '': 1, K: 1_024, M: 1_048_576, G: 1_073_741_824 }

/** KiB a second: a terabyte. */
const rateMax = 2 ** 30

/** Freezer's rates: bytes a second, `10K`, `120M`; -1 for none. As KiB a second, at least 1. */
function rateOf(freezer: JsonObject, key: string): number | undefined {
  const value = wordOf(freezer, key)
  if (value === undefined || Number(value) < 0) return undefined
  const [, number, unit] =
    /^(\d+(?:\.\d+)?)([KMG]?)$/.exec(value) ?? refuse(`${key}: is no rate`, 'bad_action')
  const rate = Math.max(1, Math.round((Number(number) * (factors[unit ?? ''] ?? 1)) / 1_024))
  return rate <= rateMax ? rate : refuse(`${key}: is more than any line has`, 'bad_action')
}

/** A text, a number or a flag, as text. */
function wordOf(freezer: JsonObject, key: string): string | undefined {
  const value = freezer[key]
  if (absent(value)) return undefined
  return typeof value === 'object' ? refuse(`${key}: must be a single value`, 'bad_action') : String(value)
}

const absent = (value: Json | undefined): boolean => value === undefined || value === null || value === ''

function textOf(freezer: JsonObject, key: string): string | undefined {
  const value = freezer[key]
  if (absent(value)) return undefined
  return typeof value === 'string' ? value : refuse(`${key}: must be a string`, 'bad_action')
}

/** A string, or an array of strings. */
function listOf(freezer: JsonObject, key: string): string[] {
  const value = freezer[key]
  if (absent(value)) return []
  const list = Array.isArray(value) ? value : [value]
  return list.map((item) =>
    typeof item === 'string' && item !== '' ? item : refuse(`${key}: must be text`, 'bad_action'),
  )
}

/** Freezer's documents hold booleans as true, "true", "True", 1 and "". */
function flagOf(freezer: JsonObject, key: string): boolean | undefined {
  const value = wordOf(freezer, key)
  return value === undefined ? undefined : ['true', '1', 'yes'].includes(value.toLowerCase())
}

function wholeOf(freezer: JsonObject, key: string): number | undefined {
  const value = freezer[key]
  if (absent(value) || value === false) return undefined
  const number = Number(value)
  return Number.isSafeInteger(number) && number >= 0
    ? number
    : refuse(`${key}: must be a whole number`, 'bad_action')
}

function checkPath(field: string, path: string): void {
  if (!path.startsWith('/') || path.includes('\0')) refuse(`${field}: must be an absolute path`, 'bad_action')
  if (path.split('/').includes('..')) refuse(`${field}: must not hold ".."`, 'bad_action')
}
