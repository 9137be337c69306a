import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'
import { startEtcd, startNats } from './servers.ts'

it.each([
  ['etcd', startEtcd],
  ['nats-server', startNats],
])(
  '%s starts on a free port, comes back on the same one after a crash, and leaves nothing behind',
  async (_, start) => {
    let dir: string
    {
      await using server = await start()
      const first = server.pid
      dir = server.dir
      await server.restart()
      expect(server.pid).not.toBe(first)
      expect(server.url).toContain(`127.0.0.1:${server.port}`)
    }
    expect(existsSync(dir)).toBe(false)
  },
)

it('says what the server said when it does not start', async () => {
  await expect(startEtcd({ args: ['--no-such-flag'] })).rejects.toThrow('no-such-flag')
})
