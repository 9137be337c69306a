// Who may import whom, as a table, and the few words that only one folder may spell. architecture.test.ts applies it.

/** What the files of one folder (or one file) may import besides each other. The longest matching path decides. */
export interface Zone {
  /** Folder or file, from the root of the checkout. */
  path: string
  /** Other zones, by path. */
  mayImport: string[]
  /** npm packages; `any` where the folder is not about one technology. */
  packages: readonly string[] | 'any'
  /** Node's own modules. */
  node: readonly string[] | 'any'
  /** Zones that are loaded only when needed, by `import()`. */
  mayLoad?: string[]
}

const PURE = { packages: [], node: [] } as const
const DOMAIN = { packages: [], node: 'any' } as const

/**
 * The dependency rule. A folder of one technology (etcd, gRPC, NATS, disk, engines) appears in nobody's list but its
 * process's start.ts: everyone else knows only the port that it implements.
 */
export const ZONES: Zone[] = [
  { path: 'core', mayImport: [], ...PURE },
  { path: 'core/ids.ts', mayImport: ['core'], packages: [], node: ['node:crypto'] },
  { path: 'proto', mayImport: ['core'], packages: ['@bufbuild/protobuf', '@grpc/grpc-js'], node: [] },
  // How both processes stay connected to NATS, and what they prove themselves with there.
  { path: 'proto/nats', mayImport: ['core'], packages: ['nats'], node: 'any' },

  { path: 'controller/ports', mayImport: ['core'], ...PURE },
  { path: 'controller/plan', mayImport: ['core'], ...PURE },
  // croner is asked with a date, never armed: that is a pure function.
  {
    path: 'controller/plan/ticks.ts',
    mayImport: ['core', 'controller/plan'],
    packages: ['croner'],
    node: [],
  },
  { path: 'controller/config.ts', mayImport: ['core'], packages: ['yaml', 'zod'], node: 'any' },
  { path: 'controller/state', mayImport: ['core', 'controller/ports'], ...DOMAIN },
  {
    path: 'controller/security',
    mayImport: ['core', 'controller/ports'],
    packages: ['@peculiar/x509', 'reflect-metadata'],
    node: 'any',
  },
  {
    path: 'controller/use-cases',
    mayImport: ['core', 'controller/ports', 'controller/plan', 'controller/state'],
    ...DOMAIN,
  },
  {
    path: 'controller/reconcile',
    mayImport: ['core', 'controller/ports', 'controller/plan', 'controller/state', 'controller/use-cases'],
    ...DOMAIN,
  },
  {
    path: 'controller/memory',
    mayImport: ['core', 'proto/subjects.ts', 'proto/events.ts', 'controller/ports'],
    packages: [],
    node: 'any',
  },
  {
    path: 'controller/etcd',
    mayImport: ['core', 'controller/ports'],
    packages: ['etcd3', '@grpc/grpc-js', '@grpc/proto-loader'],
    node: 'any',
  },
  {
    path: 'controller/grpc',
    mayImport: ['core', 'proto', 'controller/ports'],
    packages: ['@grpc/grpc-js', '@grpc/proto-loader', '@grpc/reflection', 'grpc-health-check'],
    node: 'any',
  },
  {
    path: 'controller/nats',
    mayImport: ['core', 'proto', 'controller/ports'],
    packages: ['nats'],
    node: 'any',
  },
  { path: 'controller/keystone', mayImport: ['core', 'controller/ports'], packages: [], node: 'any' },
  ...['main', 'start'].map((name): Zone => ({
    path: `controller/${name}.ts`,
    mayImport: ['core', 'proto', 'controller', 'api'],
    packages: 'any',
    node: 'any',
  })),
  // What start.ts hands from one part to another.
  { path: 'controller/events.ts', mayImport: ['controller/config.ts'], packages: ['pino'], node: [] },
  {
    path: 'controller/lines.ts',
    mayImport: ['controller/ports', 'controller/reconcile', 'controller/use-cases', 'core'],
    packages: [],
    node: [],
  },
  {
    path: 'controller/record-changes.ts',
    mayImport: ['controller/events.ts', 'controller/state', 'core'],
    packages: [],
    node: [],
  },
  {
    path: 'controller/presence.ts',
    mayImport: ['core', 'controller/state', 'controller/use-cases', 'controller/version.ts'],
    packages: [],
    node: [],
  },
  {
    path: 'controller/cut-off.ts',
    mayImport: ['core', 'controller/ports', 'controller/presence.ts', 'controller/state'],
    packages: [],
    node: [],
  },
  {
    path: 'controller/drain.ts',
    mayImport: ['controller/ports', 'controller/presence.ts'],
    packages: [],
    node: [],
  },
  { path: 'controller/version.ts', mayImport: [], packages: [], node: ['node:module'] },

  { path: 'agent/ports', mayImport: ['core'], ...PURE },
  { path: 'agent/config.ts', mayImport: ['core', 'agent/ports'], packages: ['yaml', 'zod'], node: 'any' },
  { path: 'agent/work', mayImport: ['core', 'agent/ports'], ...DOMAIN },
  { path: 'agent/engines', mayImport: ['core', 'agent/ports'], ...DOMAIN },
  { path: 'agent/disk', mayImport: ['core', 'agent/ports'], ...DOMAIN },
  {
    path: 'agent/grpc',
    mayImport: ['core', 'proto', 'agent/ports'],
    packages: ['@grpc/grpc-js'],
    node: 'any',
  },
  {
    path: 'agent/security',
    mayImport: ['core', 'agent/ports'],
    packages: ['@peculiar/x509', 'reflect-metadata'],
    node: 'any',
  },
  { path: 'agent/nats', mayImport: ['core', 'proto', 'agent/ports'], packages: ['nats'], node: 'any' },
  { path: 'agent/log.ts', mayImport: ['agent/ports'], packages: ['pino'], node: [] },
  ...['main', 'start', 'enrol', 'renewal'].map((name): Zone => ({
    path: `agent/${name}.ts`,
    mayImport: ['core', 'proto', 'agent'],
    packages: 'any',
    node: 'any',
  })),

  {
    path: 'api',
    mayImport: ['core', 'controller/ports', 'controller/use-cases'],
    packages: ['hono', '@hono/node-server', 'zod'],
    node: 'any',
  },
  {
    path: 'cli',
    mayImport: [],
    packages: 'any',
    node: 'any',
    mayLoad: ['controller/main.ts', 'agent/main.ts', 'scripts'],
  },
  {
    path: 'scripts',
    mayImport: ['core', 'test/support'],
    packages: 'any',
    node: 'any',
    mayLoad: ['controller', 'agent', 'api'],
  },
  {
    // The whole product on one machine: it makes the keys and configurations that an operator would.
    path: 'scripts/up',
    mayImport: [
      'core',
      'controller/security',
      'controller/nats',
      'agent/disk',
      'agent/engines/process',
      'cli',
      'scripts/tools.ts',
    ],
    packages: [],
    node: 'any',
  },
  {
    path: 'scripts/demo',
    mayImport: ['core', 'cli', 'scripts/up', 'scripts/tools.ts'],
    packages: [],
    node: 'any',
  },
  {
    path: 'scripts/bench',
    mayImport: ['core', 'proto', 'controller', 'agent', 'api', 'scripts', 'test/support'],
    packages: 'any',
    node: 'any',
  },
  {
    path: 'test',
    mayImport: ['core', 'proto', 'controller', 'agent', 'api', 'cli', 'scripts'],
    packages: 'any',
    node: 'any',
  },
]

