// What holds of the feed over a real nats-server beyond the contract: crashes, outages, garbage and renewals.
import { readFile } from 'node:fs/promises'
import { connect, headers } from 'nats'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { openPublisher, type NatsPublisher } from '../../agent/nats/publisher.ts'
import { openFeed } from '../../controller/nats/feed.ts'
import type { Delivery, ReportHandler } from '../../controller/ports/feed.ts'
import { instant, later } from '../../core/clock.ts'
import { systemClock as clock } from '../../core/clock-system.ts'
import { isFault } from '../../core/fault.ts'
import { clientId, runId, type ClientId } from '../../core/ids.ts'
import { authenticatorOf, parseCredentials } from '../../proto/nats/credentials.ts'
import { agentSubjects, streams, subjectOf } from '../../proto/subjects.ts'
import { reportToJson } from '../../proto/wire.ts'
import { eventually } from '../support/eventually.ts'
import { startOperatorNats, type OperatorNats } from '../support/nats-operator.ts'
import { silentLog as log } from '../support/silent-log.ts'
import { client, job, project, reportOf } from './feed-values.ts'

let nats: OperatorNats
beforeEach(async () => {
  nats = await startOperatorNats()
})
afterEach(() => nats[Symbol.asyncDispose]())

const hour = 3_600_000

async function feedOf(handle: ReportHandler, atOnce = 64) {
  const { server, operator } = nats
  const credentials = operator.serverCredentials()
  const opened = await openFeed({ servers: [server.url], credentials, clock, log, handle, atOnce })
  onTestFinished(() => opened.feed[Symbol.asyncDispose]())
  return opened
}

function publisherOf(of: ClientId = client, expiresAt = later(clock.now(), hour)): NatsPublisher {
  const credentials = nats.operator.agentCredentials(project, of, expiresAt)
  const publisher = openPublisher({
    servers: [nats.server.url],
    project,
    client: of,
    credentials,
    clock,
    log,
  })
  onTestFinished(() => publisher[Symbol.asyncDispose]())
  return publisher
}

/** A bare connection with a server's credentials. */
async function bareConnection() {
  const authenticator = authenticatorOf(parseCredentials(nats.operator.serverCredentials()))
  const connection = await connect({ servers: nats.server.url, authenticator, inboxPrefix: '_INBOX_SERVER' })
  onTestFinished(() => connection.close())
  return connection
}

/** How many messages the stream of results holds. */
async function storedReports(): Promise<number> {
  const manager = await (await bareConnection()).jetstreamManager()
  return (await manager.streams.info(streams.results.name)).state.messages
}

const resultSubject = subjectOf({ about: 'run', project, client, job, event: 'result' })

/** Publishes as the agent does: the same report again until it is stored. Faults only, within a bound. */
async function publishSurely(publisher: NatsPublisher, n: number): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    try {
      return await publisher.publish(job, reportOf(n))
    } catch (error) {
      if (!isFault(error, 'feed_down', 'timeout')) throw error
      await wait(50)
    }
  }
  throw new Error(`report ${n} was never stored`)
}

