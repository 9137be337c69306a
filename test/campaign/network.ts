// The network between the processes of a stack: every way goes through a proxy, which knows by the kernel's tables whose a
// connection is. So any two processes can be cut off from one another, in one direction or both, without root.
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** Whose process has this pid: what a stack can be asked for. */
export type PidsOf = () => Readonly<Record<string, number>>

interface Way {
  /** Whose it is; looked up only when that matters, as it takes a while. */
  from: string | undefined
  readonly to: string
  readonly client: Socket
  readonly server: Socket | undefined
  /** Something of it was dropped: it can only be reset. */
  isTorn: boolean
}

/** What one process sends to another is dropped. */
export interface Cut {
  readonly from: string
  readonly to: string
}

export class Network implements AsyncDisposable {
  readonly #servers: Server[] = []
  readonly #ways = new Set<Way>()
  #cuts: readonly Cut[] = []
  #pidsOf: PidsOf = () => ({})

  /** Where to look for whose a connection is; before that nothing can be cut. */
  know(pidsOf: PidsOf): void {
    this.#pidsOf = pidsOf
  }

  /** A proxy before a port; answers its own port. `what` begins with the name of the process that listens there. */
  async through(what: string, port: number): Promise<number> {
    const [to = ''] = what.split(' ')
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) =>
      this.#accept(socket, to, port),
    )
    this.#servers.push(server)
    server.listen({ port: 0, host: '127.0.0.1', backlog: 512 })
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }

  /** Silently drops what is sent that way, on open connections and on new ones. */
  cut(cuts: readonly Cut[]): void {
    this.#cuts = cuts
    const ownerOf = this.#owners()
    for (const way of this.#ways) way.from = ownerOf(way.client)
  }

  /** All ways are open; connections of which something was dropped are reset. */
  heal(): void {
    this.#cuts = []
    for (const way of this.#ways) if (way.isTorn) end(way)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const way of this.#ways) end(way)
    await Promise.all(this.#servers.map((server) => new Promise((closed) => server.close(closed))))
  }

  #isCut(from: string | undefined, to: string | undefined): boolean {
    return this.#cuts.some((cut) => cut.from === from && cut.to === to)
  }

  /** Whose an accepted connection is, of those whom the cuts are about. */
  #owners(): (socket: Socket) => string | undefined {
    const concerned = new Set(this.#cuts.flatMap(({ from, to }) => [from, to]))
    const pids = Object.entries(this.#pidsOf()).filter(([name]) => concerned.has(name))
    const byInode = new Map(pids.flatMap(([name, pid]) => socketsOf(pid).map((inode) => [inode, name])))
    const inodes = connections()
    return ({ remotePort, localPort }) => byInode.get(inodes.get(`${remotePort} ${localPort}`) ?? '')
  }

  #accept(client: Socket, to: string, port: number): void {
    client.on('error', () => {})
    const from = this.#cuts.length === 0 ? undefined : this.#owners()(client)
    const isLost = this.#isCut(from, to)
    const options = { port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true }
    const server = isLost ? undefined : connect(options)
    const way: Way = { from, to, client, server, isTorn: isLost }
    this.#ways.add(way)
    const over = (): void => {
      this.#ways.delete(way)
      end(way)
    }
    client.on('close', over)
    if (server === undefined) return void client.resume()
    server.on('error', () => {}).on('close', over)
    this.#pass(way, client, server, () => this.#isCut(way.from, way.to))
    this.#pass(way, server, client, () => this.#isCut(way.to, way.from))
  }

  /** One direction, with what is sent waiting for who is to take it. */
  #pass(way: Way, source: Socket, sink: Socket, isCut: () => boolean): void {
    let hasGap = false
    const drops = (): boolean => {
      // After a gap nothing that follows makes sense any more.
      hasGap ||= isCut()
      way.isTorn ||= hasGap
      return hasGap
    }
    source.on('data', (bytes) => {
      if (drops() || sink.write(bytes)) return
      source.pause()
      sink.once('drain', () => source.resume())
    })
    source.on('end', () => void (drops() || sink.end()))
  }
}

function end({ client, server }: Way): void {
  client.resetAndDestroy()
  server?.resetAndDestroy()
}

/** Sockets of loopback by their own port and the one that they are connected to, as Linux lists them. */
function connections(): Map<string, string> {
  const found = new Map<string, string>()
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6'])
    for (const line of readFileSync(file, 'latin1').split('\n').slice(1)) {
      const [, own, other, , , , , , , inode] = line.trim().split(/\s+/)
      if (own !== undefined && other !== undefined && inode !== undefined && inode !== '0')
        found.set(`${portOf(own)} ${portOf(other)}`, inode)
    }
  return found
}

const portOf = (address: string): number => Number.parseInt(address.split(':')[1] ?? '', 16)

/** Inodes of the sockets that a process has open; none when it has just ended. */
function socketsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`
  try {
    return readdirSync(folder).flatMap(
      (fd) => /^socket:\[(\d+)\]$/.exec(linkOf(`${folder}/${fd}`))?.[1] ?? [],
    )
  } catch {
    return []
  }
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file)
  } catch {
    return ''
  }
}
