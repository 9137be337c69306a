import { connect } from 'node:net'

const defaultPort = 4222

/**
 * Whether a nats-server sends its greeting within `ms`. nats.js leaves the socket of an attempt open that ran out of time
 * before the greeting, for as long as the peer hangs: so a peer that hung once is asked this way first. Never throws.
 */
export async function greets(server: string, ms: number): Promise<boolean> {
  const url = URL.parse(server.includes('://') ? server : `nats://${server}`)
  if (url === null) return false
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const socket = connect({ host, port: Number(url.port) || defaultPort })
  const greeted = Promise.withResolvers<boolean>()
  socket.once('data', () => greeted.resolve(true))
  socket.once('error', () => greeted.resolve(false))
  socket.once('close', () => greeted.resolve(false))
  const timer = setTimeout(() => greeted.resolve(false), ms)
  try {
    return await greeted.promise
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
}
