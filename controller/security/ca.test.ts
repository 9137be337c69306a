import { X509Certificate, createPrivateKey } from 'node:crypto'
import { chmod, readdir, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { instant } from '../../core/clock.ts'
import { clientId, projectId } from '../../core/ids.ts'
import { tempDir } from '../../test/support/temp.ts'
import { issueClient, issueFromCsr, issueServer, openAuthority, savePair } from './ca.ts'

const now = instant(Date.UTC(2030, 0, 1))
const modeOf = async (...names: string[]) => ((await stat(path.join(...names))).mode & 0o777).toString(8)

describe('a CA', () => {
  it('is made once, and only its owner can read it', async () => {
    await using dir = await tempDir()
    const first = await openAuthority(dir.join('pki', 'agents'), 'agents', now)
    const again = await openAuthority(dir.join('pki', 'agents'), 'agents', now)
    expect(again).toEqual(first)
    expect(first.fingerprint).toMatch(/^[0-9a-f]{64}$/)
    expect(await modeOf(dir.path, 'pki', 'agents')).toBe('700')
    expect(await modeOf(dir.path, 'pki', 'agents', 'ca.key.pem')).toBe('600')
  })

  it('is the same for processes that start at once', async () => {
    await using dir = await tempDir()
    const open = () => openAuthority(dir.join('ca'), 'agents', now)
    const all = await Promise.all([open(), open(), open(), open()])
    expect(new Set(all.map((ca) => ca.fingerprint)).size).toBe(1)
    expect(await readdir(dir.path)).toEqual(['ca'])
  })

  it('is refused when others can read its key, or when its files are mixed up', async () => {
    await using dir = await tempDir()
    await openAuthority(dir.join('a'), 'agents', now)
    await chmod(dir.join('a', 'ca.key.pem'), 0o644)
    await expect(openAuthority(dir.join('a'), 'agents', now)).rejects.toMatchObject({ code: 'forbidden' })
    const other = await openAuthority(dir.join('b'), 'agents', now)
    await chmod(dir.join('a', 'ca.key.pem'), 0o600)
    await writeFile(dir.join('a', 'ca.pem'), other.certificate)
    await expect(openAuthority(dir.join('a'), 'agents', now)).rejects.toMatchObject({ code: 'bad_request' })
  })

  it('gives servers certificates for their names and addresses, good for nothing else', async () => {
    await using dir = await tempDir()
    const ca = await openAuthority(dir.join('ca'), 'agents', now)
    const pair = await issueServer(ca, 'firn-server', ['localhost', 'a.example', '127.0.0.1'], now)
    const certificate = new X509Certificate(pair.certificate)
    expect(certificate.checkPrivateKey(createPrivateKey(pair.key))).toBe(true)
    expect(certificate.checkIssued(new X509Certificate(ca.certificate))).toBe(true)
    expect(certificate.subjectAltName).toBe(
      'DNS:firn-server, DNS:localhost, DNS:a.example, IP Address:127.0.0.1',
    )
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
    expect(certificate.ca).toBe(false)
  })

  it('lets etcd use its certificate both ways, and a client of etcd only one', async () => {
    await using dir = await tempDir()
    const ca = await openAuthority(dir.join('ca'), 'control', now)
    const server = new X509Certificate((await issueServer(ca, 'etcd', ['127.0.0.1'], now)).certificate)
    const client = new X509Certificate((await issueClient(ca, 'firn', now)).certificate)
    expect(server.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
    expect(client.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
  })

  it('writes pairs for other programs where nobody else reads them, as often as asked', async () => {
    await using dir = await tempDir()
    const ca = await openAuthority(dir.join('ca'), 'control', now)
    for (let i = 0; i < 2; i++) {
      const files = await savePair(
        dir.join('etcd'),
        'server',
        await issueServer(ca, 'etcd', ['127.0.0.1'], now),
      )
      expect(await modeOf(files.key)).toBe('600')
    }
    expect((await readdir(dir.join('etcd'))).toSorted()).toEqual(['server.key.pem', 'server.pem'])
  })
})

describe('a request of an agent', () => {
  it.each([
    ['no text', 7],
    ['no request', 'hello'],
    ['an empty one', '-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n'],
    ['a huge one', 'x'.repeat(10_000)],
  ])('is refused by name when it is %s', async (_, csr) => {
    await using dir = await tempDir()
    const ca = await openAuthority(dir.join('ca'), 'agents', now)
    const agent = { project: projectId('p'), client: clientId('node-1') }
    await expect(issueFromCsr(ca, csr, agent, now)).rejects.toMatchObject({
      code: 'bad_request',
      detail: { field: 'csr' },
    })
  })
})
