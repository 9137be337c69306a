import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { instant, later } from '../../core/clock.ts'
import { clientId, projectId } from '../../core/ids.ts'
import { parseCredentials } from '../../proto/nats/credentials.ts'
import { openOperator } from './operator.ts'

const now = instant(1_800_000_000_000)
const clock = { now: () => now }
const project = projectId('p1')
const options = { port: 4222, storeDir: '/var/lib/js "x"' }

async function emptyDir(): Promise<string> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'firn-operator-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  return path.join(dir, 'nats')
}

const claimsOf = (credentials: string): unknown =>
  JSON.parse(Buffer.from(parseCredentials(credentials).jwt.split('.')[1] ?? '', 'base64url').toString())

it('makes its keys once, also when several servers start at the same time, readable by nobody else', async () => {
  const dir = await emptyDir()
  const operators = await Promise.all(Array.from({ length: 8 }, () => openOperator(dir, clock)))
  const configs = operators.map((operator) => operator.natsConfig(options))
  expect(new Set(configs).size).toBe(1)
  expect((await openOperator(dir, clock)).natsConfig(options)).toBe(configs[0])
  expect(await readdir(dir)).toEqual(['nats-operator.json'])
  expect((await stat(dir)).mode & 0o777).toBe(0o700)
  expect((await stat(path.join(dir, 'nats-operator.json'))).mode & 0o777).toBe(0o600)
})

it('puts no secret into nats-server’s configuration, and listens on loopback only', async () => {
  const config = (await openOperator(await emptyDir(), clock)).natsConfig({ ...options, monitorPort: 8222 })
  expect(config).not.toMatch(/"S[A-Z2-7]{57}"/)
  expect(config).toContain('listen: "127.0.0.1:4222"')
  expect(config).toContain('http: "127.0.0.1:8222"')
  expect(config).toContain('store_dir: "/var/lib/js \\"x\\""')
})

it('gives each user what it may do, and an end', async () => {
  const operator = await openOperator(await emptyDir(), clock)
  const expiresAt = later(now, 7 * 24 * 3_600_000)
  const agent = operator.agentCredentials(project, clientId('a.b'), expiresAt)
  expect(parseCredentials(agent).expiresAt).toBe(expiresAt)
  expect(claimsOf(agent)).toMatchObject({
    nats: {
      pub: { allow: ['firn.p1.run.a%2Eb.*.result', 'firn.p1.run.a%2Eb.*.log.*'] },
      sub: { allow: ['_INBOX_AGENT.p1.a%2Eb.>'] },
    },
  })
  expect(claimsOf(operator.operatorCredentials(project, expiresAt))).toMatchObject({
    nats: { pub: { deny: ['>'] }, sub: { allow: ['firn.p1.>'] } },
  })
  expect(operator.serverCredentials()).not.toBe(operator.serverCredentials())
})

it.each(['', '{', '{}', '{"operator":"SECRET"}', 'null'])(
  'says which file is unreadable, and nothing of what is in it: %s',
  async (text) => {
    const dir = await emptyDir()
    await openOperator(dir, clock)
    const file = path.join(dir, 'nats-operator.json')
    await writeFile(file, text)
    await expect(openOperator(dir, clock)).rejects.toThrow(`${file} is unreadable`)
  },
)
