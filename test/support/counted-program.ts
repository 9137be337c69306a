// What a job of a fault test runs. It writes down, on disk and by itself, that it began and that it ended, so that
// "nothing ran twice" needs nobody's word but its own.
//
//   counted-program.ts FILE [--until GATE] [--child same|own] [--fails-first] [--only-start PID]
//
// --until GATE      works until the file GATE exists
// --child GROUP     leaves a child of its own working: in the `same` process group, or in its `own` session
// --fails-first     ends at once with exit code 1 when it is a first attempt
// --only-start PID  writes the start of PID, which goes on as another program, and ends
import { spawn } from 'node:child_process'
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    until: { type: 'string' },
    child: { type: 'string' },
    'fails-first': { type: 'boolean', default: false },
    'only-start': { type: 'string' },
  },
})
const [file = ''] = positionals
const [run, attempt] = (process.env['FIRN_ATTEMPT'] ?? '. ').split('.')

/** `RUN ATTEMPT WHAT NANOSECONDS PID START-TIME`, on the medium before anything else happens. */
function write(what: string, pid: number): void {
  const line = `${run} ${attempt} ${what} ${process.hrtime.bigint()} ${pid} ${startTime(pid)}\n`
  const fd = openSync(file, 'a', 0o666)
  writeSync(fd, line)
  fsyncSync(fd)
  closeSync(fd)
}

/** In clock ticks since boot: with the pid it names one process. Empty when there is none; a zombie is none. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? '' : (fields[19] ?? '')
  } catch {
    return ''
  }
}

function isStillAtWork(): boolean {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  return lines
    .map((line) => line.split(' '))
    .some(([ofRun, , , , pid, began]) => ofRun === run && began !== '' && startTime(Number(pid)) === began)
}

const only = values['only-start'] === undefined ? undefined : Number(values['only-start'])
const self = only ?? process.pid
// Whatever an earlier attempt of this run has started must be gone.
if (isStillAtWork()) write('overlap', self)
write('start', self)
if (only === undefined) {
  if (values.child !== undefined) {
    const child = spawn('sleep', ['600'], { stdio: 'ignore', detached: values.child === 'own' })
    write('child', child.pid ?? 0)
    child.unref()
  }
  const { until } = values
  const fails = values['fails-first'] && attempt === '1'
  while (!fails && until !== undefined && !existsSync(until)) await sleep(25)
  write('end', self)
  if (fails) process.exitCode = 1
}
