import { startEtcd } from '../../test/support/servers.ts'
import { Connection } from '../../controller/etcd/connection.ts'
import { alternate, compared, type Benchmark, type BenchmarkOptions, type Findings } from './figures.ts'
import { startHttpLoad, wrongAnswers } from './http-load.ts'
import { startRawLoad } from './raw-load.ts'
import { countOf, startRig } from './rig.ts'
import { jobDocument, storeNodes } from './seed.ts'

const levels = [1, 16, 64] as const
/** Only with many requests in flight is there something to group. */
const expectations: Partial<Record<(typeof levels)[number], { atLeast: number }>> = { 64: { atLeast: 0.8 } }
/** More transactions than etcd does in a second, on any machine that this was run on. */
const rawPerSecondMax = 6_000

/** Creating jobs over HTTP, against the same etcd transactions sent raw. */
export const postJobs: Benchmark = {
  name: 'post-jobs',
  about: 'POST /v1/jobs (token checked) against the same transactions sent raw, one request each',
  run,
}

async function run({ quick, say }: BenchmarkOptions): Promise<Findings> {
  const rounds = quick ? 3 : 7
  const ms = quick ? 400 : 1_000
  await using rig = await startRig()
  await storeNodes(rig.connection)
  // An etcd of its own, so that the server does not follow what is written raw; it is at rest while the other is measured.
  await using rawEtcd = await startEtcd()
  using rawConnection = new Connection({ endpoints: [rawEtcd.url] })
  await storeNodes(rawConnection)
  await using server = await rig.startServer()
  await using http = startHttpLoad()
  await using raw = startRawLoad()
  await raw.ask('open', { url: rawEtcd.url })
  const requests = Array.from({ length: 1_000 }, (_, n) => ({
    ...({ method: 'POST', path: '/v1/jobs', body: jobDocument(n) } as const),
  }))
  await http.ask('target', {
    name: 'jobs',
    target: { url: server.url, token: rig.token, requests, status: 201 },
  })

  const wrong: string[] = []
  let created = 0
  let rawCreated = 0
  const post = async (inFlight: number): Promise<number> => {
    const loaded = await http.ask('load', { name: 'jobs', inFlight, ms })
    wrong.push(...wrongAnswers('POST /v1/jobs', loaded))
    created += loaded.count
    return loaded.perSecond
  }
  const commit = async (inFlight: number): Promise<number> => {
    await raw.ask('prepareJobs', { count: Math.ceil((rawPerSecondMax * ms) / 1_000) })
    const loaded = await raw.ask('load', { inFlight, ms })
    if (loaded.wrong > 0) wrong.push(`raw transactions: ${loaded.wrong} failed`)
    rawCreated += loaded.count
    return loaded.perSecond
  }

  say('warming up')
  await alternate(2, { ours: () => post(16), limit: () => commit(16) })
  const figures = []
  for (const inFlight of levels) {
    say(`${inFlight} in flight`)
    const measured = await alternate(rounds, { ours: () => post(inFlight), limit: () => commit(inFlight) })
    const expected = expectations[inFlight]
    figures.push({
      id: `post-job-${inFlight}`,
      what: `POST job, ${inFlight} in flight`,
      unit: 'per s',
      ...compared(measured.ours, measured.limit),
      ...(expected ? { expected } : {}),
    })
  }
  const [stored, rawStored] = [await countOf(rig.connection, 'job'), await countOf(rawConnection, 'job')]
  if (stored !== created) wrong.push(`${created} jobs were acknowledged, ${stored} are stored`)
  if (rawStored !== rawCreated)
    wrong.push(`${rawCreated} raw jobs were acknowledged, ${rawStored} are stored`)
  return { figures, wrong }
}
