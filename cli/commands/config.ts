import { readFileSync } from 'node:fs'
import { argument, type Command, type Invocation } from '../command.ts'
import { configPath, readConfig, writeConfig, type ConfigFile, type ContextEntry } from '../config-file.ts'
import { EXIT, usage } from '../failure.ts'
import { addressOf, checkedToken } from '../settings.ts'

const NAME = { name: 'NAME', help: 'the context’s name' } as const

const fileOf = ({ io }: Invocation): string => configPath(io.env, io.home)

const setContext: Command = {
  name: 'config set-context',
  summary: 'Remember a server, and the token for it, under a name',
  details:
    'The first context becomes the current one. The token goes into the configuration file, which only its owner can\n' +
    'read, and is sent to this context’s server only. Give --token-file "" to forget it.',
  args: [NAME],
  options: [],
  examples: [
    [
      'firn config set-context prod --server https://backup.example.org --token-file prod.token',
      'A new context',
    ],
    ['read -rs T && printf %s "$T" | firn config set-context prod --token-file -', 'Another token, typed in'],
  ],
  async run(invocation) {
    const { flags, out } = invocation
    const name = argument(invocation, 'NAME')
    const file = fileOf(invocation)
    const config = readConfig(file)
    const before = config.contexts.get(name)
    const server = flags.text('server') ?? before?.server
    if (server === undefined) throw usage('--server is needed for a new context')
    const address = addressOf(server, '--server')
    const token = tokenGiven(invocation)
    // Another server must not get the token that was meant for the one before.
    const isSame = before !== undefined && new URL(before.server).origin === new URL(address).origin
    const kept = token === undefined && isSame ? before : undefined
    const entry: ContextEntry = {
      server: address,
      ...(kept?.token === undefined ? {} : { token: kept.token }),
      ...(kept?.tokenFile === undefined ? {} : { tokenFile: kept.tokenFile }),
      ...(token ? { token } : {}),
    }
    const current = config.current ?? name
    writeConfig(file, { current, contexts: new Map([...config.contexts, [name, entry]]) })
    out.done({ context: name, current: current === name }, name, `context ${name} is stored in ${file}`)
    return EXIT.ok
  },
}

/** The token given for a context; empty to forget the one it has. */
function tokenGiven({ flags, givenToken }: Invocation): string | undefined {
  const file = flags.text('token-file')
  if (file === '') return ''
  if (givenToken !== undefined) return checkedToken(givenToken)
  if (file === undefined) return undefined
  try {
    return checkedToken(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw usage(`--token-file: ${(cause as Error).message}`)
  }
}

const useContext: Command = {
  name: 'config use-context',
  summary: 'Make a context the current one',
  args: [NAME],
  options: [],
  examples: [['firn config use-context prod', 'Talk to prod from now on']],
  run: (invocation) => {
    const name = argument(invocation, 'NAME')
    return changed(
      invocation,
      name,
      (config) => ({ ...config, current: name }),
      `the current context is ${name}`,
    )
  },
}

const deleteContext: Command = {
  name: 'config delete-context',
  summary: 'Forget a context and its token',
  args: [NAME],
  options: [],
  examples: [['firn config delete-context old', 'Forget old']],
  run: (invocation) => {
    const name = argument(invocation, 'NAME')
    const without = ({ current, contexts }: ConfigFile): ConfigFile => ({
      ...(current === undefined || current === name ? {} : { current }),
      contexts: new Map([...contexts].filter(([it]) => it !== name)),
    })
    return changed(invocation, name, without, `context ${name} is forgotten`)
  },
}

async function changed(
  invocation: Invocation,
  name: string,
  change: (config: ConfigFile) => ConfigFile,
  sentence: string,
): Promise<number> {
  const file = fileOf(invocation)
  const config = readConfig(file)
  if (!config.contexts.has(name)) {
    const known = [...config.contexts.keys()].join(', ') || 'none'
    throw usage(`${file} has no context "${name}"`, `it has: ${known}`)
  }
  writeConfig(file, change(config))
  invocation.out.done({ context: name }, name, sentence)
  return EXIT.ok
}

const view: Command = {
  name: 'config view',
  summary: 'Show the contexts, without their secrets',
  args: [],
  options: [],
  examples: [['firn config view', 'Which servers are known, and which is the current one']],
  async run(invocation) {
    const file = fileOf(invocation)
    const { current, contexts } = readConfig(file)
    const rows = [...contexts].map(([name, { server, token, tokenFile }]) => ({
      name,
      server,
      current: name === current,
      token: token === undefined ? (tokenFile ?? '') : '***',
    }))
    invocation.out.list(
      rows,
      {
        name: (row) => row.name,
        columns: [
          { title: 'CURRENT', cell: (row) => (row.current ? '*' : ' ') },
          { title: 'NAME', cell: (row) => row.name },
          { title: 'SERVER', cell: (row) => row.server },
          { title: 'TOKEN', cell: (row) => row.token },
        ],
      },
      `${file} holds no contexts: firn config set-context makes one`,
    )
    return EXIT.ok
  },
}

export const configCommands: readonly Command[] = [setContext, useContext, view, deleteContext]
