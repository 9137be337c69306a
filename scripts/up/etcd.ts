// etcd with client certificates, alone on loopback.
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

/** How to reach etcd: an address, and files for a client's TLS. */
export interface EtcdAccess {
  readonly endpoint: string
  readonly ca: string
  readonly certificate: string
  readonly key: string
}

const quotaBytes = 8 * 2 ** 30
const answerMs = 1_000

/** Everything that etcd needs on disk, and how it is started. */
export async function etcdRecipe(
  layout: Layout,
  ports: { readonly client: number; readonly peer: number },
  base: Pick<Recipe, 'env'> & { readonly program: string; readonly moreArgs: readonly string[] },
): Promise<{ recipe: Recipe; access: EtcdAccess }> {
  const now = systemClock.now()
  const authority = await openAuthority(layout.controlCa, 'control', now)
  const hosts = ['localhost', '127.0.0.1']
  const tls = path.join(layout.etcd, 'tls')
  const own = await savePair(tls, 'etcd', await issueServer(authority, 'etcd', hosts, now))
  const access = await clientAccess(layout, authority, 'launcher', ports.client)
  // Listening needs an address, and clients a name: TLS has no server names that are addresses.
  const [listen, advertise] = ['127.0.0.1', 'localhost'].map((host) => `https://${host}:${ports.client}`)
  const peer = `https://127.0.0.1:${ports.peer}`
  const args = [
    ...['--name', 'firn', '--data-dir', path.join(layout.etcd, 'data')],
    ...['--listen-client-urls', listen ?? '', '--advertise-client-urls', advertise ?? ''],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
    ...['--initial-cluster', `firn=${peer}`],
    ...['--client-cert-auth', '--trusted-ca-file', access.ca],
    ...['--cert-file', own.certificate, '--key-file', own.key],
    ...['--peer-client-cert-auth', '--peer-trusted-ca-file', access.ca],
    ...['--peer-cert-file', own.certificate, '--peer-key-file', own.key],
    ...['--quota-backend-bytes', `${quotaBytes}`],
    ...['--auto-compaction-mode', 'periodic', '--auto-compaction-retention', '1h'],
    ...['--log-level', 'warn', '--logger', 'zap'],
    ...base.moreArgs,
  ]
  const agent = {
    ca: await readFile(access.ca),
    cert: await readFile(access.certificate),
    key: await readFile(access.key),
  }
  const recipe: Recipe = {
    ...{ name: 'etcd', kind: 'etcd', file: base.program, args, env: base.env },
    log: path.join(layout.logs, 'etcd.log'),
    stopMs: 5_000,
    isReady: () => isHealthy(`${access.endpoint}/health`, agent),
  }
  return { recipe, access }
}

/** A client's certificate for etcd, and where its files are. */
export async function clientAccess(
  layout: Layout,
  authority: Authority,
  name: string,
  port: number,
): Promise<EtcdAccess> {
  const tls = path.join(layout.etcd, 'tls')
  const pair = await savePair(tls, name, await issueClient(authority, name, systemClock.now()))
  const ca = path.join(tls, 'ca.pem')
  await writeFile(ca, authority.certificate, { mode: 0o600 })
  return { endpoint: `https://localhost:${port}`, ca, ...pair }
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
