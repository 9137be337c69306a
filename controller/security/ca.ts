import { X509Certificate, createPrivateKey, randomBytes } from 'node:crypto'
import { readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Instant } from '../../core/clock.ts'
import { instant } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import type { ClientId, ProjectId } from '../../core/ids.ts'
import { serverTlsName } from '../../core/link.ts'
import {
  fingerprintOf,
  keyOfRequest,
  newKeys,
  pemOfKey,
  selfSigned,
  sign,
  type KeyPair,
  type Use,
} from './certificates.ts'
import { hasCode, privateFolder, readPrivate, writePrivate } from './files.ts'

export type { KeyPair } from './certificates.ts'

/**
 * What a CA is for. They share no key, so that a certificate of one opens nothing of the other: `agents` signs servers of
 * agent lines and the agents themselves, `control` signs etcd and the servers as its clients.
 */
export type Purpose = 'agents' | 'control'

/** A certificate authority. Its key stays in memory and in its folder. */
export interface Authority {
  readonly purpose: Purpose
  /** PEM. */
  readonly certificate: string
  /** SHA-256 of the certificate, hex. */
  readonly fingerprint: string
  readonly pair: KeyPair
}

/** A certificate for an agent's key. */
export interface Issued {
  /** PEM. */
  readonly certificate: string
  /** SHA-256, hex: what `admits` is asked with. */
  readonly fingerprint: string
  readonly notAfter: Instant
}

const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** Replacing a CA means enrolling every node again. */
const caDays = 3_650
/** Servers get a new one at each start. */
const serverDays = 365
/** Agents renew after two thirds of it: a node may be off for a month. */
const agentDays = 90
/** A certificate holds from before it was made: the clocks of nodes differ. */
const backdateMs = hourMs

const keyName = 'ca.key.pem'
const certificateName = 'ca.pem'

/**
 * The CA in a folder (0700, its files 0600), made when there is none; several processes may start with the same folder
 * at once. Throws Fault('forbidden') when others may read its key, and Fault('bad_request') when its files do not belong together.
 */
export async function openAuthority(dir: string, purpose: Purpose, now: Instant): Promise<Authority> {
  const pair = (await readPair(dir)) ?? (await makePair(dir, purpose, now))
  return { purpose, certificate: pair.certificate, fingerprint: fingerprintOf(pair.certificate), pair }
}

async function readPair(dir: string): Promise<KeyPair | undefined> {
  const key = await readPrivate(path.join(dir, keyName))
  if (key === undefined) return undefined
  const pair = { key, certificate: await readFile(path.join(dir, certificateName), 'utf8') }
  if (!belongTogether(pair))
    throw new Fault('bad_request', `${dir}: key and certificate do not belong together`)
  return pair
}

function belongTogether({ key, certificate }: KeyPair): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))
  } catch {
    return false
  }
}

/** A whole folder is made aside and moved into place, so that nobody ever sees a part of it. */
async function makePair(dir: string, purpose: Purpose, now: Instant): Promise<KeyPair> {
  const pair = await selfSigned(
    `Firn ${purpose} CA`,
    new Date(now - backdateMs),
    new Date(now + caDays * dayMs),
  )
  const aside = `${dir}.${randomBytes(6).toString('hex')}`
  await privateFolder(aside)
  await writePrivate(path.join(aside, certificateName), pair.certificate)
  await writePrivate(path.join(aside, keyName), pair.key)
  try {
    await rename(aside, dir)
    return pair
  } catch (error) {
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error
    await rm(aside, { recursive: true, force: true })
  }
  const theirs = await readPair(dir)
  if (theirs === undefined) throw new Fault('bad_request', `${dir} has something else in it`)
  return theirs
}

/**
 * A new key and certificate for a server reached at `hosts` (DNS names and IP addresses). `agents`: it has the name that
 * agents ask for, too. `control`: it may be a client as well, for etcd's own gateway and its peers connect with the
 * certificate of the server.
 */
export async function issueServer(
  ca: Authority,
  name: string,
  hosts: readonly string[],
  now: Instant,
): Promise<KeyPair> {
  return ca.purpose === 'control'
    ? issuePair(ca, name, ['server', 'client'], now, hosts)
    : issuePair(ca, name, ['server'], now, [...new Set([serverTlsName, ...hosts])])
}

/** A new key and certificate for a process that connects to servers of this CA: Firn servers to etcd. */
export const issueClient = (ca: Authority, name: string, now: Instant): Promise<KeyPair> =>
  issuePair(ca, name, ['client'], now, [])

async function issuePair(
  ca: Authority,
  commonName: string,
  uses: readonly Use[],
  now: Instant,
  hosts: readonly string[],
): Promise<KeyPair> {
  const keys = await newKeys()
  const notAfter = new Date(now + serverDays * dayMs)
  const wish = { commonName, uses, hosts, notBefore: new Date(now - backdateMs), notAfter }
  return { key: pemOfKey(keys.privateKey), certificate: await sign(ca.pair, keys.publicKey, wish) }
}

/**
 * A certificate for an agent, at enrolment and at each renewal alike. Who it is is the server's decision: of the request
 * (PEM) only the key counts, and that its sender holds it. Throws Fault('bad_request') naming `csr`.
 */
export async function issueFromCsr(
  ca: Authority,
  csr: unknown,
  agent: { readonly project: ProjectId; readonly client: ClientId },
  now: Instant,
): Promise<Issued> {
  const key = await keyOfRequest(csr)
  const notAfter = instant(now + agentDays * dayMs)
  const certificate = await sign(ca.pair, key, {
    commonName: `${agent.project}/${agent.client}`,
    uses: ['client'],
    notBefore: new Date(now - backdateMs),
    notAfter: new Date(notAfter),
  })
  return { certificate, fingerprint: fingerprintOf(certificate), notAfter }
}

/**
 * Writes a key and its certificate where a program that reads files (etcd, nats-server) finds them, replacing older
 * ones. 0600 in a folder 0700.
 */
export async function savePair(
  dir: string,
  name: string,
  pair: KeyPair,
): Promise<{ key: string; certificate: string }> {
  await privateFolder(dir)
  const files = { key: path.join(dir, `${name}.key.pem`), certificate: path.join(dir, `${name}.pem`) }
  for (const part of ['key', 'certificate'] as const) {
    const fresh = `${files[part]}.${randomBytes(6).toString('hex')}`
    await writePrivate(fresh, pair[part])
    await rename(fresh, files[part])
  }
  return files
}
