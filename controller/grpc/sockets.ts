import { createHash } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { clientId, projectId, type ClientId, type ProjectId } from '../../core/ids.ts'
import { Handshakes, nameOfPeer } from './handshakes.ts'
import type { ServerTls } from './options.ts'

/** Whom a certificate names. */
export interface Certified {
  readonly project: ProjectId
  readonly client: ClientId
  /** SHA-256 of the certificate, hex. */
  readonly fingerprint: string
}

/** A connection from outside. */
export interface Peer {
  readonly socket: Socket
  /** Absent without TLS, and for a certificate of our CA that names no agent. */
  readonly certified?: Certified
}

/** How many connects may wait to be accepted: Node's own 511 overflow when thousands of agents come back at once. */
const backlog = 16_384
/** The whole TLS handshake. */
const handshakeMs = 10_000

/**
 * A TCP server with the project's own TLS settings that hands over what has passed them. `refused` is told of failed
 * handshakes.
 */
export function listener(
  tls: ServerTls | 'plain',
  accepted: (peer: Peer) => void,
  refused: (peer: string, why: string) => void,
): Server {
  if (tls === 'plain') return createServer({ noDelay: true }, (socket) => accepted({ socket }))
  const tlsServer = createTlsServer(
    {
      ca: tls.ca,
      key: tls.key,
      cert: tls.certificate,
      requestCert: true,
      rejectUnauthorized: true,
      // Both ends are ours: nothing older is needed.
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['h2'],
      handshakeTimeout: handshakeMs,
      noDelay: true,
    },
    (socket) => {
      handshakes.over(nameOfPeer(socket))
      accepted(peerOf(socket))
    },
  )
  tlsServer.on('tlsClientError', (error, socket) => {
    const name = nameOfPeer(socket)
    handshakes.over(name)
    refused(name ?? 'unknown', error.message)
    socket.destroy()
  })
  const handshakes = new Handshakes((socket) => tlsServer.emit('connection', socket))
  return createServer({ noDelay: true }, (socket) => handshakes.take(socket))
}

/** Resolves with the port. Rejects with the system's error (EADDRINUSE …). */
export function listen(
  server: Server,
  at: { readonly host: string; readonly port: number },
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ ...at, backlog }, () => {
      server.off('error', reject)
      // Failing accepts (out of file descriptors) must not end the process; the peers try again.
      server.on('error', () => undefined)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : at.port)
    })
  })
}

function peerOf(socket: TLSSocket): Peer {
  const certificate = socket.getPeerX509Certificate()
  const [, project, client] = /^CN=([^/\n]+)\/([^/\n]+)$/.exec(certificate?.subject ?? '') ?? []
  try {
    if (certificate === undefined || !socket.authorized) return { socket }
    const fingerprint = createHash('sha256').update(certificate.raw).digest('hex')
    return { socket, certified: { project: projectId(project), client: clientId(client), fingerprint } }
  } catch {
    return { socket }
  }
}
