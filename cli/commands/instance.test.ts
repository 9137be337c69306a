import { afterEach, beforeEach, expect, it } from 'vitest'
import { fakeServer, type FakeServer } from '../support/fake-server.ts'
import { firn } from '../support/firn.ts'

let server: FakeServer
beforeEach(async () => {
  server = await fakeServer()
  server.json('GET /v1/whoami', { project_id: 'p1' })
})
afterEach(() => server[Symbol.asyncDispose]())

const call = (line: string) => firn(line.split(' '), { env: { FIRN_SERVER: server.url, FIRN_TOKEN: 'tok' } })

const orders = {
  ...{ id: '0b9d7c52-7a43-4c5c-8f6d-53d7b9f4e1aa', name: 'orders', status: 'ACTIVE' },
  ...{ datastore: { type: 'sqlite', version: '3.50' }, volume: { size: 1, used: 0.16 } },
  ...{ created: '2026-11-20T09:12:30', firn: { client_id: 'node-1', problem: null } },
}
const ledger = {
  ...orders,
  ...{ id: '1c8e6b41-6932-4b4b-9e5c-42c6a8e3d099', name: 'ledger', status: 'SHUTDOWN' },
  ...{ volume: { size: 1, used: null }, firn: { client_id: 'node-2', problem: 'it is locked' } },
}

it('lists databases, with the node of each and what is wrong', async () => {
  server.json('GET /v1.0/p1/instances', { instances: [orders, ledger] })
  const { code, stdout, stderr } = await call('instance ls')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout.split('\n')).toEqual([
    'NAME    CLIENT  DATASTORE    STATUS       SIZE  PROBLEM',
    'orders  node-1  sqlite 3.50  ACTIVE    0.16 GB  -',
    'ledger  node-2  sqlite 3.50  SHUTDOWN        -  it is locked',
    '',
  ])
  expect((await call('instance ls -o wide')).stdout).toContain('2026-11-20T09:12:30Z')
  expect((await call('instance ls -o name')).stdout).toBe(`${orders.id}\n${ledger.id}\n`)
})

it('goes from page to page', async () => {
  const links = [{ rel: 'next', href: 'https://elsewhere/v1.0/p1/instances?limit=1&marker=abc' }]
  server.json('GET /v1.0/p1/instances', { instances: [orders], links })
  const { stdout, stderr } = await call('instance ls --limit 2 -o name')
  expect(stdout).toBe(`${orders.id}\n${orders.id}\n`)
  expect(server.seen.at(-1)?.path).toBe('/v1.0/p1/instances?limit=1&marker=abc')
  expect(stderr).toContain('there are more')
})

it('tells what Trove’s API says is wrong', async () => {
  const fault = { overLimit: { code: 413, message: 'more than 5 requests a second with this token' } }
  server.json('GET /v1.0/p1/instances', fault, 413)
  expect((await call('instance ls')).stderr).toContain('more than 5 requests a second')
})
