import { setTimeout as sleep } from 'node:timers/promises'
import { argument, type Command, type Invocation } from '../command.ts'
import { EXIT, Failure } from '../failure.ts'
import { path } from '../http.ts'
import { number, object, text } from '../json.ts'
import { LIST_OPTIONS, moreNote, nativeList } from '../lists.ts'
import { visible, visibleJson } from '../render/width.ts'
import { watchRuns } from '../runs.ts'
import { linesOf } from '../sse.ts'
import { runDetails, runsShown } from '../views/runs.ts'

const RUN = { name: 'RUN', help: 'its id' } as const
const RUNS = { name: 'RUN', help: 'their ids', repeats: true } as const
const example = '9b1f6c1f0c5e4c0e8a3b5f0d2c7e6a11'

const ls: Command = {
  name: 'run ls',
  summary: 'List runs, the newest first',
  args: [],
  options: [
    { name: 'job', value: 'JOB', help: 'only runs of this job' },
    { name: 'client', value: 'CLIENT', help: 'only runs on this node' },
    { name: 'session', value: 'SESSION', help: 'only runs of this session' },
    { name: 'tag', value: 'TAG', help: 'only runs of this start of the session' },
    { name: 'restore', value: 'ID', help: 'only runs of this restore' },
    { name: 'state', value: 'STATE', help: 'only runs in this state: waiting, running, unknown, finished …' },
    ...LIST_OPTIONS,
  ],
  examples: [
    ['firn run ls --limit 20', 'What ran last'],
    ['firn run ls --state running -o wide', 'What runs now, with all columns'],
  ],
  async run({ api, flags, out }) {
    const query = {
      job_id: flags.text('job'),
      client_id: flags.text('client'),
      session_id: flags.text('session'),
      tag: flags.whole('tag', 1),
      restore_id: flags.text('restore'),
      state: flags.text('state'),
    }
    const { rows, more } = await nativeList(api(), '/v1/runs', 'runs', flags, query)
    out.list(rows, runsShown(out), 'no runs')
    if (more) out.note(moreNote(rows.length))
    return EXIT.ok
  },
}

const get: Command = {
  name: 'run get',
  summary: 'Show one run and its steps',
  args: [RUN],
  options: [],
  examples: [[`firn run get ${example}`, 'What it did and how it ended']],
  async run(invocation) {
    const { api, out } = invocation
    const run = object(await api().get(path`/v1/runs/${argument(invocation, 'RUN')}`))
    out.one(
      run,
      (it) => text(it, 'run_id'),
      () => runDetails(run, out),
    )
    return EXIT.ok
  },
}

const watch: Command = {
  name: 'run watch',
  summary: 'Follow runs to their end; the exit code tells the worst result',
  args: [RUNS],
  options: [],
  examples: [[`firn run watch ${example}`, 'Its progress, then what it did']],
  run: (invocation) => watchRuns(invocation, [...new Set(invocation.args['RUN'])]),
}

const cancel: Command = {
  name: 'run cancel',
  summary: 'Cancel runs: what they do is stopped, and they end as aborted',
  args: [RUNS],
  options: [{ name: 'reason', value: 'TEXT', help: 'why; it is kept with the run' }],
  examples: [[`firn run cancel ${example} --reason "disk is needed"`, 'Stop it, and say why']],
  async run({ api, args, flags, out }) {
    const reason = flags.text('reason')
    for (const id of args['RUN'] ?? []) {
      const run = object(
        await api().post(path`/v1/runs/${id}/cancel`, reason === undefined ? {} : { reason }),
      )
      out.done(run, id, `run ${id}: ${text(run, 'result') || text(run, 'state')}`)
    }
    return EXIT.ok
  },
}

const logs: Command = {
  name: 'run logs',
  summary: 'Print the log of a run',
  args: [RUN],
  options: [{ name: 'follow', short: 'f', help: 'go on until the run has ended' }],
  examples: [
    [`firn run logs ${example}`, 'What it has logged so far'],
    [`firn run logs ${example} -f`, 'And what it will log'],
  ],
  async run(invocation) {
    const { io } = invocation
    const signal = AbortSignal.any([io.signal, io.closed])
    try {
      return await printLogs(invocation, argument(invocation, 'RUN'), signal)
    } catch (error) {
      // Whoever closes the output has seen enough.
      if (io.closed.aborted && !io.signal.aborted) return EXIT.ok
      throw error
    }
  },
}

/** The log comes whole each time it is asked for: after a broken connection the lines already printed are skipped. */
async function printLogs(invocation: Invocation, id: string, signal: AbortSignal): Promise<number> {
  const { api, flags, io, out } = invocation
  const follows = flags.has('follow')
  const query = follows ? { follow: true } : {}
  let printed = 0
  for (let failures = 0; ;) {
    let seen = 0
    try {
      const chunks = await api().stream(path`/v1/runs/${id}/logs`, query, { mayBeSilent: follows, signal })
      for await (const line of linesOf(chunks)) {
        if (line.trim() === '' || ++seen <= printed) continue
        out.line(lineShown(line, invocation))
        printed = seen
        failures = 0
      }
      if (!follows || (await hasEnded(invocation, id))) return EXIT.ok
    } catch (error) {
      signal.throwIfAborted()
      const isPassing = error instanceof Failure && error.exit === EXIT.unreachable
      if (!isPassing || !follows || failures >= 30) throw error
      if (failures === 0) out.note(`${error.message}; trying again`)
    }
    const pause = Math.min(io.pace.reconnectMaxMs, io.pace.reconnectMs * 2 ** Math.min(failures++, 10))
    await sleep(pause * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}

async function hasEnded({ api }: Invocation, id: string): Promise<boolean> {
  return text(await api().get(path`/v1/runs/${id}`), 'state') === 'finished'
}

function lineShown(line: string, { out }: Invocation): string {
  if (!out.isForPeople) return visibleJson(line)
  let entry: unknown
  try {
    entry = JSON.parse(line)
  } catch {
    return visible(line)
  }
  const level = text(entry, 'level')
  const ms = number(entry, 'at') ?? Date.parse(text(entry, 'at'))
  const time = Math.abs(ms) <= 8.64e15 ? `${new Date(ms).toISOString().slice(11, 23)} ` : ''
  const { bad, warn, dim } = out.paint
  const style = level === 'error' ? bad : level === 'warn' ? warn : (it: string) => it
  return `${dim(time)}${level === '' ? '' : `${style(visible(level).padEnd(5))} `}${visible(text(entry, 'text'))}`
}

export const runCommands: readonly Command[] = [ls, get, watch, logs, cancel]
