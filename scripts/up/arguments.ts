// The words of `firn up`.
import path from 'node:path'
import { parseArgs } from 'node:util'

/** What `firn up` is asked for. */
export interface UpOptions {
  readonly port: number
  /** Absolute. */
  readonly data: string
  readonly agents: number
  readonly servers: number
  /** Absolute. */
  readonly readyFile: string | undefined
  /** Jobs may run any command on the agents. */
  readonly allowExec: boolean
  /** Servers and agents start again when their sources change. */
  readonly watch: boolean
}

const standardPort = 9_090
/** More processes than that are no try-out on one machine any more. */
const processesMax = 100

/** Throws an Error that says which word is wrong. */
export function readArguments(args: readonly string[]): UpOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: 'string' },
      data: { type: 'string' },
      agents: { type: 'string' },
      servers: { type: 'string' },
      'ready-file': { type: 'string' },
      'allow-exec': { type: 'boolean' },
      watch: { type: 'boolean' },
    },
  })
  return {
    port: wholeIn('port', values.port, standardPort, 1, 65_535),
    data: path.resolve(values.data ?? '.firn'),
    agents: wholeIn('agents', values.agents, 3, 0, processesMax),
    servers: wholeIn('servers', values.servers, 1, 1, processesMax),
    readyFile: values['ready-file'] === undefined ? undefined : path.resolve(values['ready-file']),
    allowExec: values['allow-exec'] ?? false,
    watch: values.watch ?? false,
  }
}

function wholeIn(name: string, text: string | undefined, usual: number, min: number, max: number): number {
  if (text === undefined) return usual
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= min && value <= max) return value
  throw new Error(`--${name} must be a whole number from ${min} to ${max}, not "${text}"`)
}
