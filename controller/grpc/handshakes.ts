import type { Socket } from 'node:net'

/**
 * How many TLS handshakes are under way together. All of them on one core take turns, so of ten thousand together the first would be
 * done when the last is, and nobody waits that long. Enough for some hundred a second over links that take 100 ms.
 */
const togetherMax = 64

/** A peer that takes longer does not keep others waiting any more: it may be slow, or hold its connection open for nothing. Milliseconds. */
const fairMs = 250

/** Lets connections begin their TLS handshake in the order in which they came, so many at a time. Whoever hands over bounds how many wait. */
export class Handshakes {
  readonly #begin: (socket: Socket) => void
  readonly #waiting: Socket[] = []
  /** Those that count, by the name of their connection. */
  readonly #underWay = new Map<string, () => void>()

  constructor(begin: (socket: Socket) => void) {
    this.#begin = begin
  }

  /** A connection that came, and is paused. */
  take(socket: Socket): void {
    this.#waiting.push(socket)
    this.#next()
  }

  /** The handshake of the connection with this name is over, well or badly. */
  over(name: string | undefined): void {
    if (name !== undefined) this.#underWay.get(name)?.()
  }

  #next(): void {
    while (this.#underWay.size < togetherMax) {
      const socket = this.#waiting.shift()
      if (socket === undefined) return
      const name = nameOfPeer(socket)
      // Gone while it waited.
      if (name === undefined || socket.destroyed) continue
      const done = (): void => {
        clearTimeout(slow)
        if (this.#underWay.get(name) === done && this.#underWay.delete(name)) this.#next()
      }
      const slow = setTimeout(done, fairMs)
      socket.once('close', done)
      this.#underWay.set(name, done)
      this.#begin(socket)
    }
  }
}

/** A connection's name, as gRPC calls have it too. undefined when it is closed already. */
export const nameOfPeer = ({ remoteAddress, remotePort }: Socket): string | undefined =>
  remoteAddress === undefined || remotePort === undefined ? undefined : `${remoteAddress}:${remotePort}`
