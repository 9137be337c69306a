import { rm } from 'node:fs/promises'
import path from 'node:path'
import { paint, wantsColour, type Paint } from '../../cli/render/colour.ts'
import { onAncestorGone } from './ancestors.ts'
import { readArguments, type UpOptions } from './arguments.ts'
import { Problem } from './problem.ts'
import { replaceFile } from './replace.ts'
import { Reviver } from './revive.ts'
import { stopOnSignals } from './signals.ts'
import { startStack, type Stack } from './stack.ts'
import { restartOnChange } from './watch.ts'

/**
 * `firn up`: brings the stack up and leaves it running until SIGINT, SIGTERM or SIGHUP, then stops it in order; a second
 * signal ends everything at once. Resolves with the exit code: 0 after an orderly end, 1 when it could not start or go on,
 * 2 for a command line that is none.
 */
export async function main(args: string[]): Promise<number> {
  let options: UpOptions
  try {
    options = readArguments(args)
  } catch (error) {
    process.stderr.write(`firn up: ${(error as Error).message}\n`)
    return 2
  }
  const style = paint(wantsColour(process.stdout, process.env))
  const say = (text: string): void => void process.stdout.write(`${style.dim('·')} ${text}\n`)
  const stop = new AbortController()
  using _signals = stopOnSignals(stop, () => {
    say('ending everything at once')
    process.exit(1)
  })
  using _ancestors = onAncestorGone(() => process.exit(1)) // the watchdog does the rest
  try {
    await run(options, stop, say, style)
    return 0
  } catch (error) {
    if (stop.signal.aborted && !(stop.signal.reason instanceof Problem)) return 0
    tell(error, style)
    return 1
  }
}

async function run(
  options: UpOptions,
  stop: AbortController,
  say: (text: string) => void,
  style: Paint,
): Promise<void> {
  const { signal } = stop
  const reviver = new Reviver({
    ...{ signal, say },
    revived: () => void (stack && tellReady(options, stack).catch(() => {})),
    giveUp: (problem) => stop.abort(problem),
  })
  let stack: Stack | undefined
  try {
    stack = await startStack({
      ...{ signal, say, dataDir: options.data, restPort: options.port, servers: options.servers },
      agents: Array.from({ length: options.agents }, (_, index) => ({
        ...(options.allowExec ? { commands: 'any' as const } : {}),
        database: index === 0,
      })),
      crashed: (crash) => {
        // Before all is ready, a crash is a failed start.
        if (stack && !signal.aborted) void reviver.revive(crash)
        else if (!stack) stop.abort(new Problem(`${crash.process.name} has ended (${crash.how})`, crash.tail))
      },
    })
    await tellReady(options, stack)
    const up = stack
    process.stdout.write(`${welcome(up, options, style).join('\n')}\n`)
    using _watch = options.watch ? restartOnChange(up, say, () => tellReady(options, up)) : undefined
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  } finally {
    for (const file of readyFiles(options)) await rm(file, { force: true })
    await stack?.stop(say)
    if (signal.aborted) say('everything is stopped')
  }
  if (signal.reason instanceof Problem) throw signal.reason
}

/** The caller's, and one where the command line can be pointed to. */
const readyFiles = ({ data, readyFile }: UpOptions): string[] => [
  path.join(data, 'ready.json'),
  ...(readyFile === undefined ? [] : [readyFile]),
]

/** Holds the administrator's token, so only its owner may read it. */
async function tellReady(options: UpOptions, stack: Stack): Promise<void> {
  const facts = {
    url: stack.url,
    urls: stack.urls,
    token: stack.token,
    project_id: stack.project,
    clients: stack.clients,
    etcd: stack.etcd.endpoints[0],
    etcd_tls: { ca: stack.etcd.ca, certificate: stack.etcd.certificate, key: stack.etcd.key },
    nats: stack.nats,
    data: options.data,
    pids: { launcher: process.pid, ...stack.pids() },
  }
  for (const file of readyFiles(options)) {
    await replaceFile(file, `${JSON.stringify(facts, undefined, 2)}\n`)
  }
}

const docs = path.join(import.meta.dirname, '../../docs')

function welcome(stack: Stack, { data }: UpOptions, { bold, good, dim }: Paint): string[] {
  const action = { freezer_action: { path_to_backup: docs } }
  const job = JSON.stringify({ client_id: stack.clients[0] ?? 'node-1', job_actions: [action] })
  return [
    '',
    `${good('✓')} ${bold('Firn is up')}`,
    '',
    `  REST     ${bold(stack.url)}`,
    `  token    ${stack.token}`,
    `  clients  ${stack.clients.join(', ') || 'none'}`,
    ...(stack.clients[0] === undefined ? [] : [`  database orders, on ${stack.clients[0]}`]),
    `  data     ${data}`,
    '',
    'Try in another terminal, in this folder:',
    '',
    `  export FIRN_READY_FILE=${quoted(path.join(data, 'ready.json'))}`,
    '',
    `  npx firn client ls`,
    `  JOB=$(echo ${quoted(job)} | npx firn job create -o name -f -)`,
    `  npx firn job run $JOB --wait`,
    '',
    dim('Ctrl-C stops everything; the data stays.'),
  ]
}

const quoted = (text: string): string =>
  /^[\w/.:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`

function tell(error: unknown, { bad, dim }: Paint): void {
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`${bad('firn up:')} ${message}\n`)
  if (error instanceof Problem) for (const line of error.tail) process.stderr.write(`${dim(`  ${line}`)}\n`)
}
