import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { encode } from '../../controller/state/codec.ts'
import type { Write } from '../../controller/ports/backend.ts'
import type { Backup } from '../../core/catalogue.ts'
import { systemClock } from '../../core/clock-system.ts'
import { later } from '../../core/clock.ts'
import { backupId, jobId, repositoryId, runId, userId } from '../../core/ids.ts'
import type { Benchmark, BenchmarkOptions, Figure, Findings } from './figures.ts'
import { startHttpLoad, wrongAnswers } from './http-load.ts'
import { atRest } from './proc.ts'
import { recorder } from './recorded.ts'
import { project, startRig, type Rig } from './rig.ts'
import { enrolledNodes, nodeName, storeAll, storeNodes } from './seed.ts'

const mib = 2 ** 20

/** A server over a large store: what it takes to start, to remember and to list. */
export const large: Benchmark = {
  name: 'large',
  about: 'one server with 100,000 jobs and 1,000,000 entries in the catalogue: start, memory, pages',
  run,
}

async function run({ quick, say }: BenchmarkOptions): Promise<Findings> {
  const [jobs, entries] = quick ? [10_000, 100_000] : [100_000, 1_000_000]
  await using rig = await startRig()
  await storeNodes(rig.connection)
  say(`storing ${jobs} jobs`)
  const transactions = await (await recorder(rig.connection))(jobs)
  await storeAll(
    rig.connection,
    transactions.flatMap(({ writes }) => writes),
  )
  say(`storing ${entries} entries`)
  await storeCatalogue(rig, entries)
  say('starting a server over it')
  const from = performance.now()
  await using server = await rig.startServer()
  const startMs = performance.now() - from
  const [resident, heap] = [await peakOf(server.pid), await heapOf(server.url, rig.token)]
  const rest = await atRest(server.pid, quick ? 2_000 : 10_000)
  await using http = startHttpLoad()
  const wrong: string[] = []
  const figures: Figure[] = [
    figure(
      'start',
      `start of a server with ${jobs} jobs and ${entries} catalogue entries`,
      's',
      startMs / 1_000,
    ),
    figure('memory', 'its memory (resident) at rest', 'MiB', rest.memoryMiB),
    figure('memory-peak', 'its memory (resident) at most, while starting', 'MiB', resident),
    figure('heap', 'its JavaScript heap in use', 'MiB', heap / mib),
    figure('cpu', 'its CPU at rest', '% of a core', rest.cpuPercent),
  ]
  for (const { name, what, path, count } of listsOf(jobs, entries)) {
    say(`pages of ${name}`)
    // Any page: the first, the last and those between, far apart.
    const requests = Array.from({ length: 101 }, (_, n) => ({
      ...{ method: 'GET' as const, path: path(Math.floor(((count - 100) * ((n * 37) % 101)) / 100)) },
    }))
    await http.ask('target', { name, target: { url: server.url, token: rig.token, requests, status: 200 } })
    const loaded = await http.ask('load', { name, inFlight: 1, ms: quick ? 500 : 3_000 })
    wrong.push(...wrongAnswers(name, loaded))
    figures.push(
      figure(`${name}-p50`, `${what}, p50`, 'ms', loaded.p50Ms),
      figure(`${name}-p99`, `${what}, p99`, 'ms', loaded.p99Ms),
    )
  }
  return { figures, wrong }
}

const figure = (id: string, what: string, unit: string, ours: number): Figure => ({
  id: `large-${id}`,
  ...{ what, unit, ours },
})

const listsOf = (jobs: number, entries: number) => [
  {
    name: 'jobs',
    what: 'a page of 100 jobs, anywhere in the list',
    path: (offset: number) => `/v2/${project}/jobs?limit=100&offset=${offset}`,
    count: jobs,
  },
  {
    name: 'backups',
    what: 'a page of 100 backups, anywhere in the list',
    path: (offset: number) => `/v2/${project}/backups?limit=100&offset=${offset}`,
    count: entries,
  },
]

/** The most memory that the process ever had. MiB. */
async function peakOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) / 1_024
}

async function heapOf(url: string, token: string): Promise<number> {
  const answer = await fetch(`${url}/metrics`, { headers: { 'x-auth-token': token } })
  return Number(/^nodejs_heap_used_bytes (\d+)$/m.exec(await answer.text())?.[1] ?? Number.NaN)
}

/** Made and stored in parts: a million of them together would take a gigabyte here as well. */
const partSize = 20_000

async function storeCatalogue({ connection }: Rig, count: number): Promise<void> {
  const began = systemClock.now()
  for (let from = 0; from < count; from += partSize) {
    const part = Array.from({ length: Math.min(partSize, count - from) }, (_, n) => entry(from + n, began))
    await storeAll(connection, part)
  }
}

const hex = (bytes: number): string => randomBytes(bytes).toString('hex')
const idOf = (text: string): string => createHash('md5').update(text).digest('hex')

/** The catalogue entry of a node's nightly backup, with everything that restic tells. */
function entry(n: number, began: ReturnType<typeof systemClock.now>): Write {
  const client = nodeName(n % enrolledNodes)
  const startedAt = later(began, n)
  const value: Backup = {
    ...{ id: backupId(hex(16)), project, user: userId('admin'), run: runId(hex(16)), step: 0, client },
    job: jobId(idOf(`job ${client}`)),
    repository: repositoryId(idOf(`repository ${client}`)),
    ...{ backupName: 'mail', engine: 'restic', engineRef: hex(32), engineVersion: '0.14.0' },
    ...{ paths: ['/var/spool/mail'], level: n % 15, parent: backupId(hex(16)), result: 'success' as const },
    ...{ startedAt, endedAt: later(startedAt, 42_000), itemErrorCount: 0 },
    stats: {
      ...{ filesNew: n % 50, filesChanged: n % 900, filesUnmodified: 120_000, durationMs: 41_234 },
      ...{ bytesProcessed: 1e9 + n, bytesAdded: 1e6 + n, bytesStored: 4e5 + n },
    },
  }
  return { kind: 'backup', project, id: value.id, text: encode('backup', value) }
}
