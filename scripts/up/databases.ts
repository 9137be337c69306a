// A database for the first node of a stack, so that there is one to back up from the start.
import { existsSync } from 'node:fs'
import { chown, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeFolder, type Layout } from './layout.ts'

/** How many of each the database begins with. */
const customers = 40
const orders = 2_000
/** The first order's second, since 1970; each later one comes half an hour after the one before it. */
const firstOrderAt = 1_790_000_000

/**
 * What an agent's configuration says of a shop's database `orders`, made with some content when it is not there, and of the
 * template `spare`, a folder for databases that are restored. Throws what the file system or SQLite says.
 */
export async function ownDatabase(layout: Layout, client: string, uid: number | undefined) {
  const folder = path.join(layout.databases, client)
  const root = path.join(folder, 'restored')
  for (const it of [folder, root]) {
    await makeFolder(it, 0o700)
    if (uid !== undefined) await chown(it, uid, uid)
  }
  const file = path.join(folder, 'orders.db')
  if (!existsSync(file)) {
    const fresh = `${file}.new`
    await rm(fresh, { force: true })
    fill(fresh)
    if (uid !== undefined) await chown(fresh, uid, uid)
    await rename(fresh, file)
  }
  return {
    instances: [{ key: 'orders', name: 'orders', datastore: 'sqlite', path: file }],
    templates: [{ name: 'spare', datastore: 'sqlite', root }],
  } as const
}

function fill(file: string): void {
  const database = new DatabaseSync(file)
  database.exec(`
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE orders (
      id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customers, placed_at INTEGER NOT NULL,
      item TEXT NOT NULL, cents INTEGER NOT NULL);
    CREATE INDEX orders_by_customer ON orders (customer);
    BEGIN`)
  const customer = database.prepare('INSERT INTO customers (name) VALUES (?)')
  for (let nth = 1; nth <= customers; nth++) customer.run(`Customer ${nth}`)
  const order = database.prepare('INSERT INTO orders (customer, placed_at, item, cents) VALUES (?, ?, ?, ?)')
  for (let nth = 1; nth <= orders; nth++) {
    // Different from row to row, and the same on every machine.
    const mixed = (nth * 7_919) % 10_007
    order.run(1 + (mixed % customers), firstOrderAt + nth * 1_800, `Item ${mixed % 97}`, 100 + mixed)
  }
  database.exec('COMMIT')
  database.close()
}
