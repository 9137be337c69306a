import { expect, it } from 'vitest'
import { eventually } from '../../test/support/eventually.ts'
import { startProxy } from '../../test/support/proxy.ts'
import { startEtcd } from '../../test/support/servers.ts'
import { Connection } from './connection.ts'

it('opens a stream that replaces another one at another member', async () => {
  await using etcd = await startEtcd()
  await using one = await startProxy(etcd)
  await using other = await startProxy(etcd)
  using connection = new Connection({ endpoints: [one.url, other.url] })
  const accepted = () => [one.accepted, other.accepted]
  const lease = connection.keepAlive()
  await eventually(() => one.accepted === 1)
  using _watch = connection.watch()
  await eventually(() => other.accepted === 1)
  // By turns it would be the first one's, which was just given up.
  lease[Symbol.dispose]()
  using _again = connection.keepAlive()
  await eventually(() => other.accepted === 2)
  expect(accepted()).toEqual([1, 2])
})
