import 'reflect-metadata'
import { KeyObject, createHash, createPrivateKey, randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'
import { badField } from '../../core/fault.ts'

/** A private key (PKCS #8) and the certificate for it. PEM. */
export interface KeyPair {
  readonly key: string
  readonly certificate: string
}

export type Use = 'server' | 'client'

/** What a certificate is to say. */
export interface CertificateWish {
  /** Its only subject field. */
  readonly commonName: string
  readonly uses: readonly Use[]
  /** DNS names and IP addresses that a server is reached at. */
  readonly hosts?: readonly string[]
  readonly notBefore: Date
  readonly notAfter: Date
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const usages = {
  server: x509.ExtendedKeyUsage.serverAuth,
  client: x509.ExtendedKeyUsage.clientAuth,
} as const satisfies Record<Use, string>
/** A request with a P-256 key and a few attributes has about 600 characters. */
const csrCharactersMax = 8_192

/** A new P-256 key pair whose private half can be exported. */
export const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])

/** PKCS #8, PEM. */
export const pemOfKey = (key: webcrypto.CryptoKey): string =>
  KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString()

/** SHA-256 of a certificate (PEM, the first in it) in DER. Hex. */
export const fingerprintOf = (certificate: string): string =>
  createHash('sha256')
    .update(Buffer.from(new x509.X509Certificate(certificate).rawData))
    .digest('hex')

/** A certificate that signs others and nothing else. */
export async function selfSigned(commonName: string, notBefore: Date, notAfter: Date): Promise<KeyPair> {
  const keys = await newKeys()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: nameOf(commonName),
    notBefore,
    notAfter,
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { key: pemOfKey(keys.privateKey), certificate: certificate.toString('pem') }
}

/** A certificate for a public key, signed by a CA. PEM. */
export async function sign(
  ca: KeyPair,
  publicKey: x509.PublicKey | webcrypto.CryptoKey,
  wish: CertificateWish,
): Promise<string> {
  const issuer = new x509.X509Certificate(ca.certificate)
  const hosts = (wish.hosts ?? []).map(
    (host) => ({ type: isIP(host) > 0 ? 'ip' : 'dns', value: host }) as const,
  )
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: nameOf(wish.commonName),
    issuer: issuer.subjectName.toJSON(),
    notBefore: wish.notBefore,
    notAfter: wish.notAfter,
    signingAlgorithm: algorithm,
    publicKey,
    signingKey: signingKey(ca.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(
        wish.uses.map((use) => usages[use]),
        true,
      ),
      ...(hosts.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(hosts)]),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  })
  return certificate.toString('pem')
}

/**
 * The public key of a certificate request (PEM) whose sender has proved to hold the private one. Nothing else in the
 * request counts. Throws Fault('bad_request').
 */
export async function keyOfRequest(csr: unknown): Promise<x509.PublicKey> {
  if (typeof csr !== 'string' || csr.length > csrCharactersMax)
    throw badField('csr', 'must be a certificate request in PEM')
  const request = await readRequest(csr)
  const { name, namedCurve } = request.publicKey.algorithm as { name: string; namedCurve?: string }
  if (name !== 'ECDSA' || namedCurve !== 'P-256') throw badField('csr', 'must be for a P-256 key')
  return request.publicKey
}

async function readRequest(csr: string): Promise<x509.Pkcs10CertificateRequest> {
  let request
  let signed = false
  try {
    request = new x509.Pkcs10CertificateRequest(csr)
    signed = await request.verify()
  } catch {
    throw badField('csr', 'must be a certificate request in PEM')
  }
  if (!signed) throw badField('csr', 'is not signed with its own key')
  return request
}

/** The name as a list, so that no character of it is taken for syntax. */
const nameOf = (commonName: string): x509.JsonName => [{ CN: [commonName] }]

/** 127 random bits: positive in DER, and never met twice. */
function newSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0] ?? 0) & 0x7f
  return bytes.toString('hex')
}

const signingKey = (pem: string): webcrypto.CryptoKey =>
  createPrivateKey(pem).toCryptoKey(algorithm, false, ['sign'])
