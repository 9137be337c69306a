// Direct access to a test's etcd, beside the code under test.
import { Connection } from '../../controller/etcd/connection.ts'
import { everything } from '../../controller/etcd/keys.ts'

/** Deletes all of Firn's keys. */
export async function emptyEtcd(url: string): Promise<void> {
  using connection = new Connection({ endpoints: [url] })
  const all = { key: everything.start, range_end: everything.end }
  await connection.txn({ success: [{ request_delete_range: all }] })
}
