import type { Socket } from 'node:net'

/**
 * How many TLS handshakes are under way together. All of them on one core take turns, so of ten thousand together the first would be
 * done when the last is, and nobody waits that long. Enough for some hundred a second over links that take 100 ms.
 */
const togetherMax = 64

/** A peer that takes longer does not keep others waiting any more. Milliseconds. */
const fairMs = 250

/** A connection that says nothing for so long is closed. Milliseconds. */
const silentMs = 10_000

/**
 * Lets connections begin their TLS handshake in the order in which they spoke, so many at a time. Those that were given up
 * before their turn cost nothing: thousands of them would otherwise keep away those that came after. Whoever hands over bounds
 * how many wait.
 */
export class Handshakes {
  readonly #begin: (socket: Socket) => void
  readonly #waiting = new Set<Waiting>()
  /** Those that count, by the name of their connection. */
  readonly #underWay = new Map<string, () => void>()

  constructor(begin: (socket: Socket) => void) {
    this.#begin = begin
  }

  /** A connection that came, of which nothing was read. */
  take(socket: Socket): void {
    let waiting: Waiting | undefined
    let isGone = false
    const silence = setTimeout(() => socket.destroy(), silentMs)
    const gone = (): void => {
      isGone = true
      clearTimeout(silence)
      if (waiting) this.#waiting.delete(waiting)
      socket.destroy()
    }
    const spoke = (): void => {
      const said = socket.read() as Buffer | null
      if (said === null) return
      clearTimeout(silence)
      socket.off('readable', spoke)
      // The end of one that was given up in the system's queue is there already, right behind what it said.
      setImmediate(() => {
        if (isGone) return
        const release = (): void => void socket.off('end', gone).off('close', gone)
        waiting = { socket, said, release }
        this.#waiting.add(waiting)
        this.#next()
      })
    }
    socket
      .on('error', () => undefined)
      .on('end', gone)
      .on('close', gone)
    socket.on('readable', spoke)
  }

  /** The handshake of the connection with this name is over, well or badly. */
  over(name: string | undefined): void {
    if (name !== undefined) this.#underWay.get(name)?.()
  }

  #next(): void {
    for (const waiting of this.#waiting) {
      if (this.#underWay.size >= togetherMax) return
      this.#waiting.delete(waiting)
      this.#start(waiting)
    }
  }

  #start({ socket, said, release }: Waiting): void {
    const name = nameOfPeer(socket)
    release()
    if (name === undefined) return void socket.destroy()
    const done = (): void => {
      clearTimeout(slow)
      if (this.#underWay.get(name) !== done) return
      this.#underWay.delete(name)
      this.#next()
    }
    const slow = setTimeout(done, fairMs)
    socket.once('close', done)
    this.#underWay.set(name, done)
    socket.unshift(said)
    this.#begin(socket)
  }
}

/** A connection whose turn is still to come. */
interface Waiting {
  readonly socket: Socket
  /** Its first bytes. */
  readonly said: Buffer
  /** Nobody here is told any more of its end. */
  readonly release: () => void
}

/** A connection's name, as gRPC calls have it too. undefined when it is closed already. */
export const nameOfPeer = ({ remoteAddress, remotePort }: Socket): string | undefined =>
  remoteAddress === undefined || remotePort === undefined ? undefined : `${remoteAddress}:${remotePort}`
