import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { toolPath, type Tool } from '../tools.ts'
import { onAncestorGone } from '../up/ancestors.ts'
import { Problem } from '../up/problem.ts'
import { stopOnSignals } from '../up/signals.ts'
import { rehearse, type Played } from './play.ts'
import { backupTable, restoreTable } from './tables.ts'
import { Voice } from './voice.ts'

/** The last lines of what may be a long list. */
const shownMax = 10

/**
 * `firn demo`: the whole round on real parts, in a temporary folder. Resolves with the exit code: 0 when everything came
 * back as it was, 1 when not or when something failed, 2 for a command line that is none, 130 after Ctrl-C. Nothing that was
 * started is left, and nothing on disk unless --keep is given.
 */
export async function main(args: string[]): Promise<number> {
  let flags: { keep: boolean; json: boolean; small: boolean }
  try {
    flags = readFlags(args)
  } catch (error) {
    process.stderr.write(`firn demo: ${(error as Error).message}\n`)
    return 2
  }
  const voice = new Voice(flags.json ? process.stderr : process.stdout)
  const stop = new AbortController()
  using _signals = stopOnSignals(stop, () => process.exit(130))
  using _ancestors = onAncestorGone(() => process.exit(1)) // the watchdog does the rest
  try {
    voice.lines(['', `${voice.paint.bold('Firn')} ${versions()}`, ''])
    const played = await rehearse({ ...flags, voice, signal: stop.signal })
    conclude(played, voice)
    if (flags.json) process.stdout.write(`${JSON.stringify(played.summary, undefined, 2)}\n`)
    return played.summary.ok ? 0 : 1
  } catch (error) {
    if (stop.signal.aborted) {
      voice.lines(['interrupted: everything that was started is gone'])
      return 130
    }
    tell(error, voice)
    return 1
  }
}

function readFlags(args: string[]): { keep: boolean; json: boolean; small: boolean } {
  const { values } = parseArgs({
    args,
    options: { keep: { type: 'boolean' }, json: { type: 'boolean' }, small: { type: 'boolean' } },
  })
  return { keep: values.keep ?? false, json: values.json ?? false, small: values.small ?? false }
}

function conclude({ summary, why, allReadable, kept }: Played, voice: Voice): void {
  const { paint } = voice
  voice.lines(['', ...backupTable(summary.members, paint), '', ...restoreTable(summary, why, paint), ''])
  for (const { file, bytes } of summary.live.torn.slice(0, shownMax))
    voice.lines([paint.dim(`  torn: ${file} ends ${bytes} bytes into a record`)])
  for (const path of summary.unreadable)
    voice.lines([paint.dim(`  unreadable, and so listed instead of saved: ${path}`)])
  if (allReadable !== undefined)
    voice.lines([paint.warn(`  nothing was unreadable, and that case was left out: ${allReadable}`)])
  if (kept !== undefined) voice.lines([paint.dim(`  kept: ${kept}`)])
  const seconds = `${(summary.ms / 1000).toFixed(1)} s`
  if (summary.ok) {
    voice.lines([
      '',
      `${paint.good('Everything came back as it was before the first start.')} ${paint.dim(seconds)}`,
      '',
    ])
    return
  }
  voice.lines(['', paint.bad('This is not as it should be:')])
  for (const reason of summary.reasons.slice(0, shownMax)) voice.lines([`  ${reason}`])
  if (summary.reasons.length > shownMax) voice.lines([`  and ${summary.reasons.length - shownMax} more`])
  voice.lines([''])
}

function versions(): string {
  const tools: [Tool, string][] = [
    ['etcd', '--version'],
    ['nats-server', '--version'],
    ['restic', 'version'],
  ]
  const found = tools.map(([tool, argument]) => {
    try {
      const said = execFileSync(toolPath(tool), [argument], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      return `${tool} ${/\d+\.\d+\.\d+/.exec(said)?.[0] ?? ''}`.trim()
    } catch {
      return `no ${tool}`
    }
  })
  return `on Node ${process.versions.node} with ${found.join(', ')}`
}

function tell(error: unknown, voice: Voice): void {
  const { bad, dim } = voice.paint
  const message = error instanceof Error ? error.message : String(error)
  voice.lines([`${bad('firn demo:')} ${message}`])
  if (error instanceof Problem) voice.lines(error.tail.map((line) => dim(`  ${line}`)))
}
