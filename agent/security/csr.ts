import 'reflect-metadata'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/**
 * A certificate request (PEM) for a key (PKCS #8 PEM, P-256). It names nobody: who the agent is, the server decides by the
 * join token.
 */
export async function makeCsr(keyPem: string): Promise<string> {
  const key = createPrivateKey(keyPem)
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: ['agent'] }],
    signingAlgorithm: algorithm,
    keys: {
      privateKey: key.toCryptoKey(algorithm, false, ['sign']),
      publicKey: createPublicKey(key).toCryptoKey(algorithm, true, ['verify']),
    },
  })
  return request.toString('pem')
}
