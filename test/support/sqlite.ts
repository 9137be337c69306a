// SQLite databases for tests: filled ones, and one that another process writes to all the time.
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('sqlite-writer.ts', import.meta.url))

/** Rows that the writer inserts in each transaction. */
export const rowsEach = 5

/** The sum of a row follows from the row before it, so that no row can be missing, doubled or changed. */
export const chained = (before: string, text: string): string =>
  createHash('sha256').update(`${before}\n${text}`).digest('hex')

/** Runs statements on a database, made when it is not there, and leaves it closed. */
export function execute(file: string, statements: string): void {
  const database = new DatabaseSync(file)
  database.exec(statements)
  database.close()
}

/** A closed database in WAL mode with a table of so many bytes of noise, in rows of 2 kB. */
export function noisyDatabase(file: string, bytes: number): void {
  const database = new DatabaseSync(file)
  database.exec('PRAGMA journal_mode = wal; PRAGMA synchronous = off; CREATE TABLE noise (it BLOB); BEGIN')
  const insert = database.prepare('INSERT INTO noise VALUES (?)')
  for (let left = bytes; left > 0; left -= 2_000) insert.run(randomBytes(2_000))
  database.exec('COMMIT')
  database.close()
}

/** A process that writes to a database. Disposing ends it. */
export class SqliteWriter implements AsyncDisposable {
  /** Transactions that are committed, at least. */
  committed = 0
  /** What it complained of. */
  said = ''
  readonly #child

  constructor(file: string, mode: 'wal' | 'delete') {
    this.#child = spawn(process.execPath, [program, file, mode], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.committed = Number(text.trimEnd().split('\n').at(-1))
    })
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.said += text))
  }

  get runs(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.runs) return
    const closed = once(this.#child, 'close')
    this.#child.kill('SIGKILL')
    await closed
  }
}

/** How many of the writer's transactions a database holds. Throws an Error unless they are its first ones, whole. */
export function transactionsIn(file: string): number {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    const [checked] = database.prepare('PRAGMA integrity_check').all()
    if (checked?.['integrity_check'] !== 'ok') throw new Error(`${file}: ${JSON.stringify(checked)}`)
    let sum = ''
    let rows = 0
    for (const row of database.prepare('SELECT id, text, sum FROM entries ORDER BY id').iterate()) {
      sum = chained(sum, String(row['text']))
      rows++
      if (row['id'] !== rows || row['sum'] !== sum) throw new Error(`${file}: row ${rows} is wrong`)
    }
    if (rows % rowsEach !== 0) throw new Error(`${file}: a transaction is torn, there are ${rows} rows`)
    return rows / rowsEach
  } finally {
    database.close()
  }
}
