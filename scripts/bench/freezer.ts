import { Connection } from '../../controller/etcd/connection.ts'
import type { JsonObject } from '../../core/action.ts'
import type { Write } from '../../controller/ports/backend.ts'
import { startEtcd } from '../../test/support/servers.ts'
import {
  alternate,
  compared,
  median,
  type Benchmark,
  type BenchmarkOptions,
  type Figure,
  type Findings,
} from './figures.ts'
import { startBareHttp } from './bare-http.ts'
import { startHttpLoad, wrongAnswers, type HttpLoad, type Request } from './http-load.ts'
import { startRawLoad } from './raw-load.ts'
import { recorder } from './recorded.ts'
import { project, startRig, type Rig, type ServerChild } from './rig.ts'
import { enrolledNodes, jobDocument, nodeName, storeAll, storeNodes } from './seed.ts'
import type { Child } from './child.ts'

const stored = [10_000, 100_000] as const
const levels = [16, 64] as const
/** A client's scheduler polls with one request at a time; some happen to poll at once. */
const pollers = [1, 16] as const

/** Requests a second of the system that Firn replaces, four worker processes of it on such a machine. */
const replaced = { one: 730, list: 669, post: 232, patch: 685 } as const
/** How many times those, at least. */
const times = { one: 10, list: 10, post: 10, patch: 4 } as const
/** More transactions than etcd does in a second, on any machine that this was run on. */
const rawPerSecondMax = 8_000

/** Freezer's API as its clients use it: polls of schedulers, reads and writes, with tokens, beside raw etcd and a trivial route. */
export const freezer: Benchmark = {
  name: 'freezer',
  about: `polls, reads and writes of Freezer's API v2 with ${stored.join(' and ')} jobs stored, against raw transactions and a trivial route`,
  run,
}

interface Bench {
  readonly rig: Rig
  readonly http: Child<HttpLoad>
  readonly bareUrl: string
  readonly rounds: number
  readonly ms: number
  readonly wrong: string[]
  readonly say: (text: string) => void
}

async function run({ quick, say }: BenchmarkOptions): Promise<Findings> {
  await using rig = await startRig()
  await using bare = startBareHttp()
  await using http = startHttpLoad()
  const bareUrl = await bare.ask('listen', undefined)
  await storeNodes(rig.connection)
  const record = await recorder(rig.connection, pollableJob)
  const bench: Bench = { rig, http, bareUrl, rounds: quick ? 3 : 7, ms: quick ? 400 : 1_000, wrong: [], say }
  const figures: Figure[] = []
  const ids: string[] = []
  for (const count of stored) {
    say(`storing ${count} jobs`)
    const writes = (await record(count - ids.length)).flatMap((transaction) => transaction.writes)
    await storeAll(rig.connection, writes)
    ids.push(...writes.filter(({ kind }) => kind === 'job').map(({ id }) => id))
    await using server = await rig.startServer()
    figures.push(...(await polls(bench, server, count)))
    if (count !== stored[0]) continue
    figures.push(...(await reads(bench, server, ids)), ...(await writesOf(bench, server, ids)))
  }
  return { figures, wrong: bench.wrong }
}

/**
 * Half of the clients have an agent, half are polled for by a scheduler of their own. Of those, nine jobs in ten are over, as
 * after some years of one-shot jobs.
 */
function pollableJob(n: number): JsonObject {
  const document = jobDocument(n)
  const client = n % enrolledNodes
  if (client % 2 === 0) return document
  return {
    ...document,
    client_id: `old-${client}`,
    job_schedule: {
      ...document.job_schedule,
      ...(Math.floor(n / enrolledNodes) % 10 === 0 ? {} : { status: 'completed', result: 'success' }),
    },
  }
}

const base = `/v2/${project}`

async function target(
  { rig, http }: Bench,
  server: ServerChild,
  name: string,
  requests: readonly Request[],
  status = 200,
): Promise<void> {
  await http.ask('target', { name, target: { url: server.url, token: rig.token, requests, status } })
}

/** Keeps the times of requests beside how many there were. */
function measured({ http, ms, wrong }: Bench, name: string, inFlight: number, p99s: number[] = []) {
  return async (): Promise<number> => {
    const loaded = await http.ask('load', { name, inFlight, ms })
    wrong.push(...wrongAnswers(name, loaded))
    p99s.push(loaded.p99Ms)
    return loaded.perSecond
  }
}

async function polls(bench: Bench, server: ServerChild, count: number): Promise<Figure[]> {
  const clients = Array.from({ length: enrolledNodes }, (_, n) => (n % 2 === 0 ? nodeName(n) : `old-${n}`))
  const body = (client: string) => ({ match_not: [{ status: 'completed' }], match: [{ client_id: client }] })
  await target(
    bench,
    server,
    'poll',
    clients.map((client) => ({
      method: 'GET',
      path: `${base}/jobs/?limit=10&offset=0`,
      body: body(client),
    })),
  )
  const figures: Figure[] = []
  for (const inFlight of pollers) {
    bench.say(`${count} jobs: polls, ${inFlight} in flight`)
    const p99s: number[] = []
    const poll = measured(bench, 'poll', inFlight, p99s)
    await poll()
    p99s.length = 0
    const { ours } = await alternate(bench.rounds, { ours: poll })
    const what = `poll of a scheduler with ${count} jobs stored, ${inFlight} in flight`
    figures.push(
      { id: `poll-${count}-${inFlight}`, what, unit: 'per s', ours: median(ours) },
      {
        ...{ id: `poll-p99-${count}-${inFlight}`, what: `${what}, p99`, unit: 'ms', ours: median(p99s) },
        expected: { atMost: 5 },
      },
    )
  }
  return figures
}

