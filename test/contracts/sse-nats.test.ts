// GET /v1/events over HTTP and a real nats-server: what a program misses that reconnects, to whichever server.
import { describe, expect, it, onTestFinished } from 'vitest'
import { connect } from 'nats'
import { serveHttp } from '../../api/serve.ts'
import { openFeed } from '../../controller/nats/feed.ts'
import { systemClock as clock } from '../../core/clock-system.ts'
import { projectId } from '../../core/ids.ts'
import { authenticatorOf, parseCredentials } from '../../proto/nats/credentials.ts'
import { streams } from '../../proto/subjects.ts'
import { startApi, type Loose } from '../api/harness.ts'
import { eventually } from '../support/eventually.ts'
import { startOperatorNats, type OperatorNats } from '../support/nats-operator.ts'
import { silentLog as log } from '../support/silent-log.ts'
import { finished } from './feed-values.ts'

async function natsOf(): Promise<OperatorNats> {
  const nats = await startOperatorNats()
  onTestFinished(() => nats[Symbol.asyncDispose]())
  return nats
}

/** A server's side of the feed, and the API over it. */
async function serverOver({ server, operator }: OperatorNats) {
  await using stack = new AsyncDisposableStack()
  const feed = await openFeed({
    ...{ servers: [server.url], credentials: operator.serverCredentials(), clock, log },
    handle: async () => {},
    atOnce: 1,
  })
  stack.use(feed.feed)
  await eventually(() => feed.feed.healthy())
  const api = await startApi({ events: feed.source })
  const { url } = stack.use(await serveHttp(api.deps, { port: 0, host: '127.0.0.1' }))
  const open = stack.move()
  onTestFinished(() => open[Symbol.asyncDispose]())
  return {
    url,
    token: await api.token('viewer'),
    events: feed.events,
    stop: () => open[Symbol.asyncDispose](),
  }
}

type Server = Awaited<ReturnType<typeof serverOver>>

interface Told {
  readonly id: string
  readonly event: string
  readonly data: Loose
}

/** Follows until `enough`, as a browser does: with the last id that it has. */
async function read(server: Server, lastId: string | undefined, enough: (told: Told[]) => boolean) {
  const gone = new AbortController()
  const response = await fetch(`${server.url}/v1/events`, {
    headers: {
      'x-auth-token': server.token,
      accept: 'text/event-stream',
      ...(lastId === undefined ? {} : { 'last-event-id': lastId }),
    },
    signal: AbortSignal.any([gone.signal, AbortSignal.timeout(20_000)]),
  })
  expect(response.status).toBe(200)
  const told: Told[] = []
  let open = ''
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const parts = (open + chunk).split('\n\n')
    open = parts.pop() ?? ''
    for (const part of parts) {
      const [, id, event, data] = /^id: (\d+)\nevent: (\S+)\ndata: (.+)$/.exec(part) ?? []
      if (id !== undefined && event !== undefined) told.push({ id, event, data: JSON.parse(data ?? '') })
    }
    if (enough(told)) break
  }
  gone.abort()
  return told
}

const numbers = (told: readonly Told[]): number[] => told.map(({ data }) => data.n)

describe('a program that follows the events', () => {
  it('misses none and gets none twice over reconnects, restarts of the server and of nats-server', async () => {
    const nats = await natsOf()
    let server = await serverOver(nats)
    let said = 0
    const say = (count: number) => {
      for (let n = 0; n < count; n++) server.events.announce(finished(++said))
      server.events.announce(finished(-1, projectId('other')))
    }
    say(40)
    const told: Told[] = []
    /** Goes on until it has this one; more may have come along. */
    const readTo = async (n: number) => {
      const lastId = told.at(-1)?.id ?? '0'
      if ((told.at(-1)?.data.n ?? 0) < n)
        told.push(...(await read(server, lastId, (all) => all.at(-1)?.data.n >= n)))
    }
    await readTo(25)
    say(20)
    await readTo(50)
    await server.stop()
    server = await serverOver(nats)
    say(15)
    await readTo(65)
    await readTo(75)
    await nats.server.restart()
    await server.stop()
    server = await serverOver(nats)
    say(5)
    await readTo(said)
    expect(numbers(told)).toEqual(Array.from({ length: said }, (_, n) => n + 1))
    expect(told.map(({ id }) => Number(id))).toEqual(
      told.map(({ id }) => Number(id)).toSorted((a, b) => a - b),
    )
  })

  it('is told first when events that it has not seen are no longer kept', async () => {
    const nats = await natsOf()
    const server = await serverOver(nats)
    for (let n = 1; n <= 10; n++) server.events.announce(finished(n))
    const [first] = await read(server, '0', (all) => all.length >= 10)
    const authenticator = authenticatorOf(parseCredentials(nats.operator.serverCredentials()))
    const connection = await connect({
      ...{ servers: nats.server.url, authenticator, inboxPrefix: '_INBOX_SERVER' },
    })
    onTestFinished(() => connection.close())
    const manager = await connection.jetstreamManager()
    // As age and size do: the first that is kept is the eighth.
    await manager.streams.purge(streams.events.name, { seq: Number(first?.id) + 7 })
    const told = await read(server, first?.id, (all) => all.length >= 4)
    expect(told.map(({ event }) => event)).toEqual(['gap', ...Array<string>(3).fill('run.finished')])
    expect(told[0]?.data).toMatchObject({
      ...{ type: 'gap', project: 'p1', after: Number(first?.id), first: Number(told[1]?.id) },
    })
    expect(numbers(told.slice(1))).toEqual([8, 9, 10])
    // Its id leads on without another word.
    const again = await read(server, told[0]?.id, (all) => all.length >= 3)
    expect(numbers(again)).toEqual([8, 9, 10])
  })
})