describe('results', () => {
  it('survive kill -9 of nats-server while they are published: all handled, none stored twice', async () => {
    const taken: Delivery[] = []
    await feedOf(async (delivery) => void taken.push(delivery))
    const publisher = publisherOf()
    const count = 600
    let published = 0
    const publishing = (async () => {
      for (let n = 0; n < count; n += 10) {
        await Promise.all(Array.from({ length: 10 }, (_, i) => publishSurely(publisher, n + i)))
        published += 10
      }
    })()
    for (const at of [150, 350]) {
      await eventually(() => published >= at, { withinMs: 30_000, everyMs: 1 })
      await nats.server.restart()
    }
    await publishing
    await eventually(() => new Set(taken.map(({ report }) => report.run)).size === count, {
      withinMs: 45_000,
    })
    // A crash can make nats-server forget that a message was handled: it comes again. But it is one message still.
    expect(await storedReports()).toBe(count)
  })

  it('are stored with the same id, and handled, when NATS is back after five seconds', async () => {
    const taken: string[] = []
    const { feed } = await feedOf(async ({ report }) => void taken.push(report.run))
    const publisher = publisherOf()
    await publishSurely(publisher, 1)
    await eventually(() => taken.length === 1)
    await nats.server.kill()
    const waiting = publishSurely(publisher, 2)
    await wait(5_000)
    expect(feed.healthy()).toBe(false)
    await nats.server.restart()
    await waiting
    await publishSurely(publisher, 2)
    await publishSurely(publisher, 1)
    await publishSurely(publisher, 3)
    await eventually(() => taken.includes('run-2') && taken.includes('run-3'))
    expect(await storedReports()).toBe(3)
  })

  it('come to a server that started before NATS', async () => {
    await nats.server.kill()
    const taken: string[] = []
    const { feed } = await feedOf(async ({ report }) => void taken.push(report.run))
    const publisher = publisherOf()
    expect(feed.healthy()).toBe(false)
    await expect(publisher.publish(job, reportOf(1))).rejects.toSatisfy((it) => isFault(it, 'feed_down'))
    await nats.server.restart()
    await eventually(() => feed.healthy())
    await publishSurely(publisher, 1)
    await eventually(() => taken.length === 1)
  })

  it('time out when nats-server hangs, and go through once it goes on', async () => {
    const { feed } = await feedOf(async () => {})
    const publisher = publisherOf()
    await eventually(() => feed.healthy() && publisher.connected())
    nats.server.signal('SIGSTOP')
    // The signal takes a moment to reach all of its threads.
    await eventually(async () => / T /.test(await readFile(`/proc/${nats.server.pid}/stat`, 'utf8')))
    await expect(publisher.publish(job, reportOf(1))).rejects.toSatisfy((it) => isFault(it, 'timeout'))
    nats.server.signal('SIGCONT')
    await publishSurely(publisher, 1)
  })

  it('are stored although another client has published under the name of their run', async () => {
    const taken: string[] = []
    const { feed } = await feedOf(async ({ report }) => void taken.push(report.run))
    await eventually(() => feed.healthy())
    const thief = headers()
    const { run, attempt } = reportOf(1)
    thief.set('Nats-Msg-Id', `${run}.${attempt}`)
    const subject = subjectOf({ about: 'run', project, client: clientId('thief'), job, event: 'result' })
    ;(await bareConnection()).publish(subject, 'nothing', { headers: thief })
    await eventually(async () => (await storedReports()) === 1)
    await publishSurely(publisherOf(), 1)
    await eventually(() => taken.length === 1)
  })

  it('that nobody can read are dropped for good, and good ones go on', async () => {
    const taken: string[] = []
    const { counts } = await feedOf(async ({ report }) => void taken.push(report.run))
    const connection = await bareConnection()
    const jetStream = connection.jetstream()
    await eventually(async () => (await jetStream.publish(resultSubject, reportToJson(reportOf(1)))).seq > 0)
    const garbage = ['', '{', '[]', 'null', '{"runId":7}', '\u0000\uffff', 'x'.repeat(500_000)]
    for (const text of garbage) await jetStream.publish(resultSubject, text)
    // Nothing that subjects.ts writes: a lower-case escape, and a client that is none.
    await jetStream.publish('firn.p1.run.web%2eexample.nightly.result', reportToJson(reportOf(7)))
    await jetStream.publish('firn.p1.run.-.nightly.result', reportToJson(reportOf(8)))
    await jetStream.publish(resultSubject, reportToJson(reportOf(2)))
    await eventually(() => taken.length === 2)
    expect(taken).toEqual(['run-1', 'run-2'])
    expect(counts()).toMatchObject({ handled: 2, failed: 0, poison: garbage.length + 2 })
    const manager = await connection.jetstreamManager()
    await eventually(async () => {
      const info = await manager.consumers.info(streams.results.name, 'firn-servers')
      return info.num_ack_pending === 0 && info.num_pending === 0
    })
  })

  it('are taken by another server when one goes away in the middle', async () => {
    const taken: string[] = []
    const stuck = Promise.withResolvers<void>()
    const first = await feedOf(() => stuck.promise, 1)
    const publisher = publisherOf()
    await eventually(() => first.feed.healthy())
    for (let n = 0; n < 5; n++) await publishSurely(publisher, n)
    const leaving = first.feed[Symbol.asyncDispose]()
    await feedOf(async ({ report }) => void taken.push(report.run))
    stuck.resolve()
    await leaving
    // The one that was being handled was acknowledged; the ones behind it were given back.
    await eventually(() => taken.length === 4)
    expect(taken.toSorted()).toEqual(['run-1', 'run-2', 'run-3', 'run-4'])
  })

  it('with more item errors than a message holds come without them, but counted', async () => {
    const taken: Delivery[] = []
    const { feed } = await feedOf(async (delivery) => void taken.push(delivery))
    await eventually(() => feed.healthy())
    const report = reportOf(1)
    const itemErrors = Array.from({ length: 1_000 }, () => ({ message: 'x'.repeat(2_000) }))
    const steps = report.steps.map((step) => ({ ...step, itemErrors, itemErrorCount: 1_000 }))
    const publisher = publisherOf()
    await eventually(() => publisher.connected())
    await publisher.publish(job, { ...report, steps })
    await eventually(() => taken.length === 1)
    expect(taken[0]?.report.steps[0]).toMatchObject({ itemErrors: [], itemErrorCount: 1_000 })
  })
})

