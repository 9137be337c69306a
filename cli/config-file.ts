// The configuration file: named servers with their tokens. It holds secrets, so only its owner may read it.
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parse, stringify } from 'yaml'
import { Failure, EXIT } from './failure.ts'
import { object, text } from './json.ts'

/** A server and how to be known there. */
export interface ContextEntry {
  readonly server: string
  readonly token?: string
  /** Read at each use instead of `token`. */
  readonly tokenFile?: string
}

/** What the file says. */
export interface ConfigFile {
  readonly current?: string
  readonly contexts: ReadonlyMap<string, ContextEntry>
}

/** Where it lies: `FIRN_CONFIG`, else below `XDG_CONFIG_HOME`, else below `~/.config`. */
export function configPath(env: Readonly<Record<string, string | undefined>>, home: string): string {
  return (
    env['FIRN_CONFIG'] ||
    path.join(env['XDG_CONFIG_HOME'] || path.join(home, '.config'), 'firn', 'config.yaml')
  )
}

/** The file; empty when there is none. Throws Failure when it cannot be read or is no such file. */
export function readConfig(file: string): ConfigFile {
  let content: string
  try {
    content = readFileSync(file, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { contexts: new Map() }
    throw new Failure(EXIT.usage, `the configuration ${file} cannot be read (${(cause as Error).message})`)
  }
  let parsed: unknown
  try {
    parsed = parse(content) as unknown
  } catch (cause) {
    // The parser's message quotes the file, which holds secrets: only where the mistake is may be told.
    const line = (cause as { linePos?: readonly { line: number }[] }).linePos?.[0]?.line
    throw new Failure(EXIT.usage, `${file}${line === undefined ? '' : `, line ${line}`}: this is no YAML`)
  }
  const contexts = Object.entries(object(object(parsed)['contexts'])).flatMap(([name, entry]) => {
    const [server, token, tokenFile] = ['server', 'token', 'token_file'].map((key) => text(entry, key))
    if (server === undefined || server === '') return []
    return [[name, { server, ...(token && { token }), ...(tokenFile && { tokenFile }) }] as const]
  })
  const current = text(parsed, 'current')
  return { ...(current === '' ? {} : { current }), contexts: new Map(contexts) }
}

/** Whether others than its owner may read the file. */
export function isReadableByOthers(file: string): boolean {
  try {
    return (statSync(file).mode & 0o077) !== 0
  } catch {
    return false
  }
}

/** Writes the file whole or not at all, for its owner only, in a folder for its owner only. */
export function writeConfig(file: string, { current, contexts }: ConfigFile): void {
  const entries = [...contexts].map(([name, { server, token, tokenFile }]) => [
    name,
    { server, ...(token && { token }), ...(tokenFile && { token_file: tokenFile }) },
  ])
  const content = stringify({ ...(current && { current }), contexts: Object.fromEntries(entries) })
  const next = `${file}.${process.pid}`
  try {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(next, content, { mode: 0o600, flag: 'wx' })
    // The mask may have taken bits, and a folder that existed keeps its own.
    chmodSync(next, 0o600)
    renameSync(next, file)
  } catch (cause) {
    rmSync(next, { force: true })
    throw new Failure(
      EXIT.failed,
      `the configuration ${file} cannot be written (${(cause as Error).message})`,
    )
  }
}
