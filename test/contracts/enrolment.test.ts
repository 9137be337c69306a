import { X509Certificate } from 'node:crypto'
import { chmod, stat } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { makeCsr } from '../../agent/security/csr.ts'
import {
  caFingerprint,
  ownKey,
  readIdentity,
  renewalDue,
  storeIdentity,
} from '../../agent/security/identity.ts'
import { issueFromCsr, issueServer, openAuthority } from '../../controller/security/ca.ts'
import { instant } from '../../core/clock.ts'
import { clientId, projectId } from '../../core/ids.ts'
import { tempDir } from '../support/temp.ts'

const now = instant(Date.UTC(2030, 0, 1))
const dayMs = 86_400_000
const agent = { project: projectId('project_1'), client: clientId('f-o-o_node-1.example.org') }

/** An agent's folder and a CA, and what the server answers to the agent's request. */
async function enrolled(dir: { join(name: string): string }) {
  const ca = await openAuthority(dir.join('ca'), 'agents', now)
  const csr = await makeCsr(await ownKey(dir.join('agent')))
  return { ca, issued: await issueFromCsr(ca, csr, agent, now) }
}

describe('an agent that enrols', () => {
  it('gets a certificate for its own key under the name that the server decides', async () => {
    await using dir = await tempDir()
    expect(await readIdentity(dir.join('agent'))).toBeUndefined()
    const { ca, issued } = await enrolled(dir)
    const answer = { certificate: issued.certificate, ca: ca.certificate }
    const identity = await storeIdentity(dir.join('agent'), answer, ca.fingerprint)
    expect(identity).toMatchObject({ ...agent, fingerprint: issued.fingerprint, notAfter: issued.notAfter })
    expect(await readIdentity(dir.join('agent'))).toEqual(identity)
    expect(caFingerprint(identity)).toBe(ca.fingerprint)
    const certificate = new X509Certificate(issued.certificate)
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
    expect(certificate.ca).toBe(false)
  })

  it('keeps its key to itself', async () => {
    await using dir = await tempDir()
    const key = await ownKey(dir.join('agent'))
    expect(await ownKey(dir.join('agent'))).toBe(key)
    expect(((await stat(dir.join('agent'))).mode & 0o777).toString(8)).toBe('700')
    expect(((await stat(dir.join('agent/agent.key.pem'))).mode & 0o777).toString(8)).toBe('600')
    await chmod(dir.join('agent/agent.key.pem'), 0o640)
    await expect(ownKey(dir.join('agent'))).rejects.toMatchObject({ code: 'forbidden' })
  })

  it('refuses a CA that is not the one of its join token', async () => {
    await using dir = await tempDir()
    const { ca, issued } = await enrolled(dir)
    const answer = { certificate: issued.certificate, ca: ca.certificate }
    const other = await openAuthority(dir.join('other'), 'agents', now)
    const storing = storeIdentity(dir.join('agent'), answer, other.fingerprint)
    await expect(storing).rejects.toMatchObject({ code: 'unauthenticated' })
    expect(await readIdentity(dir.join('agent'))).toBeUndefined()
  })

  it('refuses a certificate of another CA, for another key, or that is none', async () => {
    await using dir = await tempDir()
    const { ca, issued } = await enrolled(dir)
    const other = await openAuthority(dir.join('other'), 'agents', now)
    const store = (certificate: string, by = ca) =>
      storeIdentity(dir.join('agent'), { certificate, ca: by.certificate }, by.fingerprint)
    await expect(store(issued.certificate, other)).rejects.toMatchObject({ code: 'unauthenticated' })
    const elsewhere = await issueServer(ca, 'project/other', ['127.0.0.1'], now)
    await expect(store(elsewhere.certificate)).rejects.toMatchObject({ code: 'bad_request' })
    await expect(store('hello')).rejects.toMatchObject({ code: 'bad_request' })
  })

  it('renews with the same key, a month before its time is over', async () => {
    await using dir = await tempDir()
    const { ca, issued } = await enrolled(dir)
    const answer = { certificate: issued.certificate, ca: ca.certificate }
    const identity = await storeIdentity(dir.join('agent'), answer, ca.fingerprint)
    expect(renewalDue(identity) - now).toBeGreaterThan(59 * dayMs)
    expect(identity.notAfter - renewalDue(identity)).toBeGreaterThan(30 * dayMs)
    const later = instant(renewalDue(identity))
    const renewed = await issueFromCsr(ca, await makeCsr(identity.key), agent, later)
    const answered = { certificate: renewed.certificate, ca: ca.certificate }
    const next = await storeIdentity(dir.join('agent'), answered, caFingerprint(identity))
    expect(next.notAfter).toBeGreaterThan(identity.notAfter)
    expect(next.fingerprint).not.toBe(identity.fingerprint)
  })

  it('gets nothing for a request whose signature is not by its key', async () => {
    await using dir = await tempDir()
    const ca = await openAuthority(dir.join('ca'), 'agents', now)
    const csr = await makeCsr(await ownKey(dir.join('agent')))
    const [head = '', ...lines] = csr.trim().split('\n')
    const der = Buffer.from(lines.slice(0, -1).join(''), 'base64')
    der[der.length - 1] = (der.at(-1) ?? 0) ^ 1
    const forged = [head, der.toString('base64'), lines.at(-1)].join('\n')
    await expect(issueFromCsr(ca, forged, agent, now)).rejects.toMatchObject({ detail: { field: 'csr' } })
  })
})
