import { describe, expect, it, onTestFinished } from 'vitest'
import type { Publisher } from '../../agent/ports/publisher.ts'
import type {
  Delivery,
  EventSink,
  EventSource,
  FollowedEvent,
  ReportFeed,
  ReportHandler,
} from '../../controller/ports/feed.ts'
import { isFault } from '../../core/fault.ts'
import { clientId, projectId, runId, type ClientId } from '../../core/ids.ts'
import type { Progress } from '../../core/link.ts'
import { eventually } from '../support/eventually.ts'
import { client, finished, job, project, reportOf } from './feed-values.ts'

/** A broker with nothing in it, and what the contract does to it. */
export interface Broker extends AsyncDisposable {
  server(
    handle: ReportHandler,
    atOnce: number,
  ): Promise<{ readonly feed: ReportFeed; readonly events: EventSink; readonly source: EventSource }>
  publisher(client: ClientId): Promise<Publisher>
  stop(): Promise<void>
  resume(): Promise<void>
}

/** What every feed does: results from agents to servers, events and logs to whoever follows. */
export function feedContract(name: string, start: () => Promise<Broker>): void {
  async function brokerOf(): Promise<Broker> {
    const broker = await start()
    onTestFinished(() => broker[Symbol.asyncDispose]())
    return broker
  }

  async function serverOf(broker: Broker, handle: ReportHandler = async () => {}, atOnce = 8) {
    const server = await broker.server(handle, atOnce)
    onTestFinished(() => server.feed[Symbol.asyncDispose]())
    await eventually(() => server.feed.healthy())
    return server
  }

  async function publisherOf(broker: Broker, of: ClientId = client) {
    const publisher = await broker.publisher(of)
    onTestFinished(() => publisher[Symbol.asyncDispose]())
    await eventually(() => publisher.connected())
    return publisher
  }

  /** Publishes as the agent does: again until it is stored. */
  const publishSurely = (publisher: Publisher, n: number) =>
    eventually(
      async () => {
        await publisher.publish(job, reportOf(n))
        return true
      },
      { withinMs: 30_000, everyMs: 100 },
    )

  /** Collects what is followed, until the test is over. */
  function collect<T>(items: (signal: AbortSignal) => AsyncIterable<T>): T[] {
    const collected: T[] = []
    const stop = new AbortController()
    const done = (async () => {
      for await (const item of items(stop.signal)) collected.push(item)
    })()
    onTestFinished(async () => {
      stop.abort()
      await done
    })
    return collected
  }

  describe(`reports, ${name}`, () => {
    it('come as they were published, with the client whose subject it was', async () => {
      const broker = await brokerOf()
      const taken: Delivery[] = []
      await serverOf(broker, async (delivery) => void taken.push(delivery))
      const publisher = await publisherOf(broker)
      await publisher.publish(job, reportOf(1))
      await eventually(() => taken.length === 1)
      expect(taken).toEqual([{ project, client, report: reportOf(1), delivered: 1 }])
    })

    it('each go to one of the servers, and not more at once than it takes', async () => {
      const broker = await brokerOf()
      const taken: string[] = []
      let underWay = 0
      let most = 0
      const handle = async ({ report }: Delivery) => {
        most = Math.max(most, ++underWay)
        await new Promise((next) => setImmediate(next))
        underWay--
        taken.push(report.run)
      }
      await serverOf(broker, handle, 4)
      await serverOf(broker, handle, 4)
      const publisher = await publisherOf(broker)
      const runs = Array.from({ length: 300 }, (_, n) => reportOf(n))
      await Promise.all(runs.map((report) => publisher.publish(job, report)))
      await eventually(() => taken.length >= runs.length)
      expect(taken.toSorted()).toEqual(runs.map(({ run }) => run as string).toSorted())
      expect(most).toBeLessThanOrEqual(8)
    })

    it('wait for a server that comes later', async () => {
      const broker = await brokerOf()
      const first = await serverOf(broker)
      await first.feed[Symbol.asyncDispose]()
      const publisher = await publisherOf(broker)
      await publisher.publish(job, reportOf(1))
      const taken: Delivery[] = []
      await serverOf(broker, async (delivery) => void taken.push(delivery))
      await eventually(() => taken.length === 1)
    })

    it('come again, counted, when handling fails, and hold up no others', async () => {
      const broker = await brokerOf()
      const taken: string[] = []
      await serverOf(broker, async ({ report, delivered }) => {
        taken.push(`${report.run} ${delivered}`)
        if (report.run === runId('run-1') && delivered < 3) throw new Error('not now')
      })
      const publisher = await publisherOf(broker)
      await publisher.publish(job, reportOf(1))
      await publisher.publish(job, reportOf(2))
      await eventually(() => taken.includes('run-1 3'))
      expect(taken.toSorted()).toEqual(['run-1 1', 'run-1 2', 'run-1 3', 'run-2 1'])
      expect(taken.indexOf('run-2 1')).toBeLessThan(taken.indexOf('run-1 2'))
    })

    it('are stored once however often they are published', async () => {
      const broker = await brokerOf()
      const taken: string[] = []
      await serverOf(broker, async ({ report }) => void taken.push(report.run))
      const publisher = await publisherOf(broker)
      for (let i = 0; i < 3; i++) await publisher.publish(job, reportOf(1))
      await publisher.publish(job, reportOf(2))
      await eventually(() => taken.includes('run-2'))
      expect(taken).toEqual(['run-1', 'run-2'])
    })

    it('that speak for another client are dropped', async () => {
      const broker = await brokerOf()
      const taken: string[] = []
      await serverOf(broker, async ({ report }) => void taken.push(report.run))
      const publisher = await publisherOf(broker)
      await publisher.publish(job, reportOf(1, clientId('other')))
      await publisher.publish(job, reportOf(2))
      await eventually(() => taken.includes('run-2'))
      expect(taken).toEqual(['run-2'])
    })

    it('can be published again, and are handled, after the broker was away', async () => {
      const broker = await brokerOf()
      const taken: string[] = []
      const { feed } = await serverOf(broker, async ({ report }) => void taken.push(report.run))
      const publisher = await publisherOf(broker)
      await publisher.publish(job, reportOf(1))
      await broker.stop()
      await eventually(() => !feed.healthy() && !publisher.connected())
      await expect(publisher.publish(job, reportOf(2))).rejects.toSatisfy((it) =>
        isFault(it, 'feed_down', 'timeout'),
      )
      await broker.resume()
      await publishSurely(publisher, 2)
      await eventually(() => feed.healthy() && taken.includes('run-2'))
      // A broker that was killed may have forgotten that the first one was handled.
      expect(new Set(taken)).toEqual(new Set(['run-1', 'run-2']))
    })
  })

  describe(`events, ${name}`, () => {
    it('are followed from a sequence on, in order, of one project', async () => {
      const broker = await brokerOf()
      const { events, source } = await serverOf(broker)
      for (let n = 1; n <= 5; n++) {
        events.announce(finished(n))
        events.announce(finished(n, projectId('other')))
      }
      const all = collect<FollowedEvent>((signal) =>
        source.follow(project, { after: 0, progress: false, signal }),
      )
      await eventually(() => all.length === 5)
      expect(all.map(({ data }) => data['n'])).toEqual([1, 2, 3, 4, 5])
      expect(all[0]).toEqual({
        subject: 'firn.p1.run.web%2Eexample%2Eorg.nightly.finished',
        project,
        sequence: expect.any(Number),
        data: {
          type: 'run.finished',
          at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
          ...{ project, client, job, run: 'run-1', result: 'success', n: 1 },
        },
      })
      const after = all[2]?.sequence ?? 0
      const rest = collect<FollowedEvent>((signal) =>
        source.follow(project, { after, progress: false, signal }),
      )
      await eventually(() => rest.length === 2)
      expect(rest).toEqual(all.slice(3))
    })

    it('come with progress when asked, which has no sequence', async () => {
      const broker = await brokerOf()
      const { events, source } = await serverOf(broker)
      const progress: Progress = {
        run: runId('run-1'),
        attempt: 1,
        step: 0,
        phase: 'transfer',
        done: 7,
        total: 9,
        bytesPerSecond: 2,
        errors: 0,
      }
      const plain = collect<FollowedEvent>((signal) =>
        source.follow(project, { after: 0, progress: false, signal }),
      )
      const all = collect<FollowedEvent>((signal) =>
        source.follow(project, { after: 0, progress: true, signal }),
      )
      await eventually(() => {
        events.progress(project, client, job, progress)
        return all.length > 0
      })
      events.announce(finished(1))
      await eventually(() => plain.length > 0 && all.some(({ sequence }) => sequence !== undefined))
      expect(plain.map(({ data }) => data['type'])).toEqual(['run.finished'])
      expect(all[0]).toEqual({
        subject: 'firn.p1.run.web%2Eexample%2Eorg.nightly.progress',
        project,
        data: {
          type: 'run.progress',
          at: expect.any(String),
          ...{ project, client, job, run: 'run-1', attempt: 1, step: 0, phase: 'transfer' },
          ...{ done: 7, total: 9, bytes_per_second: 2, errors: 0 },
        },
      })
    })

    it('are told of sets and clients too', async () => {
      const broker = await brokerOf()
      const { events, source } = await serverOf(broker)
      events.announce({ type: 'set.started', project, set: 's-1.7', data: { members: 3 } })
      events.announce({ type: 'client.online', project, client, data: {} })
      const all = collect<FollowedEvent>((signal) =>
        source.follow(project, { after: 0, progress: false, signal }),
      )
      await eventually(() => all.length === 2)
      expect(all.map(({ subject }) => subject)).toEqual([
        'firn.p1.set.s-1.started',
        'firn.p1.client.web%2Eexample%2Eorg.online',
      ])
      expect(all[0]?.data).toMatchObject({ set: 's-1.7', members: 3 })
    })

    it('are all told, after a word on that, to who asks behind one that there never was', async () => {
      const broker = await brokerOf()
      const { events, source } = await serverOf(broker)
      events.announce(finished(1))
      const stored = collect<FollowedEvent>((signal) =>
        source.follow(project, { after: 0, progress: false, signal }),
      )
      await eventually(() => stored.length === 1)
      const all = collect<FollowedEvent>((signal) =>
        source.follow(project, { after: 99, progress: false, signal }),
      )
      await eventually(() => all.length === 2)
      expect(all).toEqual([
        {
          ...{ subject: '', project, sequence: 0 },
          data: { type: 'gap', at: expect.any(String), project, after: 99, first: 1 },
        },
        ...stored,
      ])
    })

    it('are missed by no follower while the broker is away and back', async () => {
      const broker = await brokerOf()
      const { feed, events, source } = await serverOf(broker)
      events.announce(finished(0))
      const all = collect<FollowedEvent>((signal) =>
        source.follow(project, { after: 0, progress: false, signal }),
      )
      await eventually(() => all.length === 1)
      for (let n = 1; n <= 50; n++) events.announce(finished(n))
      await eventually(() => all.length > 40)
      await broker.stop()
      await eventually(() => !feed.healthy())
      await broker.resume()
      await eventually(() => feed.healthy())
      for (let n = 51; n <= 60; n++) events.announce(finished(n))
      await eventually(() => all.at(-1)?.data['n'] === 60)
      expect(all.map(({ data }) => data['n'])).toEqual(Array.from({ length: 61 }, (_, n) => n))
    })

    it('are dropped, without a word to the caller, while the broker is away; who wants to follow is told', async () => {
      const broker = await brokerOf()
      const { feed, events, source } = await serverOf(broker)
      await broker.stop()
      await eventually(() => !feed.healthy())
      events.announce(finished(1))
      const { signal } = new AbortController()
      const follow = source.follow(project, { progress: false, signal })[Symbol.asyncIterator]()
      await expect(follow.next()).rejects.toSatisfy((it) => isFault(it, 'feed_down'))
      await broker.resume()
    })

    it('end for a follower that gives up', async () => {
      const broker = await brokerOf()
      const { source } = await serverOf(broker)
      const stop = new AbortController()
      const next = source
        .follow(project, { progress: true, signal: stop.signal })
        [Symbol.asyncIterator]()
        .next()
      stop.abort()
      expect(await next).toEqual({ done: true, value: undefined })
    })
  })

  describe(`logs, ${name}`, () => {
    const line = (text: string) => ({ level: 'info', stream: 'stdout', text }) as const
    const run = runId('run-1')

    it('are read oldest first and to their end, of one run', async () => {
      const broker = await brokerOf()
      const { source } = await serverOf(broker)
      const publisher = await publisherOf(broker)
      const { signal } = new AbortController()
      const stored = () => Array.fromAsync(source.logs(project, client, job, run, { follow: false, signal }))
      expect(await stored()).toEqual([])
      for (let n = 0; n < 40; n++) publisher.log(job, run, 1, line(`line ${n}`))
      publisher.log(job, runId('run-2'), 1, line('of another run'))
      await eventually(async () => (await stored()).length === 40)
      expect(await stored()).toEqual(
        Array.from({ length: 40 }, (_, n) => ({ at: expect.any(Number), ...line(`line ${n}`) })),
      )
    })

    it('are followed as they come', async () => {
      const broker = await brokerOf()
      const { source } = await serverOf(broker)
      const publisher = await publisherOf(broker)
      publisher.log(job, run, 1, line('first'))
      const lines = collect((signal) => source.logs(project, client, job, run, { follow: true, signal }))
      await eventually(() => lines.length === 1)
      publisher.log(job, run, 2, line('second'))
      await eventually(() => lines.length === 2)
      expect(lines.map(({ text }) => text)).toEqual(['first', 'second'])
    })
  })
}
