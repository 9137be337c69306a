import { X509Certificate, createHash, createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdir, open, readFile, rename, stat } from 'node:fs/promises'
import path from 'node:path'
import { instant, type Instant } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import { clientId, projectId, type ClientId, type ProjectId } from '../../core/ids.ts'

/** Who this agent is, and what it proves it with. */
export interface Identity {
  readonly project: ProjectId
  readonly client: ClientId
  /** PKCS #8, PEM. It was made here and never leaves the node. */
  readonly key: string
  /** PEM. Its common name is `<project>/<client>`. */
  readonly certificate: string
  /** The CA of servers and agents. PEM. */
  readonly ca: string
  /** SHA-256 of the certificate, hex. */
  readonly fingerprint: string
  readonly notBefore: Instant
  readonly notAfter: Instant
}

const keyName = 'agent.key.pem'
const certificateName = 'agent.pem'
const caName = 'ca.pem'

/**
 * This node's private key, made when there is none: PKCS #8 PEM in a file 0600 of the folder (0700). Throws
 * Fault('forbidden') when others may read it.
 */
export async function ownKey(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const existing = await read(dir, keyName)
  if (existing !== undefined) return existing
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  await write(dir, keyName, key)
  return key
}

/**
 * The identity in a folder; undefined before the enrolment. Throws Fault('bad_request') when its parts do not belong
 * together, and Fault('forbidden') when others may read the key.
 */
export async function readIdentity(dir: string): Promise<Identity | undefined> {
  const key = await read(dir, keyName)
  const certificate = await read(dir, certificateName)
  const ca = await read(dir, caName)
  if (key === undefined || certificate === undefined || ca === undefined) return undefined
  return identityOf(key, certificate, ca)
}

/**
 * Keeps what an enrolment or a renewal answered. At an enrolment `fingerprint` is the one in the join token: a CA
 * that is not the token's, whoever sent it, is refused. At a renewal it is that of the CA at hand. Throws
 * Fault('unauthenticated') for another CA or a certificate that is not from it, and Fault('bad_request') for one that is
 * not for this node's key; then nothing was stored.
 */
export async function storeIdentity(
  dir: string,
  answer: { readonly certificate: string; readonly ca: string },
  fingerprint: string,
): Promise<Identity> {
  if (fingerprintOf(parse(answer.ca)) !== fingerprint)
    throw new Fault('unauthenticated', 'the CA is not the one of the join token: somebody may be in between')
  const identity = identityOf(await ownKey(dir), answer.certificate, answer.ca)
  await write(dir, caName, answer.ca)
  await write(dir, certificateName, answer.certificate)
  return identity
}

/** SHA-256 of the identity's CA, hex. */
export const caFingerprint = (identity: Identity): string => fingerprintOf(parse(identity.ca))

/** When to renew: two thirds into the certificate's time, so that a month of absence does no harm. */
export const renewalDue = ({ notBefore, notAfter }: Identity): Instant =>
  instant(notBefore + ((notAfter - notBefore) * 2) / 3)

function identityOf(key: string, certificatePem: string, caPem: string): Identity {
  const certificate = parse(certificatePem)
  const ca = parse(caPem)
  if (!ca.ca || !certificate.checkIssued(ca) || !certificate.verify(ca.publicKey))
    throw new Fault('unauthenticated', 'the certificate is not from this CA')
  if (!certificate.checkPrivateKey(createPrivateKey(key)))
    throw new Fault('bad_request', "the certificate is not for this node's key")
  return {
    ...whoIs(certificate),
    key,
    certificate: certificatePem,
    ca: caPem,
    fingerprint: fingerprintOf(certificate),
    notBefore: instant(certificate.validFromDate.getTime()),
    notAfter: instant(certificate.validToDate.getTime()),
  }
}

function whoIs(certificate: X509Certificate): Pick<Identity, 'project' | 'client'> {
  const [, project, client] = /^CN=([^/\n]+)\/([^/\n]+)$/.exec(certificate.subject) ?? []
  return { project: projectId(project), client: clientId(client) }
}

function parse(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw new Fault('bad_request', 'not a certificate in PEM', { cause })
  }
}

const fingerprintOf = (certificate: X509Certificate): string =>
  createHash('sha256').update(certificate.raw).digest('hex')

async function read(dir: string, name: string): Promise<string | undefined> {
  const file = path.join(dir, name)
  try {
    if (name === keyName && ((await stat(file)).mode & 0o077) !== 0)
      throw new Fault('forbidden', `${file} can be read by others: chmod 600 it`)
    return await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** A file is replaced whole, and on disk before it is believed. */
async function write(dir: string, name: string, text: string): Promise<void> {
  const fresh = path.join(dir, `${name}.${randomBytes(6).toString('hex')}`)
  {
    await using handle = await open(fresh, 'wx', 0o600)
    await handle.writeFile(text)
    await handle.sync()
  }
  await rename(fresh, path.join(dir, name))
}
