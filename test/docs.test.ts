// What the pages say of files, commands, options, events and states is so.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { configForm as agentForm, parseConfig as parseAgentConfig } from '../agent/config.ts'
import { createEngines } from '../agent/engines/registry.ts'
import { jobExtensions, sessionExtensions } from '../api/freezer/extensions.ts'
import { nativeRoutes } from '../api/native/routes.ts'
import { COMMANDS } from '../cli/commands/all.ts'
import { configForm, parseConfig } from '../controller/config.ts'
import { kinds } from '../controller/ports/backend.ts'
import { datastores } from '../core/datastores.ts'
import { memoryDatabases } from './support/databases.ts'
import { skipReasons } from '../core/skip.ts'
import { faultNames } from './campaign/rounds.ts'

const root = path.join(import.meta.dirname, '..')
const read = (name: string): string => readFileSync(path.join(root, name), 'utf8')

const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

/** The page without its examples. */
const prose = (text: string): string => text.replace(/^```[\s\S]*?^```/gm, '')

/** As GitHub names headings. */
const anchorsOf = (text: string): string[] =>
  [...prose(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\- _]/gu, '')
      .replaceAll(' ', '-'),
  )

/** Cells of the first column of a table, without backticks. */
const firstColumn = (text: string, form: RegExp): string[] =>
  [...text.matchAll(/^\| `([^`]+)` \|/gm)].flatMap(([, name = '']) => (form.test(name) ? [name] : []))

describe.each(pages)('%s', (page) => {
  const text = read(page)

  it('links to what is there', () => {
    const links = [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
    const broken = links.filter((target) => {
      if (/^[a-z]+:/.test(target)) return false
      const [file = '', anchor] = target.split('#')
      const name = file === '' ? page : path.join(path.dirname(page), file)
      if (!existsSync(path.join(root, name))) return true
      return anchor !== undefined && !anchorsOf(read(name)).includes(anchor)
    })
    expect(broken).toEqual([])
  })

  it('names files that are there', () => {
    const folders = /^(agent|api|cli|controller|core|docs|proto|scripts|test|tools)\/[\w./-]*$/
    const named = [...prose(text).matchAll(/`([^`\s]+)`/g)].map(([, name = '']) => name)
    const files = named.filter((name) => folders.test(name) && /(\/|\.(ts|mjs|proto|md|svg))$/.test(name))
    expect(files.filter((name) => !existsSync(path.join(root, name)))).toEqual([])
  })

  it('calls commands that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    const run = [...text.matchAll(/\bnpm run ([\w-]+)/g)].map(([, name = '']) => name)
    expect(run.filter((name) => !(name in scripts))).toEqual([])
    const known = new Set(COMMANDS.map(({ name }) => name))
    const firn = [...text.matchAll(/\bnpx firn ([a-z]+(?: [a-z-]+)?)/g)].map(([, name = '']) => name)
    expect(firn.filter((name) => !known.has(name) && !known.has(name.split(' ')[0] ?? ''))).toEqual([])
  })
})