/** What every `*.test.ts` may import in addition: the test helpers, and state in memory instead of a server. */
export const TEST_FILES_MAY_IMPORT = ['test/support', 'controller/memory', 'scripts/tools.ts']

/** Words that only some files may spell. They are looked for in code, comments left out, test files left out. */
export interface Wording {
  /** Shown when it is found. */
  rule: string
  pattern: RegExp
  /** Folders and files that the rule is about. */
  within: string[]
  /** Those among them that may spell it. */
  except: string[]
}

/** Where keys, subjects, time and chance may be spelled. */
export const WORDINGS: Wording[] = [
  {
    rule: 'only controller/etcd spells an etcd key',
    pattern: /['"`]\/firn\//,
    within: ['core', 'proto', 'controller', 'agent', 'api', 'cli', 'scripts'],
    except: ['controller/etcd'],
  },
  {
    rule: 'only proto/subjects.ts spells a NATS subject',
    // Not where documents are read: there a text that starts so is the path of a field in their `firn` object.
    pattern: /['"`]firn\.(?!v\d)/,
    within: ['proto', 'controller', 'agent', 'cli', 'scripts'],
    except: ['proto/subjects.ts', 'proto/gen', 'controller/plan', 'controller/use-cases'],
  },
  {
    rule: 'pure code takes time and chance as arguments',
    pattern:
      /\bDate\.now\b|\bMath\.random\b|\bnew Date\(\s*\)|\bperformance\.|\bprocess\.|\bset(Timeout|Interval|Immediate)\b/,
    within: ['core', 'controller/plan'],
    // The clock of the machine, behind the interface that everyone else takes.
    except: ['core/clock-system.ts'],
  },
]
