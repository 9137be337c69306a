// A TCP proxy between a client and a server under test, for what networks do to connections.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A proxy on a free port of 127.0.0.1 that can misbehave. */
export interface Proxy extends AsyncDisposable {
  readonly port: number
  /** `http://127.0.0.1:PORT`. */
  readonly url: string
  /** Connections accepted since the start: what a storm would show in. */
  readonly accepted: number
  /** Resets all connections and refuses new ones. */
  cut(): void
  /** Takes connections and bytes, and forwards nothing either way: what a firewall that drops looks like. */
  freeze(): void
  /** Forwards what clients say, and nothing that the server answers. */
  mute(): void
  /** Every piece is forwarded so many milliseconds later, each way. */
  delay(ms: number): void
  /** Calls `onBytes` for every piece from the server; it may call `cut`. */
  watchAnswers(onBytes: (total: number) => void): void
  /** Ends `cut`, `freeze`, `mute` and `delay`. Bytes that were dropped are lost: such connections are reset. */
  heal(): void
}

export async function startProxy(target: { port: number }): Promise<Proxy> {
  const proxy = new TcpProxy(target.port)
  await proxy.listen()
  return proxy
}

class TcpProxy implements Proxy {
  readonly #target: number
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  readonly #server = createServer({ noDelay: true }, (socket) => this.#accept(socket))
  #mode: 'open' | 'cut' | 'frozen' | 'mute' = 'open'
  #delayMs = 0
  #answered = 0
  #onBytes: (total: number) => void = () => {}
  accepted = 0
  port = 0

  constructor(target: number) {
    this.#target = target
  }

  get url() {
    return `http://127.0.0.1:${this.port}`
  }

  async listen() {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    this.port = (this.#server.address() as AddressInfo).port
  }

  cut() {
    this.#mode = 'cut'
    this.#resetAll()
  }

  freeze() {
    this.#mode = 'frozen'
  }

  mute() {
    this.#mode = 'mute'
  }

  delay(ms: number) {
    this.#delayMs = ms
  }

  watchAnswers(onBytes: (total: number) => void) {
    this.#answered = 0
    this.#onBytes = onBytes
  }

  heal() {
    if (this.#mode === 'frozen' || this.#mode === 'mute') this.#resetAll()
    this.#mode = 'open'
    this.#delayMs = 0
    this.#onBytes = () => {}
  }

  async [Symbol.asyncDispose]() {
    this.cut()
    await new Promise((closed) => this.#server.close(closed))
  }

  #accept(client: Socket) {
    this.accepted++
    // An error always comes with a close, which is what matters.
    client.on('error', () => {})
    if (this.#mode === 'cut') return void client.resetAndDestroy()
    const server = connect({ port: this.#target, host: '127.0.0.1', noDelay: true })
    server.on('error', () => {})
    const pair = [client, server] as const
    this.#pairs.add(pair)
    for (const socket of pair)
      socket.on('close', () => {
        this.#pairs.delete(pair)
        pair.forEach((end) => end.destroy())
      })
    client.on('data', (bytes) => {
      if (this.#mode === 'open' || this.#mode === 'mute') this.#forward(bytes, server)
    })
    server.on('data', (bytes) => {
      if (this.#mode === 'open') this.#forward(bytes, client)
      this.#answered += bytes.length
      this.#onBytes(this.#answered)
    })
  }

  #forward(bytes: Buffer, to: Socket) {
    if (this.#delayMs === 0) to.write(bytes)
    else setTimeout(() => to.write(bytes), this.#delayMs)
  }

  #resetAll() {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy()
  }
}
