// The product's own etcd takes nobody without a certificate of its CA.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { openEtcd } from '../../controller/etcd/open.ts'
import { issueClient, issueServer, openAuthority, savePair } from '../../controller/security/ca.ts'
import { systemClock } from '../../core/clock-system.ts'
import { toolPath } from '../../scripts/tools.ts'
import { eventually } from '../support/eventually.ts'
import { freePorts } from '../support/ports.ts'
import { RecordedFeed } from '../support/recorded-feed.ts'
import { tempDir } from '../support/temp.ts'

const doc = { kind: 'job' as const, project: 'p', id: 'a', text: '1' }

/** An etcd that asks for client certificates, and the pair of a client that it takes. */
async function startGuardedEtcd() {
  await using undo = new AsyncDisposableStack()
  const dir = undo.use(await tempDir('etcd'))
  const now = systemClock.now()
  const ca = await openAuthority(dir.join('ca'), 'control', now)
  const files = await savePair(dir.path, 'server', await issueServer(ca, 'etcd', ['127.0.0.1'], now))
  await writeFile(dir.join('trusted.pem'), ca.certificate)
  const [client = 0, peer = 0] = await freePorts(2)
  const url = `https://127.0.0.1:${client}`
  const child = spawn(
    toolPath('etcd'),
    [
      ...['--data-dir', dir.join('data'), '--listen-client-urls', url, '--advertise-client-urls', url],
      ...['--listen-peer-urls', `http://127.0.0.1:${peer}`],
      ...['--initial-advertise-peer-urls', `http://127.0.0.1:${peer}`],
      ...['--initial-cluster', `default=http://127.0.0.1:${peer}`],
      ...['--cert-file', files.certificate, '--key-file', files.key],
      ...['--client-cert-auth', '--trusted-ca-file', dir.join('trusted.pem')],
    ],
    { stdio: 'ignore' },
  )
  undo.defer(async () => {
    const ended = child.exitCode === null ? once(child, 'exit') : undefined
    child.kill('SIGKILL')
    await ended
  })
  const kept = undo.move()
  return { url, ca, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

it('serves a client with a certificate of the CA, watches and leads included, and no other', async () => {
  await using etcd = await startGuardedEtcd()
  const { key, certificate } = await issueClient(etcd.ca, 'server', systemClock.now())
  const ca = Buffer.from(etcd.ca.certificate)
  const tls = { ca, cert: Buffer.from(certificate), key: Buffer.from(key) }
  await using store = openEtcd({ endpoints: [etcd.url], tls, server: 's', clock: systemClock })
  const feed = new RecordedFeed()
  store.backend.follow(feed)
  await eventually(() => store.backend.commit({ requires: [], writes: [doc] }), { withinMs: 20_000 })
  await eventually(() => feed.text(doc) === '1')
  await eventually(() => store.leadership.epoch())

  await using dir = await tempDir('stranger')
  const strange = await openAuthority(dir.join('ca'), 'control', systemClock.now())
  const pair = await issueClient(strange, 'server', systemClock.now())
  const forged = { ca, cert: Buffer.from(pair.certificate), key: Buffer.from(pair.key) }
  await using stranger = openEtcd({ endpoints: [etcd.url], tls: forged, server: 'x', clock: systemClock })
  await expect(stranger.backend.revision()).rejects.toMatchObject({ code: 'store_down' })
  await using plain = openEtcd({ endpoints: [etcd.url], server: 'y', clock: systemClock })
  await expect(plain.backend.revision()).rejects.toMatchObject({ code: 'store_down' })
})
