import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { ZONES } from './architecture-rules.ts'
import { violations } from './support/architecture.ts'
import { readSources } from './support/sources.ts'

const root = path.join(import.meta.dirname, '..')
const folders = ['core', 'proto', 'controller', 'agent', 'api', 'cli', 'scripts', 'test']

describe('the dependency rule', () => {
  it('holds in the whole project', () => {
    // This file is left out: its examples are violations.
    const sources = readSources(root, folders).filter((file) => file.path !== 'test/architecture.test.ts')
    expect(sources.length).toBeGreaterThan(10)
    expect(violations(sources)).toEqual([])
  })

  it('lets no two folders import each other', () => {
    const listed = (from: string, to: string) =>
      ZONES.find(({ path }) => path === from)?.mayImport.includes(to) ?? false
    const pairs = ZONES.flatMap(({ path, mayImport }) => mayImport.map((other) => [path, other] as const))
    // core/ids.ts is a part of core with one more freedom.
    expect(pairs.filter(([from, to]) => from !== 'core/ids.ts' && listed(to, from))).toEqual([])
  })

  it('lets only what composes its process, benchmarks and tests import a folder of one technology', () => {
    const technologies = ['controller/etcd', 'controller/grpc', 'controller/nats', 'controller/memory']
    technologies.push('agent/grpc', 'agent/nats', 'agent/disk', 'agent/engines')
    const importers = technologies.flatMap((folder) =>
      ZONES.filter(({ mayImport }) => mayImport.some((it) => `${folder}/`.startsWith(`${it}/`))).map(
        ({ path }) => path,
      ),
    )
    expect([...new Set(importers)].toSorted()).toEqual([
      'agent/enrol.ts',
      'agent/main.ts',
      'agent/renewal.ts',
      'agent/start.ts',
      'controller/main.ts',
      'controller/start.ts',
      'scripts/bench',
      // Makes the keys of the stack before a server is there.
      'scripts/up',
      'test',
    ])
  })
})

describe('a violation is found and named', () => {
  const planted = (path: string, text: string) => violations([{ path, text }])

  it.each([
    ['controller/use-cases/a.ts', `import { x } from '../etcd/kv.ts'`, 'controller/etcd/kv.ts'],
    ['controller/plan/a.ts', `import type {\n  X,\n} from '../../agent/work/runs.ts'`, 'agent/work/runs.ts'],
    ['agent/work/a.ts', `export * from '../../controller/ports/feed.ts'`, 'controller/ports/feed.ts'],
    ['api/freezer/a.ts', `const x = await import('../../controller/etcd/kv.ts')`, 'controller/etcd/kv.ts'],
    ['cli/a.ts', `import { y } from '../core/job.ts'`, 'core/job.ts'],
    ['cli/a.ts', `import { main } from '../controller/main.ts'`, 'controller/main.ts'],
    ['core/a.ts', `import { z } from 'zod'`, 'zod'],
    ['core/a.ts', `import { createHash } from 'node:crypto'`, 'node:crypto'],
    ['api/a.ts', `import { connect } from 'nats'`, 'nats'],
    ['surprise/a.ts', '', 'no zone'],
  ])('in %s: %s', (path, text, named) => {
    expect(planted(path, text)).toEqual([expect.stringContaining(named)])
  })

  it.each([
    ['controller/state/a.ts', 'const key = `/firn/jobs/${id}`'],
    ['agent/nats/a.ts', `publish('firn.result', bytes)`],
    ['core/a.ts', 'const now = Date.now()'],
    ['core/a.ts', 'const now = new Date( )'],
    ['controller/plan/a.ts', 'const jitter = Math.random()'],
  ])('in %s: %s', (path, text) => {
    expect(planted(path, text)).toEqual([expect.stringContaining(`${path} says`)])
  })

  it('in a circle of files', () => {
    const a = { path: 'core/a.ts', text: `import { b } from './b.ts'` }
    const b = { path: 'core/b.ts', text: `import type { C } from './c.ts'` }
    const c = { path: 'core/c.ts', text: `export { a } from './a.ts'` }
    expect(violations([a, b, c])).toEqual(['cycle: core/a.ts -> core/b.ts -> core/c.ts -> core/a.ts'])
  })
})

describe('what is allowed is not reported', () => {
  it.each([
    ['controller/etcd/a.ts', `import { Etcd3 } from 'etcd3'\nconst key = '/firn/jobs/'`],
    ['controller/main.ts', `import { a } from './etcd/a.ts'\nimport { b } from '../api/app.ts'`],
    ['cli/a.ts', `const { main } = await import('../controller/main.ts')`],
    ['core/ids.ts', `import { createHash } from 'node:crypto'\nimport { badField } from './fault.ts'`],
    [
      'core/a.ts',
      `// import { z } from 'zod' and Date.now()\n/** new Date() */\nconst at = new Date(instant)`,
    ],
    [
      'controller/use-cases/a.test.ts',
      `import { it } from 'vitest'\nimport { m } from '../memory/backend.ts'`,
    ],
    ['api/a.ts', `const field = 'firn.client_selector'`],
  ])('in %s: %s', (path, text) => {
    expect(violations([{ path, text }])).toEqual([])
  })
})
