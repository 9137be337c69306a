// Writes to a SQLite database until it is ended: `node sqlite-writer.ts FILE JOURNAL_MODE`. Says after each transaction how
// many there are.
import { writeSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { chained, rowsEach } from './sqlite.ts'

const [, , file = '', mode = 'wal'] = process.argv
const database = new DatabaseSync(file, { timeout: 60_000 })
database.exec(`PRAGMA journal_mode = ${mode}; PRAGMA synchronous = off`)
database.exec('CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, text TEXT, sum TEXT UNIQUE)')
const insert = database.prepare('INSERT INTO entries (text, sum) VALUES (?, ?)')
let sum = ''
for (let done = 1; ; done++) {
  database.exec('BEGIN IMMEDIATE')
  for (let row = 0; row < rowsEach; row++) {
    const text = `${done}/${row} ${'x'.repeat(200)}`
    sum = chained(sum, text)
    insert.run(text, sum)
  }
  database.exec('COMMIT')
  writeSync(1, `${done}\n`)
}