describe('docs/server.md', () => {
  const page = read('docs/server.md')
  const options = optionsOf(z.toJSONSchema(configForm, { io: 'input', unrepresentable: 'any' }) as Schema)

  it('explains every option, and no other', () => {
    const documented = firstColumn(page, /^[a-z_]+(\.[a-z_]+){0,2}$/).filter(
      (name) => !name.startsWith('server.'),
    )
    const names = [...options.keys()]
    expect(documented.filter((name) => isEvent(name) === false).toSorted()).toEqual(names.toSorted())
  })

  it('tells the defaults as they are', () => {
    const cells = [...page.matchAll(/^\| `([a-z_.]+)` \| (`[^`]+`|needed|none) \|/gm)]
    const told = new Map(cells.map(([, name = '', value = '']) => [name, value]))
    for (const [name, { default: value, needed }] of options) {
      const empty = value === undefined || (Array.isArray(value) && value.length === 0)
      expect(`${name}: ${told.get(name)}`).toBe(
        `${name}: ${needed ? 'needed' : empty ? 'none' : `\`${JSON.stringify(value).replaceAll('"', '')}\``}`,
      )
    }
  })

  it('has an example with all of them that is read', () => {
    const [, example = ''] = /```yaml\n([\s\S]+?)```/.exec(page) ?? []
    const config = parseConfig(example, '/etc/firn')
    expect(config.etcd.ca).toBe('/etc/firn/etcd/ca.pem')
    expect(config.default_repository).toContain('{client}')
    for (const name of options.keys()) expect(example).toContain(`${name.split('.').at(-1)}:`)
  })

  it('explains every event of the log, and no other', () => {
    const [, body = ''] = /interface Events \{([\s\S]+?)^\}/m.exec(read('controller/events.ts')) ?? []
    const events = [...body.matchAll(/^ {2}'([\w.]+)':/gm)].map(([, name = '']) => name)
    expect(
      firstColumn(page, /^[a-z]+\.[a-z]+$/)
        .filter(isEvent)
        .toSorted(),
    ).toEqual(events.toSorted())
  })
})

describe('docs/agent.md', () => {
  const page = read('docs/agent.md')
  const schema = z.toJSONSchema(agentForm, { io: 'input', unrepresentable: 'any' }) as Schema
  const options = optionsOf(schema)
  const section = (heading: string): string => page.split(/^## /m).find((it) => it.startsWith(heading)) ?? ''
  /** Name, default and meaning; several options may share a row. */
  const rows = [...section('Configuration').matchAll(/^\| (`.+?`) \| (.*?) ?\| (.+) \|$/gm)].flatMap(
    ([, names = '', values = '', meaning = '']) =>
      names.split(', ').map((name, at) => ({
        name: name.replaceAll('`', ''),
        value: (values.split(', ')[at] ?? '').replaceAll('`', ''),
        meaning,
      })),
  )

  it('explains every option, and no other, with its default', () => {
    expect(rows.map(({ name }) => name).toSorted()).toEqual([...options.keys()].toSorted())
    const defaults = [...options].flatMap(([name, { default: value }]) =>
      typeof value === 'number' || typeof value === 'string' ? [`${name}: ${value}`] : [],
    )
    expect(defaults).not.toEqual([])
    expect(rows.map(({ name, value }) => `${name}: ${value}`)).toEqual(expect.arrayContaining(defaults))
  })

  it.each(['instances', 'templates'])('explains every field of %s', (name) => {
    const fields = Object.keys(schema.properties?.[name]?.items?.properties ?? {})
    expect(fields).toContain('datastore')
    const meaning = rows.find((row) => row.name === name)?.meaning
    for (const field of fields) expect(meaning).toContain(`\`${field}\``)
  })

  it('tells of every engine, and no other', () => {
    const engines = createEngines({ stateMark: 'docs', databases: memoryDatabases([], []) })
    expect(firstColumn(section('Engines'), /./).toSorted()).toEqual([...engines.keys()].toSorted())
  })

  it('has an example with every kind of database that is read', () => {
    const [, example = ''] = /```yaml\n([\s\S]+?)```/.exec(section('Databases')) ?? []
    const { instances, templates } = parseAgentConfig(`state_dir: /state\n${example}`, '/etc/firn')
    const shown = new Set([...instances, ...templates].map(({ datastore }) => datastore))
    expect([...shown].toSorted()).toEqual(Object.keys(datastores).toSorted())
  })
})

it('ARCHITECTURE.md shows the state diagrams that the machines have, and every stored kind', () => {
  const page = read('ARCHITECTURE.md')
  for (const file of ['core/run-machine.ts', 'core/set-machine.ts']) {
    const diagram = [...read(file).matchAll(/^ \* {5}(.*)$/gm)].map(([, line]) => `    ${line}`)
    expect(diagram.length).toBeGreaterThan(1)
    expect(page).toContain(diagram.join('\n'))
  }
  for (const kind of kinds) expect(page).toContain(`\`${kind}\``)
})

it('docs/scheduling.md tells every reason for a skipped slot, and every policy', () => {
  const page = read('docs/scheduling.md')
  const told = firstColumn(page, /^[a-z_]+$/)
  for (const reason of skipReasons) expect(told).toContain(reason)
  const others = new Set(['autostart', 'client_selector', 'missing', 'pattern'])
  const policies = Object.keys({ ...jobExtensions.shape, ...sessionExtensions.shape })
  for (const policy of policies.filter((key) => !others.has(key))) expect(told).toContain(policy)
})

it('docs/campaign.md tells every fault, and no other', () => {
  const table = read('docs/campaign.md').split(/^## /m)[1] ?? ''
  expect(firstColumn(table, /./)).toEqual([...faultNames])
})

it.each(['docs', 'docs/decisions'])('%s/README.md lists every page of its folder', (folder) => {
  const listed = read(`${folder}/README.md`)
  const inFolder = readdirSync(path.join(root, folder)).filter(
    (name) => name.endsWith('.md') && name !== 'README.md',
  )
  expect(inFolder.filter((name) => !listed.includes(`](${name})`))).toEqual([])
})

it('docs/api.md tells every route of our own', () => {
  const page = read('docs/api.md')
  const missing = nativeRoutes
    .map(({ method, path }) => `\`${method} ${path.replace(/:(\w+)/g, '{$1}')}\``)
    .filter((route) => !page.includes(route))
  expect(missing).toEqual([])
})

/** An event of the log, not an option: options of that form begin with a group. */
function isEvent(name: string): boolean {
  return /^(server|store|feed|identity|leader|line|run|set|look)\.|^http\.(request|failed)$/.test(name)
}

interface Schema {
  readonly properties?: Record<string, Schema>
  readonly items?: Schema
  readonly required?: readonly string[]
  readonly default?: unknown
}

/** The options of a schema by their dotted names. */
function optionsOf(schema: Schema): Map<string, { default: unknown; needed: boolean }> {
  return new Map(
    Object.entries(schema.properties ?? {}).flatMap(([name, inner]) =>
      inner.properties
        ? [...optionsOf(inner)].map(([key, option]) => {
            const optional = !(schema.required ?? []).includes(name)
            return [`${name}.${key}`, { ...option, needed: option.needed && !optional }] as const
          })
        : [[name, { default: inner.default, needed: (schema.required ?? []).includes(name) }] as const],
    ),
  )
}
