import { Connection } from '../../controller/etcd/connection.ts'
import type { RawTransaction } from '../../controller/ports/backend.ts'
import { startBareHttp } from './bare-http.ts'
import { alternate, compared, type Benchmark, type BenchmarkOptions, type Findings } from './figures.ts'
import { startHttpLoad, wrongAnswers, type Request } from './http-load.ts'
import { recorder } from './recorded.ts'
import { startRig } from './rig.ts'
import { storeAll, storeNodes } from './seed.ts'

const jobs = 10_000
const inFlight = 16

/** Reading jobs over HTTP, against a route that answers a constant. */
export const reads: Benchmark = {
  name: 'reads',
  about: `GET one job and a list of 10 with ${jobs} jobs stored, against a trivial JSON route of the same HTTP server`,
  run,
}

async function run({ quick, say }: BenchmarkOptions): Promise<Findings> {
  const rounds = quick ? 3 : 9
  const ms = quick ? 400 : 1_000
  await using rig = await startRig()
  await storeNodes(rig.connection)
  const ids = await storeJobs(rig.etcd.url)
  await using server = await rig.startServer()
  await using bare = startBareHttp()
  const bareUrl = await bare.ask('listen', undefined)
  await using http = startHttpLoad()
  const get = (path: string): Request => ({ method: 'GET', path })
  const target = async (name: string, url: string, requests: readonly Request[]): Promise<void> =>
    http.ask('target', { name, target: { url, token: rig.token, requests, status: 200 } })
  // A step that has no divisor in common with their number: every job once, neighbours far apart.
  const scattered = ids.map((_, n) => ids[(n * 7_919) % ids.length] ?? '')
  await target('bare', bareUrl, [get('/')])
  await target(
    'one',
    server.url,
    scattered.map((id) => get(`/v1/jobs/${id}`)),
  )
  await target(
    'list',
    server.url,
    Array.from({ length: 100 }, (_, n) => get(`/v1/jobs?limit=10&offset=${n}`)),
  )

  const wrong: string[] = []
  const measure = async (name: string): Promise<number> => {
    const loaded = await http.ask('load', { name, inFlight, ms })
    wrong.push(...wrongAnswers(`GET ${name}`, loaded))
    return loaded.perSecond
  }
  const all = { bare: () => measure('bare'), one: () => measure('one'), list: () => measure('list') }
  say('warming up')
  await alternate(2, all)
  say(`${inFlight} in flight`)
  const measured = await alternate(rounds, all)
  return {
    figures: [
      {
        ...{ id: 'get-job', what: `GET one of ${jobs} jobs, ${inFlight} in flight`, unit: 'per s' },
        ...compared(measured.one, measured.bare),
        expected: { atLeast: 0.5 },
      },
      {
        ...{
          id: 'list-jobs',
          what: `GET a list of 10 of ${jobs} jobs, ${inFlight} in flight`,
          unit: 'per s',
        },
        ...compared(measured.list, measured.bare),
        expected: { atLeast: 0.25 },
      },
    ],
    wrong,
  }
}

/** Stores the jobs as `POST /v1/jobs` would, in larger transactions. Gives their ids. */
async function storeJobs(etcd: string): Promise<string[]> {
  using connection = new Connection({ endpoints: [etcd] })
  const transactions: RawTransaction[] = await (await recorder(connection))(jobs)
  const writes = transactions.flatMap((transaction) => transaction.writes)
  await storeAll(connection, writes)
  return writes.filter(({ kind }) => kind === 'job').map(({ id }) => id)
}
