// A process that starts a job over and over, one start at a time, and compares when it asked with when the command ran.
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../../test/support/eventually.ts'
import { serveParent, startChild, type Child } from './child.ts'

/** A job whose command appends the time, in nanoseconds since 1970, as a line to `file`. */
export interface TimedJob {
  readonly id: string
  readonly file: string
}

/** The same command whoever starts it. Its time is the machine's real-time clock, as the process reads it. */
export const timedCommand = (file: string): string[] => ['/bin/sh', '-c', `date +%s%N >>${file}`]

interface RunDocument {
  readonly run_id: string
  readonly state: string
  readonly result: string | null
}

/** Between two starts, so that each meets an idle system. Milliseconds. */
const restMs = 30

/** The real-time clock in milliseconds with fractions, which Date.now does not have. */
const wallMs = (): number => performance.timeOrigin + performance.now()

function makeHandlers() {
  let url = ''
  let token = ''
  const ask = async (method: string, path: string, body?: object, key?: string): Promise<unknown> => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...{ 'x-auth-token': token, 'content-type': 'application/json' },
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return response.json()
  }
  const post = async (job: string, key: string): Promise<string> => {
    const { runs } = (await ask('POST', '/v1/runs', { job_id: job }, key)) as { runs: RunDocument[] }
    return runs[0]?.run_id ?? 'none'
  }
  const finished = (run: string): Promise<RunDocument> =>
    eventually(async () => {
      const document = (await ask('GET', `/v1/runs/${run}`)) as RunDocument
      return document.state === 'finished' && document
    })

  return {
    open(server: { url: string; token: string }): void {
      ;({ url, token } = server)
    },
    /** Starts the jobs in turn. Milliseconds from just before each request was sent to its command. */
    async starts({ jobs, count }: { jobs: readonly TimedJob[]; count: number }) {
      const wrong: string[] = []
      const took: number[] = []
      for (let n = 0; n < count; n++) {
        const job = jobs[n % jobs.length] as TimedJob
        const before = (await linesOf(job.file)).length
        const key = randomUUID()
        const sent = wallMs()
        const run = await post(job.id, key)
        const { result } = await finished(run)
        if (result !== 'success') wrong.push(`run ${run} ended ${String(result)}`)
        // The same key is the same start: the answer is the same run, and the command does not run again.
        if ((await post(job.id, key)) !== run) wrong.push(`a repeated request made another run than ${run}`)
        await sleep(restMs)
        const lines = await linesOf(job.file)
        if (lines.length !== before + 1)
          wrong.push(`the command of run ${run} ran ${lines.length - before} times`)
        took.push(Number(lines.at(-1)) / 1e6 - sent)
      }
      return { took, wrong }
    },
    /** The same command started by Node directly. */
    async spawns({ file, count }: { file: string; count: number }): Promise<number[]> {
      const took: number[] = []
      const [program = '', ...args] = timedCommand(file)
      for (let n = 0; n < count; n++) {
        const sent = wallMs()
        await once(spawn(program, args, { stdio: 'ignore' }), 'exit')
        took.push(Number((await linesOf(file)).at(-1)) / 1e6 - sent)
        await sleep(restMs)
      }
      return took
    },
  }
}

const linesOf = async (file: string): Promise<string[]> =>
  (await readFile(file, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '')

export type StartLoad = ReturnType<typeof makeHandlers>

export const startStartLoad = (): Child<StartLoad> => startChild<StartLoad>(import.meta.filename)

if (import.meta.main) serveParent(makeHandlers())
