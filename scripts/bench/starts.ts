import { startStack, type Stack } from '../up/stack.ts'
import { tempDir } from '../../test/support/temp.ts'
import { median, quantile, type Benchmark, type BenchmarkOptions, type Findings } from './figures.ts'
import { startStartLoad, timedCommand, type TimedJob } from './start-load.ts'

const agents = 3

/** From asking for a run to its command running, on the whole stack. */
export const starts: Benchmark = {
  name: 'starts',
  about: `POST /v1/runs of a trivial exec job on ${agents} idle agents: from just before it is sent to the command, which writes the time itself`,
  run,
}

async function run({ quick, say }: BenchmarkOptions): Promise<Findings> {
  const count = quick ? 30 : 100
  const rounds = quick ? 2 : 3
  await using dir = await tempDir('bench')
  await using stack = await startStack({
    dataDir: dir.join('stack'),
    agents: Array.from({ length: agents }, () => ({ commands: ['/bin/sh'] })),
    say,
  })
  const jobs = await Promise.all(
    stack.clients.map((client) => makeJob(stack, client, dir.join(`${client}.times`))),
  )
  await using load = startStartLoad()
  await load.ask('open', { url: stack.url, token: stack.token })

  say('warming up')
  const wrong = [...(await load.ask('starts', { jobs, count: 2 * agents })).wrong]
  const ours: { p50: number[]; p99: number[] } = { p50: [], p99: [] }
  const bare: typeof ours = { p50: [], p99: [] }
  const note = (into: typeof ours, took: readonly number[]): void => {
    into.p50.push(quantile(took, 0.5))
    into.p99.push(quantile(took, 0.99))
  }
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round} of ${rounds}: ${count} starts`)
    const started = await load.ask('starts', { jobs, count })
    wrong.push(...started.wrong)
    note(ours, started.took)
    note(bare, await load.ask('spawns', { file: dir.join('bare.times'), count }))
  }
  const figure = (name: 'p50' | 'p99', atMost: number) => ({
    ...{ id: `start-${name}`, what: `POST run to command running, ${name} of ${count} (limit: spawn alone)` },
    ...{ unit: 'ms', ours: median(ours[name]), limit: median(bare[name]), expected: { atMost } },
  })
  return { figures: [figure('p50', 20), figure('p99', 100)], wrong }
}

async function makeJob(stack: Stack, client: string, file: string): Promise<TimedJob> {
  const response = await fetch(`${stack.url}/v1/jobs`, {
    method: 'POST',
    headers: { 'x-auth-token': stack.token, 'content-type': 'application/json' },
    body: JSON.stringify({
      client_id: client,
      job_actions: [{ freezer_action: { action: 'exec', command: timedCommand(file) } }],
      firn: { autostart: false },
    }),
  })
  if (response.status !== 201) throw new Error(`POST /v1/jobs: ${response.status} ${await response.text()}`)
  return { id: ((await response.json()) as { job_id: string }).job_id, file }
}