async function reads(bench: Bench, server: ServerChild, ids: readonly string[]): Promise<Figure[]> {
  const scattered = ids.map((_, n) => ids[(n * 7_919) % ids.length] ?? '')
  await bench.http.ask('target', {
    ...{
      name: 'bare',
      target: { url: bench.bareUrl, requests: [{ method: 'GET', path: '/' }], status: 200 },
    },
  })
  await target(
    bench,
    server,
    'one',
    scattered.map((id) => ({ method: 'GET', path: `${base}/jobs/${id}` })),
  )
  const pages = Array.from({ length: 100 }, (_, n) => `${base}/jobs/?limit=10&offset=${n * 97}`)
  await target(
    bench,
    server,
    'list',
    pages.map((path) => ({ method: 'GET', path })),
  )
  const figures: Figure[] = []
  for (const inFlight of levels) {
    bench.say(`reads, ${inFlight} in flight`)
    const p99s = { one: [] as number[], list: [] as number[] }
    const all = {
      bare: measured(bench, 'bare', inFlight),
      one: measured(bench, 'one', inFlight, p99s.one),
      list: measured(bench, 'list', inFlight, p99s.list),
    }
    const found = await alternate(bench.rounds, all)
    for (const name of ['one', 'list'] as const) {
      const what = `Freezer v2: GET ${name === 'one' ? 'one job' : 'a list of 10'}, ${inFlight} in flight`
      figures.push(...perSecond(name, what, inFlight, found[name], found.bare, p99s[name]))
    }
  }
  return figures
}

/** How many a second, beside the limit and against the system replaced, and the p99. */
function perSecond(
  name: keyof typeof replaced,
  what: string,
  inFlight: number,
  ours: readonly number[],
  limit: readonly number[],
  p99s: readonly number[],
): Figure[] {
  const least = replaced[name] * times[name]
  const { ratio, ...both } = compared(ours, limit)
  return [
    { id: `freezer-${name}-${inFlight}`, what, unit: 'per s', ...both, ratio },
    {
      ...{
        id: `freezer-${name}-${inFlight}-times`,
        unit: `× ${replaced[name]} per s`,
        what: `${what}, against the system replaced`,
      },
      ours: both.ours / replaced[name],
      expected: { atLeast: least / replaced[name] },
    },
    { id: `freezer-${name}-${inFlight}-p99`, what: `${what}, p99`, unit: 'ms', ours: median(p99s) },
  ]
}

/** POST and PATCH, each beside the same transactions sent raw to an etcd of its own, which holds as many jobs. */
async function writesOf(bench: Bench, server: ServerChild, ids: readonly string[]): Promise<Figure[]> {
  await using rawEtcd = await startEtcd()
  using rawConnection = new Connection({ endpoints: [rawEtcd.url] })
  await storeNodes(rawConnection)
  const record = await recorder(rawConnection)
  const documents = (await record(ids.length))
    .flatMap((transaction) => transaction.writes)
    .filter((write): write is Write & { text: string } => write.kind === 'job' && write.text !== undefined)
  await storeAll(rawConnection, documents)
  await using raw = startRawLoad()
  await raw.ask('open', { url: rawEtcd.url })
  const posts = Array.from({ length: 1_000 }, (_, n) => jobDocument(n))
  await target(
    bench,
    server,
    'post',
    posts.map((body) => ({ method: 'POST', path: `${base}/jobs/`, body })),
    201,
  )
  const patched = ids.slice(0, 5_000)
  await target(
    bench,
    server,
    'patch',
    patched.map((id, n) => ({
      method: 'PATCH',
      path: `${base}/jobs/${id}`,
      body: { description: `patch ${n}` },
    })),
  )
  const most = Math.ceil((rawPerSecondMax * bench.ms) / 1_000)
  const rawOf = (name: 'post' | 'patch', inFlight: number) => async (): Promise<number> => {
    if (name === 'post') await raw.ask('prepareJobs', { count: most })
    else await raw.ask('prepareUpdates', { groups: documents.slice(0, most).map((document) => [document]) })
    const loaded = await raw.ask('load', { inFlight, ms: bench.ms })
    if (loaded.wrong > 0) bench.wrong.push(`raw ${name}: ${loaded.wrong} failed`)
    return loaded.perSecond
  }
  // Waited for here: what it needs ends with this function.
  return await measuredWrites(bench, rawOf)
}

async function measuredWrites(
  bench: Bench,
  rawOf: (name: 'post' | 'patch', inFlight: number) => () => Promise<number>,
): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const inFlight of levels)
    for (const name of ['post', 'patch'] as const) {
      bench.say(`${name}, ${inFlight} in flight`)
      const p99s: number[] = []
      const found = await alternate(bench.rounds, {
        ours: measured(bench, name, inFlight, p99s),
        limit: rawOf(name, inFlight),
      })
      const what = `Freezer v2: ${name.toUpperCase()} job, ${inFlight} in flight`
      const [first, ...rest] = perSecond(name, what, inFlight, found.ours, found.limit, p99s)
      if (first) figures.push({ ...first, expected: { atLeast: 0.8 } }, ...rest)
    }
  return figures
}
