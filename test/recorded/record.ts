// `node test/recorded/record.ts state-N [CHECKOUT]`: writes what a release stores, by a real run of that checkout.
// `node test/recorded/record.ts line-N [CHECKOUT]`: writes what it says, in its own bytes.
// Both to test/recorded/NAME.json; tests read it with every later release. Its secrets open nothing else.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { Etcd3 } from 'etcd3'
import type * as stacks from '../../scripts/up/stack.ts'
import { recordLine } from './messages.ts'
import { play } from './play.ts'

const root = path.join(import.meta.dirname, '../..')

async function main(name = '', from = root): Promise<void> {
  const checkout = path.resolve(from)
  const recording = name.startsWith('line-')
    ? await recordLine(checkout)
    : name.startsWith('state-')
      ? await recordState(checkout)
      : undefined
  if (recording === undefined)
    throw new Error('usage: node test/recorded/record.ts state-N|line-N [CHECKOUT]')
  const file = path.join(root, 'test/recorded', `${name}.json`)
  await writeFile(file, `${JSON.stringify(recording, undefined, 1)}\n`)
  process.stdout.write(`recorded in ${file}\n`)
}

async function recordState(checkout: string) {
  const of = pathToFileURL(path.join(checkout, 'scripts/up/stack.ts')).href
  const { startStack } = (await import(of)) as typeof stacks
  const dir = await mkdtemp(path.join(tmpdir(), 'firn-record-'))
  const say = (text: string) => void process.stdout.write(`${text}\n`)
  const agents = [{ commands: 'any', database: true } as const, { commands: 'any' } as const]
  // Nothing of what is under way may come to an end while it is recorded.
  const limits = { prepare_seconds: 3_600, start_seconds: 7 * 86_400 }
  const stack = await startStack({ say, agents, dataDir: path.join(dir, 'data'), serverConfig: { limits } })
  try {
    await play(stack, path.join(dir, 'docs'))
    const documents = await stored(stack.etcd)
    await stack.process('agent-1').crash()
    return {
      at: Date.now(),
      documents,
      keys: await texts(stack.layout.keys, ['sealing.key']),
      agents: {
        'node-1': await texts(path.join(stack.layout.agents, 'node-1'), ['journal', 'instances.json']),
        'node-2': await texts(path.join(stack.layout.agents, 'node-2'), ['journal', 'instances.json']),
      },
    }
  } finally {
    await stack.stop(say)
    await rm(dir, { recursive: true, force: true })
  }
}

/** Every key and value below Firn's prefix, but the leader's and the mark. */
async function stored(access: stacks.Stack['etcd']): Promise<{ key: string; text: string }[]> {
  const client = new Etcd3({
    hosts: [...access.endpoints],
    credentials: {
      rootCertificate: await readFile(access.ca),
      privateKey: await readFile(access.key),
      certChain: await readFile(access.certificate),
    },
  })
  try {
    const found = await client.getAll().prefix('/firn/').strings()
    return Object.entries(found)
      .map(([key, text]) => ({ key, text }))
      .filter(({ text }) => text.startsWith('{'))
  } finally {
    client.close()
  }
}

/** Those of the files of a folder that are there. */
async function texts(folder: string, wanted: readonly string[]): Promise<Record<string, string>> {
  const found = (await readdir(folder)).filter((name) => wanted.includes(name))
  const read = found.map(async (name) => [name, await readFile(path.join(folder, name), 'utf8')] as const)
  return Object.fromEntries(await Promise.all(read))
}

await main(...(process.argv.slice(2) as [string?, string?]))
