import { parseArgs } from 'node:util'
import { isFault } from '../core/fault.ts'
import { readConfig } from './config.ts'
import { openLog, recorder } from './events.ts'
import { startServer } from './start.ts'

/** How long an orderly end may take before the process ends anyway. Milliseconds. */
const endMsMax = 20_000

/**
 * `firn server --config FILE`: runs one server until SIGTERM or SIGINT, then drains; a second signal ends it at once. Resolves
 * with the exit code: 1 when it could not start.
 */
export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { config: { type: 'string', short: 'c' } } })
  if (values.config === undefined) {
    process.stderr.write('firn server: --config FILE is needed; docs/server.md shows one\n')
    return 2
  }
  const stop = new AbortController()
  const signalled = (name: NodeJS.Signals): void => {
    if (stop.signal.aborted) process.exit(128 + (name === 'SIGINT' ? 2 : 15))
    stop.abort(new Error(name))
  }
  process.on('SIGTERM', signalled).on('SIGINT', signalled)
  try {
    const config = await readConfig(values.config)
    const server = await startServer(config, recorder(openLog(config.log.level)), stop.signal)
    await aborted(stop.signal)
    const end = setTimeout(() => process.exit(1), endMsMax)
    await server[Symbol.asyncDispose]()
    clearTimeout(end)
    return 0
  } catch (error) {
    if (stop.signal.aborted) return 0
    process.stderr.write(`firn server: ${explain(error)}\n`)
    return 1
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if ('code' in error && error.code === 'EADDRINUSE') return `${error.message}: choose another port`
  const cause = isFault(error) && error.cause instanceof Error ? `: ${error.cause.message}` : ''
  return error.message + cause
}