describe('an agent', () => {
  it('is cut off when its credentials expire, and goes on with renewed ones', async () => {
    const { feed } = await feedOf(async () => {})
    await eventually(() => feed.healthy())
    const publisher = publisherOf(client, later(clock.now(), 2_500))
    await publishSurely(publisher, 1)
    await eventually(() => !publisher.connected())
    publisher.useCredentials(nats.operator.agentCredentials(project, client, later(clock.now(), hour)))
    await publishSurely(publisher, 2)
  })

  it('loses nothing under way when its credentials are renewed, and keeps the old ones over unreadable ones', async () => {
    const { feed } = await feedOf(async () => {})
    const publisher = publisherOf()
    await eventually(() => feed.healthy() && publisher.connected())
    const published: Promise<void>[] = []
    for (let n = 0; n < 200; n++) {
      published.push(publisher.publish(job, reportOf(n)))
      if (n % 50 === 10)
        publisher.useCredentials(nats.operator.agentCredentials(project, client, later(clock.now(), hour)))
      if (n % 10 === 0) await new Promise((next) => setImmediate(next))
    }
    expect(() => publisher.useCredentials('no credentials')).toThrow('not NATS credentials')
    await Promise.all(published)
    await publisher.publish(job, reportOf(999))
  })

  it('shares a process with 249 others', async () => {
    const taken = new Set<string>()
    const { feed } = await feedOf(
      async (delivery) => void taken.add(`${delivery.client} ${delivery.report.run}`),
    )
    await eventually(() => feed.healthy())
    const clients = Array.from({ length: 250 }, (_, n) => clientId(`node-${n}`))
    await Promise.all(
      clients.map(async (of) => {
        const publisher = publisherOf(of)
        await eventually(() => publisher.connected(), { withinMs: 30_000 })
        await publisher.publish(job, { ...reportOf(1, of), run: runId(`run-of-${of}`) })
      }),
    )
    await eventually(() => taken.size === clients.length)
  })
})

