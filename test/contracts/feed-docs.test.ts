// docs/events.md says what is: its program runs, its streams are the real ones.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { connect, millis } from 'nats'
import { expect, it, onTestFinished } from 'vitest'
import { openFeed } from '../../controller/nats/feed.ts'
import { later } from '../../core/clock.ts'
import { systemClock as clock } from '../../core/clock-system.ts'
import { projectId } from '../../core/ids.ts'
import { authenticatorOf, parseCredentials } from '../../proto/nats/credentials.ts'
import { eventually } from '../support/eventually.ts'
import { startOperatorNats } from '../support/nats-operator.ts'
import { silentLog as log } from '../support/silent-log.ts'
import { tempDir } from '../support/temp.ts'
import { finished, project } from './feed-values.ts'

const root = path.join(import.meta.dirname, '../..')
const page = await readFile(path.join(root, 'docs/events.md'), 'utf8')

async function startFeed() {
  const nats = await startOperatorNats()
  const { server, operator } = nats
  const credentials = operator.serverCredentials()
  const opened = await openFeed({
    ...{ servers: [server.url], credentials, clock, log },
    handle: async () => {},
    atOnce: 1,
  })
  onTestFinished(async () => {
    await opened.feed[Symbol.asyncDispose]()
    await nats[Symbol.asyncDispose]()
  })
  await eventually(() => opened.feed.healthy())
  return { ...opened, ...nats }
}

it('has a program that follows a project, and only that one', async () => {
  const { events, server, operator } = await startFeed()
  await using dir = await tempDir('follow')
  const program = /```js\n([\s\S]+?)```/.exec(page)?.[1] ?? ''
  await mkdir(dir.join('bin'))
  await symlink(path.join(root, 'node_modules'), dir.join('node_modules'))
  await writeFile(dir.join('bin/follow.mjs'), program)
  const credentials = operator.operatorCredentials(project, later(clock.now(), 3_600_000))
  await writeFile(dir.join('operator.creds'), credentials, { mode: 0o600 })

  const args = [dir.join('bin/follow.mjs'), server.url, dir.join('operator.creds'), project]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  createInterface(child.stdout).on('line', (line) => lines.push(line))
  await eventually(
    () => {
      events.announce(finished(1, projectId('other')))
      events.announce(finished(2))
      return lines.length > 0
    },
    { everyMs: 100, withinMs: 20_000 },
  )
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
  const [sequence, subject, ...rest] = lines[0]?.split(' ') ?? []
  expect(Number(sequence)).toBeGreaterThan(0)
  expect(subject).toBe('firn.p1.run.web%2Eexample%2Eorg.nightly.finished')
  expect(JSON.parse(rest.join(' '))).toMatchObject({ type: 'run.finished', run: 'run-2', result: 'success' })
  expect(lines.every((line) => line.includes('firn.p1.'))).toBe(true)
})

it('tells the streams as they are', async () => {
  const { server, operator } = await startFeed()
  const authenticator = authenticatorOf(parseCredentials(operator.serverCredentials()))
  const connection = await connect({ servers: server.url, authenticator, inboxPrefix: '_INBOX_SERVER' })
  onTestFinished(() => connection.close())
  const manager = await connection.jetstreamManager()
  const real: string[] = []
  for await (const { config } of manager.streams.list()) {
    const days = millis(config.max_age) / 24 / 3_600_000
    real.push(`${config.name} ${config.subjects.join(' ')} ${days} days ${config.max_bytes / 2 ** 20} MiB`)
  }
  const told = [...page.matchAll(/^\| `(FIRN_\w+)` \| `(\S+)` \| (\d+ days) \| (\d+ MiB) \|/gm)]
  expect(told.map(([, ...cells]) => cells.join(' ')).toSorted()).toEqual(real.toSorted())
})
