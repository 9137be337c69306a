// Which server to talk to, and as whom.
import { readFileSync } from 'node:fs'
import {
  configPath,
  isReadableByOthers,
  readConfig,
  type ConfigFile,
  type ContextEntry,
} from './config-file.ts'
import { EXIT, Failure, usage } from './failure.ts'
import { text } from './json.ts'

/** What was said about server and token, in flags and environment. */
export interface Sources {
  readonly server?: string | undefined
  readonly token?: string | undefined
  /** Standard input has been read already when this is `-`: the content then is in `token`. */
  readonly tokenFile?: string | undefined
  readonly context?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
}

/** Where requests go. */
export interface Settings {
  readonly server: string
  readonly token?: string
  /** Where the server's address came from, for messages. */
  readonly from: string
  /** What should be known but does not prevent anything. */
  readonly warnings: readonly string[]
}

/** Where a server of this machine listens when nothing was said: `firn up`'s own default. */
export const defaultServer = 'http://127.0.0.1:9090'

/** A place that may name a server, a token, or both. */
interface Layer {
  readonly from: string
  readonly server?: string | undefined
  readonly token?: () => string | undefined
}

/**
 * Flag before environment before configuration file. A token that was stored together with a server is sent to that
 * server only: an address from elsewhere never gets it. Throws Failure for a context, file or address that is not there
 * or makes no sense.
 */
export function settle(sources: Sources): Settings {
  const { env, home } = sources
  const file = configPath(env, home)
  const warnings = isReadableByOthers(file)
    ? [`others can read ${file}, which holds tokens: chmod 600 ${file}`]
    : []
  const config = readConfig(file)
  const layers = [
    layer('the command line', sources.server, sources.token, sources.tokenFile),
    ...contextLayer(config, sources.context, '--context', file),
    layer('the environment', env['FIRN_SERVER'], env['FIRN_TOKEN'], env['FIRN_TOKEN_FILE']),
    ...contextLayer(config, env['FIRN_CONTEXT'] || undefined, 'FIRN_CONTEXT', file),
    ...readyLayer(env['FIRN_READY_FILE']),
    ...contextLayer(config, config.current, 'the current context', file),
  ]
  const named = layers.find(({ server }) => server !== undefined)
  const server = addressOf(named?.server ?? defaultServer, named?.from ?? 'the default')
  const token = layers
    .map((it) => (fits(it, server) ? it.token?.() : undefined))
    .find((it) => it !== undefined)
  return {
    server,
    ...(token === undefined ? {} : { token: checkedToken(token) }),
    from: named?.from ?? 'the default',
    warnings: [...warnings, ...clearTextWarning(server, token)],
  }
}

const fits = (layer: Layer, server: string) =>
  layer.server === undefined || originOf(layer.server) === originOf(server)

function originOf(server: string): string | undefined {
  return URL.canParse(server) ? new URL(server).origin : undefined
}

function layer(
  from: string,
  server: string | undefined,
  token: string | undefined,
  tokenFile: string | undefined,
): Layer {
  const given = token || undefined
  return {
    from,
    server: server || undefined,
    token: () => given ?? (tokenFile === undefined || tokenFile === '' ? undefined : tokenIn(tokenFile)),
  }
}

function contextLayer(config: ConfigFile, name: string | undefined, from: string, file: string): Layer[] {
  if (name === undefined) return []
  const entry: ContextEntry | undefined = config.contexts.get(name)
  if (entry === undefined) {
    const known = [...config.contexts.keys()].join(', ') || 'none'
    throw usage(
      `${from}: ${file} has no context "${name}"`,
      `it has: ${known}; firn config set-context makes one`,
    )
  }
  return [layer(`context "${name}"`, entry.server, entry.token, entry.tokenFile)]
}

/** The file that `firn up --ready-file` writes; it is fine that it is not there, as then nothing is up. */
function readyLayer(file: string | undefined): Layer[] {
  if (file === undefined || file === '') return []
  let content: unknown
  try {
    content = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw usage(`FIRN_READY_FILE: ${file} cannot be read as JSON`)
  }
  return [layer(`the ready file ${file}`, text(content, 'url'), text(content, 'token'), undefined)]
}

function tokenIn(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new Failure(EXIT.usage, `the token file ${file} cannot be read (${(cause as Error).message})`)
  }
}

/** Without blanks around it. Never shown, not even when it is wrong. */
export function checkedToken(token: string): string {
  const trimmed = token.trim()
  if (!/^[\x21-\x7e]+$/.test(trimmed))
    throw usage(trimmed === '' ? 'the token is empty' : 'the token holds characters that no token has')
  return trimmed
}

/** The address without a slash at its end. Throws Failure unless it is one of http or https without a name or password. */
export function addressOf(server: string, from: string): string {
  const url = URL.canParse(server) ? new URL(server) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '')
    throw usage(`${from}: the server's address must look like ${defaultServer}`)
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}

function clearTextWarning(server: string, token: string | undefined): string[] {
  const { protocol, hostname } = new URL(server)
  const isHere = hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname)
  return token === undefined || protocol === 'https:' || isHere
    ? []
    : [`the token travels readably to ${hostname}: https hides it`]
}
