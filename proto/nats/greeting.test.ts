import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { greets } from './greeting.ts'

async function listening(greet: (socket: Socket) => void): Promise<number> {
  const server = createServer(greet).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

it('hears a server that greets, however its address is written', async () => {
  const port = await listening((socket) => socket.end('INFO {}\r\n'))
  expect(await greets(`nats://127.0.0.1:${port}`, 5_000)).toBe(true)
  expect(await greets(`127.0.0.1:${port}`, 5_000)).toBe(true)
})

it('gives up on one that is silent, and leaves no socket behind', async () => {
  const ended = Promise.withResolvers<void>()
  const port = await listening((socket) => socket.resume().once('close', () => ended.resolve()))
  expect(await greets(`nats://127.0.0.1:${port}`, 50)).toBe(false)
  await ended.promise
})

it('hears nothing where nobody listens, the peer hangs up, or there is no such address', async () => {
  const port = await listening((socket) => socket.destroy())
  expect(await greets(`127.0.0.1:${port}`, 5_000)).toBe(false)
  expect(await greets('127.0.0.1:1', 5_000)).toBe(false)
  expect(await greets('nats://not an address', 5_000)).toBe(false)
})