describe('nats-server refuses', () => {
  async function connectedWith(credentials: string) {
    const connection = await connect({
      servers: nats.server.url,
      authenticator: authenticatorOf(parseCredentials(credentials)),
      inboxPrefix: '_INBOX_AGENT.p1.web%2Eexample%2Eorg',
      reconnect: false,
    })
    onTestFinished(() => connection.close())
    const refused: string[] = []
    void (async () => {
      for await (const status of connection.status())
        if (status.type === 'error') refused.push(JSON.stringify(status.permissionContext ?? status.data))
    })()
    return { connection, refused }
  }

  /** What nats-server says to it, after a round trip. */
  async function answerTo(
    credentials: string,
    act: 'publish' | 'subscribe',
    subject: string,
  ): Promise<string[]> {
    const { connection, refused } = await connectedWith(credentials)
    if (act === 'publish') connection.publish(subject, '{}')
    else connection.subscribe(subject, { callback: () => {} })
    await connection.flush()
    await connection.flush()
    return refused
  }

  const agent = () => nats.operator.agentCredentials(project, client, later(clock.now(), hour))
  const operator = () => nats.operator.operatorCredentials(project, later(clock.now(), hour))

  it.each([
    ['publish', resultSubject],
    ['publish', 'firn.p1.run.web%2Eexample%2Eorg.nightly.log.run-1'],
    ['subscribe', '_INBOX_AGENT.p1.web%2Eexample%2Eorg.x'],
  ] as const)('an agent nothing of its own: %s %s', async (act, subject) => {
    expect(await answerTo(agent(), act, subject)).toEqual([])
  })

  it.each([
    ['publish', 'firn.p1.run.other.nightly.result'],
    ['publish', 'firn.p2.run.web%2Eexample%2Eorg.nightly.result'],
    ['publish', 'firn.p1.run.web%2Eexample%2Eorg.nightly.finished'],
    ['publish', 'firn-events.p1.run.web%2Eexample%2Eorg.nightly.finished'],
    ['publish', 'firn.p1.set.s.started'],
    ['publish', '$JS.API.STREAM.LIST'],
    ['publish', '$JS.API.STREAM.DELETE.FIRN_RESULTS'],
    ['publish', '$JS.API.CONSUMER.MSG.NEXT.FIRN_RESULTS.firn-servers'],
    ['publish', '$JS.ACK.FIRN_RESULTS.firn-servers.1.1.1.1.1'],
    ['publish', '_INBOX_SERVER.x'],
    ['publish', '$SYS.REQ.SERVER.PING'],
    ['subscribe', '>'],
    ['subscribe', 'firn.>'],
    ['subscribe', 'firn.p1.>'],
    ['subscribe', resultSubject],
    ['subscribe', '_INBOX.>'],
    ['subscribe', '_INBOX_SERVER.>'],
    ['subscribe', '_INBOX_AGENT.>'],
    ['subscribe', '_INBOX_AGENT.p1.other.>'],
    ['subscribe', '$JS.EVENT.>'],
  ] as const)('an agent: %s %s', async (act, subject) => {
    expect(await answerTo(agent(), act, subject)).toEqual([expect.stringContaining(subject)])
  })

  it('an operator of a project everything but listening to that project', async () => {
    expect(await answerTo(operator(), 'subscribe', 'firn.p1.>')).toEqual([])
    expect(await answerTo(operator(), 'subscribe', 'firn.p1.run.*.*.progress')).toEqual([])
    for (const subject of ['firn.p2.>', 'firn.>', '>', 'firn-events.p1.>', '_INBOX_SERVER.>'])
      expect(await answerTo(operator(), 'subscribe', subject)).toEqual([expect.stringContaining(subject)])
    for (const subject of [resultSubject, 'firn.p1.set.s.started', '$JS.API.INFO'])
      expect(await answerTo(operator(), 'publish', subject)).toEqual([expect.stringContaining(subject)])
  })

  it('whoever has no credentials, expired ones, or altered ones', async () => {
    await expect(connect({ servers: nats.server.url, reconnect: false })).rejects.toThrow(/Authorization/)
    const expired = nats.operator.agentCredentials(project, client, later(clock.now(), -5_000))
    await expect(connectedWith(expired)).rejects.toThrow(/Authorization/)
    const { jwt, key } = parseCredentials(agent())
    const [head, body = '', signature] = jwt.split('.')
    const claims = Buffer.from(body, 'base64url').toString()
    const wider = claims.replace(JSON.stringify(agentSubjects(project, client)), '["firn.>"]')
    expect(wider).not.toBe(claims)
    const forged = [head, Buffer.from(wider).toString('base64url'), signature].join('.')
    await expect(
      connect({
        servers: nats.server.url,
        reconnect: false,
        authenticator: authenticatorOf({ jwt: forged, key }),
      }),
    ).rejects.toThrow(/Authorization/)
  })

  it('a user whose own key another one signs for', async () => {
    const mine = parseCredentials(agent())
    const other = parseCredentials(
      nats.operator.agentCredentials(project, clientId('other'), instant(clock.now() + hour)),
    )
    const authenticator = authenticatorOf({ jwt: other.jwt, key: mine.key })
    await expect(connect({ servers: nats.server.url, reconnect: false, authenticator })).rejects.toThrow(
      /Authorization/,
    )
  })
})

describe('progress that one server has heard of', () => {
  it('is heard by the others, and garbage on its subject is not', async () => {
    const heard: unknown[] = []
    const { server, operator } = nats
    const other = await openFeed({
      ...{ servers: [server.url], credentials: operator.serverCredentials(), clock, log, atOnce: 1 },
      handle: async () => {},
      progress: (of, progress) => heard.push([of, progress]),
    })
    onTestFinished(() => other.feed[Symbol.asyncDispose]())
    const one = await feedOf(async () => {})
    await eventually(() => one.feed.healthy() && other.feed.healthy())
    const progress = {
      ...{ run: runId('r1'), attempt: 1, step: 0, phase: 'transfer' as const, done: 5, total: 10, errors: 0 },
      ...{ current: '/etc/hosts', fraction: 0.5 },
    }
    const bare = await bareConnection()
    await eventually(() => {
      bare.publish(subjectOf({ about: 'run', project, client, job, event: 'progress' }), '{"run": 1}')
      one.events.progress(project, client, job, progress)
      return heard.length > 0
    })
    expect(heard[0]).toEqual([project, progress])
  })
})
