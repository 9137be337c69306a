import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { isFault } from '../core/fault.ts'
import { clientId } from '../core/ids.ts'
import { readConfig } from './config.ts'
import { enrolAgent } from './enrol.ts'
import { openLog } from './log.ts'
import { startAgent } from './start.ts'

const usage = `firn agent --config FILE
firn agent enrol --server URL --state-dir DIR [--client-id ID] [--join-token-file FILE]
  The join token comes from the file, from FIRN_JOIN_TOKEN, or from standard input.
`

/** A join token is a line. Bytes. */
const tokenMax = 4_096

/**
 * `firn agent`. The first SIGTERM or SIGINT drains, a second one stops running work at once, a third one ends the process.
 * Resolves with the exit code: 0, 1 when it could not start or enrol, 2 for a command line that is none.
 */
export async function main(args: string[]): Promise<number> {
  const command = args[0] === 'enrol' ? enrolCommand(args.slice(1)) : runCommand(args)
  try {
    return await command
  } catch (error) {
    process.stderr.write(`firn agent: ${explain(error)}\n`)
    return isUsage(error) ? 2 : 1
  }
}

async function runCommand(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { config: { type: 'string', short: 'c' } } })
  if (values.config === undefined) return explainUsage('--config FILE is needed')
  const config = await readConfig(values.config)
  const stop = Promise.withResolvers<void>()
  const hurry = new AbortController()
  let count = 0
  const signalled = (name: NodeJS.Signals): void => {
    count++
    if (count === 1) stop.resolve()
    else if (count === 2) hurry.abort(new Error(name))
    else process.exit(128 + (name === 'SIGINT' ? 2 : 15))
  }
  process.on('SIGTERM', signalled).on('SIGINT', signalled)
  const log = openLog(config.logLevel)
  try {
    await using _agent = await startAgent({ config, log, hurry: hurry.signal })
    await stop.promise
  } finally {
    process.off('SIGTERM', signalled).off('SIGINT', signalled)
    await new Promise<void>((resolve) => log.flush(() => resolve()))
  }
  return 0
}

async function enrolCommand(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      server: { type: 'string' },
      'join-token-file': { type: 'string' },
      'client-id': { type: 'string' },
      'state-dir': { type: 'string' },
    },
  })
  const { server, 'state-dir': dir, 'client-id': id, 'join-token-file': file } = values
  if (server === undefined || !URL.canParse(server)) return explainUsage('--server URL is needed')
  if (dir === undefined) return explainUsage('--state-dir DIR is needed')
  const client = clientId(id ?? hostname())
  const stateDir = path.resolve(dir)
  await enrolAgent({ server, joinToken: await joinToken(file), client, stateDir })
  process.stdout.write(`${client} is enrolled; its identity is in ${stateDir}\n`)
  return 0
}

/** Never from the command line, which every user of the node can read. */
async function joinToken(file: string | undefined): Promise<string> {
  if (file !== undefined) return (await readFile(file, 'utf8')).trim()
  const given = process.env['FIRN_JOIN_TOKEN']
  if (given !== undefined && given !== '') return given.trim()
  let text = ''
  for await (const part of process.stdin) {
    text += String(part)
    if (text.length > tokenMax) break
  }
  return text.trim()
}

function explainUsage(problem: string): number {
  process.stderr.write(`firn agent: ${problem}\n${usage}`)
  return 2
}

const isUsage = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = isFault(error) && error.cause instanceof Error ? `: ${error.cause.message}` : ''
  return error.message + cause
}
