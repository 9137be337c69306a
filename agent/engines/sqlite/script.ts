// A program of its own, started by `call.ts`: SQLite works in the calling thread, and the agent's must stay free.
//   copy SOURCE TARGET BUSY_MS   a consistent copy of a database that may be in use, checked
//   check FILE                   a thorough check of a file that nobody uses
// It writes JSON lines that `told.ts` reads.
import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'

/** In place of SQLite's result codes, none of which is negative. */
const missing = -1
/** SQLITE_CORRUPT, SQLITE_AUTH and SQLITE_NOTADB. */
const corrupt = 11
const unreadable = 23
const notADatabase = 26

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

/** Opens what is there and makes nothing. Read-only where the file may not be written. */
function open(file: string, busyMs: number): DatabaseSync {
  const url = pathToFileURL(file)
  url.searchParams.set('mode', 'rw')
  return new DatabaseSync(url, { timeout: busyMs })
}

const numberIn = (database: DatabaseSync, pragma: string): number =>
  Number(Object.values(database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0])

/**
 * Not opened read-only: the last to close a database in WAL mode tidies up its two files, and a reader that may not would
 * leave them behind, to be found by a program that perhaps may not open them.
 */
function copy(source: string, target: string, busyMs: number): void {
  const found = statSync(source, { throwIfNoEntry: false })
  if (!found) return fail(missing, `${source} is not there`)
  if (!found.isFile()) return fail(notADatabase, `${source} is no file`)
  const database = open(source, busyMs)
  try {
    const bytes = numberIn(database, 'page_count') * numberIn(database, 'page_size')
    say({ is: 'phase', phase: 'scan', bytes })
    database.prepare('VACUUM INTO ?').run(target)
  } finally {
    database.close()
  }
  check(target, 'quick_check')
}

function check(file: string, pragma: 'quick_check' | 'integrity_check'): void {
  const { size } = statSync(file)
  say({ is: 'phase', phase: 'verify', bytes: size })
  const database = open(file, 0)
  try {
    const [first] = database.prepare(`PRAGMA ${pragma}(1)`).all()
    const found = String(Object.values(first ?? {})[0])
    if (found === 'ok') say({ is: 'done', bytes: statSync(file).size })
    else fail(corrupt, found)
  } finally {
    database.close()
  }
}

/** `number`: SQLite's primary result code. */
function fail(number: number, text: string): void {
  say({ is: 'failed', number, text: text.slice(0, 500) })
  process.exitCode = 1
}

const [, , what, file = '', target = '', busyMs = '0'] = process.argv
process.umask(0o077)
try {
  if (what === 'copy') copy(file, target, Number(busyMs))
  else check(file, 'integrity_check')
} catch (error) {
  const { errcode, code, message } = error as NodeJS.ErrnoException & { readonly errcode?: number }
  fail(code === 'EACCES' ? unreadable : (errcode ?? 0) & 0xff, message)
}
