// etcd with client certificates on loopback: one member, or several that know each other.
import { readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import path from 'node:path'
import {
  issueClient,
  issueServer,
  openAuthority,
  savePair,
  type Authority,
} from '../../controller/security/ca.ts'
import { systemClock } from '../../core/clock-system.ts'
import type { Layout } from './layout.ts'
import type { Recipe } from './process.ts'

/** How to reach etcd: addresses of its members, and files for a client's TLS. */
export interface EtcdAccess {
  readonly endpoints: readonly string[]
  readonly ca: string
  readonly certificate: string
  readonly key: string
}

/** A port that something listens on, and the one under which others reach it. */
export interface Door {
  readonly port: number
  readonly reachedAt: number
}

/** One member; alone it is called `etcd`, as its process and its log. */
export interface EtcdMember {
  readonly name: string
  readonly client: Door
  readonly peer: Door
}

const quotaBytes = 8 * 2 ** 30
const answerMs = 1_000

/** Where a member keeps its data. */
export const etcdDataOf = (layout: Layout, name: string): string =>
  path.join(layout.etcd, name === 'etcd' ? 'data' : name)

/** Everything that etcd needs on disk, and how its members are started: all at once, for one alone does not get ready. */
export async function etcdRecipes(
  layout: Layout,
  members: readonly EtcdMember[],
  base: Pick<Recipe, 'env'> & { readonly program: string; readonly moreArgs: readonly string[] },
): Promise<{ recipes: Recipe[]; access: EtcdAccess }> {
  const now = systemClock.now()
  const authority = await openAuthority(layout.controlCa, 'control', now)
  const hosts = ['localhost', '127.0.0.1']
  const tls = path.join(layout.etcd, 'tls')
  const own = await savePair(tls, 'etcd', await issueServer(authority, 'etcd', hosts, now))
  const ports = members.map(({ client }) => client.reachedAt)
  const access = await clientAccess(layout, authority, 'launcher', ports)
  const agent = {
    ca: await readFile(access.ca),
    cert: await readFile(access.certificate),
    key: await readFile(access.key),
  }
  const peerUrl = ({ peer }: EtcdMember): string => `https://127.0.0.1:${peer.reachedAt}`
  const nameIn = ({ name }: EtcdMember): string => (name === 'etcd' ? 'firn' : name)
  const cluster = members.map((member) => `${nameIn(member)}=${peerUrl(member)}`).join(',')
  const recipes = members.map((member): Recipe => {
    const { name, client, peer } = member
    const args = [
      ...['--name', nameIn(member), '--data-dir', etcdDataOf(layout, name)],
      // Listening needs an address, and clients a name: TLS has no server names that are addresses.
      ...['--listen-client-urls', `https://127.0.0.1:${client.port}`],
      ...['--advertise-client-urls', `https://localhost:${client.reachedAt}`],
      ...['--listen-peer-urls', `https://127.0.0.1:${peer.port}`],
      ...['--initial-advertise-peer-urls', peerUrl(member), '--initial-cluster', cluster],
      ...['--client-cert-auth', '--trusted-ca-file', access.ca],
      ...['--cert-file', own.certificate, '--key-file', own.key],
      ...['--peer-client-cert-auth', '--peer-trusted-ca-file', access.ca],
      ...['--peer-cert-file', own.certificate, '--peer-key-file', own.key],
      ...['--quota-backend-bytes', `${quotaBytes}`],
      ...['--auto-compaction-mode', 'periodic', '--auto-compaction-retention', '1h'],
      ...['--log-level', 'warn', '--logger', 'zap'],
      ...base.moreArgs,
    ]
    return {
      ...{ name, kind: 'etcd', file: base.program, args, env: base.env },
      log: path.join(layout.logs, `${name}.log`),
      stopMs: 5_000,
      isReady: () => isHealthy(`https://localhost:${client.port}/health`, agent),
    }
  })
  return { recipes, access }
}

/** A client's certificate for etcd, and where its files are. */
export async function clientAccess(
  layout: Layout,
  authority: Authority,
  name: string,
  ports: readonly number[],
): Promise<EtcdAccess> {
  const tls = path.join(layout.etcd, 'tls')
  const pair = await savePair(tls, name, await issueClient(authority, name, systemClock.now()))
  const ca = path.join(tls, 'ca.pem')
  await writeFile(ca, authority.certificate, { mode: 0o600 })
  return { endpoints: ports.map((port) => `https://localhost:${port}`), ca, ...pair }
}

function isHealthy(url: string, tls: { ca: Buffer; cert: Buffer; key: Buffer }): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { ...tls, agent: false, signal: AbortSignal.timeout(answerMs) }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part: string) => (text += part))
      answer.on('end', () => resolve(text.includes('"true"'))).on('error', reject)
    })
    asked.on('error', reject).end()
  })
}
