// Commands that launch a part of Firn. They are loaded only when called: nothing else of the command line needs them.
import type { Launcher } from '../command.ts'

/** What a part's main file exports. Resolves with the exit code. */
interface Part {
  main(args: string[]): Promise<number>
}

const up: Launcher = {
  name: 'up',
  summary: 'Start etcd, NATS, servers and agents on this machine, and leave them running',
  details: [
    'Data survives a stop and a new start. What crashes is started again, after pauses that grow; when one process ends',
    'five times within a minute, all is stopped and the exit code is 1. Ctrl-C stops everything that was started.',
    'The first agent looks after a database, orders, made at the first start, and may restore it into new ones.',
  ].join('\n'),
  args: [],
  options: [
    { name: 'port', value: 'PORT', help: 'where the REST API listens, on 127.0.0.1; 9090 when left out' },
    { name: 'data', value: 'DIR', help: 'where the data lies; .firn when left out' },
    { name: 'agents', value: 'N', help: 'how many agents; 3 when left out' },
    { name: 'servers', value: 'N', help: 'how many servers; 1 when left out' },
    {
      name: 'ready-file',
      value: 'FILE',
      help: 'written when all is ready: JSON with url, token, clients and pids; only ready.json below --data when left out',
    },
    { name: 'allow-exec', help: 'let jobs run any command on the agents' },
    { name: 'watch', help: 'start servers and agents again when their sources change' },
  ],
  examples: [
    ['firn up', 'One server and three agents, REST on http://127.0.0.1:9090'],
    ['firn up --agents 5 --ready-file ready.json', 'Five agents, and a file for scripts to wait for'],
  ],
  launch: async (args) => (await import('../../scripts/up/main.ts')).main(args),
}

const server: Launcher = {
  name: 'server',
  summary: 'Run one server',
  details: 'Any number of servers may share one etcd and one NATS; all of them serve REST and agents.',
  args: [],
  options: [{ name: 'config', short: 'c', value: 'FILE', required: true, help: 'its configuration' }],
  examples: [['firn server --config /etc/firn/server.yaml', 'Serve as the file says']],
  launch: async (args) => (await import('../../controller/main.ts')).main(args),
}

const agent: Launcher = {
  name: 'agent',
  summary: 'Run the agent of this node',
  args: [],
  options: [
    {
      ...{ name: 'config', short: 'c', value: 'FILE', required: true },
      help: 'its configuration: its identity, and what the node allows',
    },
  ],
  examples: [['firn agent --config /etc/firn/agent.yaml', 'Work as the file says']],
  launch: async (args) => (await import('../../agent/main.ts')).main(args),
}

const enrol: Launcher = {
  name: 'agent enrol',
  summary: 'Make this node known to a server, with a join token, which works once',
  details:
    'The join token comes from the file, from FIRN_JOIN_TOKEN, or from standard input: never from the command line,\n' +
    'which every user of the node can read. "firn client token" makes one.',
  args: [],
  options: [
    { name: 'server', value: 'URL', required: true, help: 'the server, e.g. https://backup.example.org' },
    {
      name: 'state-dir',
      value: 'DIR',
      required: true,
      help: 'where the agent keeps its identity and its journal',
    },
    { name: 'client-id', value: 'ID', help: 'the id of this node; its host name when left out' },
    { name: 'join-token-file', value: 'FILE', help: 'a file that holds the join token' },
  ],
  examples: [
    [
      'firn agent enrol --server https://backup.example.org --state-dir /var/lib/firn --join-token-file join-token',
      'Enrol under the node’s host name',
    ],
  ],
  launch: async (args) => (await import('../../agent/main.ts')).main(['enrol', ...args]),
}

const demo: Launcher = {
  name: 'demo',
  summary: 'Back up three nodes in one session, restore the set and compare it, on real parts',
  details: 'Everything runs on this machine in a temporary folder, and is gone afterwards.',
  args: [],
  options: [
    { name: 'keep', help: 'leave the folder with trees, data and restored files' },
    { name: 'small', help: 'less of everything' },
    { name: 'json', help: 'the outcome as JSON on standard output; everything else goes to standard error' },
  ],
  examples: [['firn demo', 'The whole round, with a table at its end']],
  launch: async (args) => (await load('../../scripts/demo/main.ts')).main(args),
}

async function load(file: string): Promise<Part> {
  return (await import(new URL(file, import.meta.url).href)) as Part
}

export const launchers: readonly Launcher[] = [up, server, agent, enrol, demo]
