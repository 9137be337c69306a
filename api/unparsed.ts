import { STATUS_CODES, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** What node's parser says was wrong, by its codes. */
const refusals: ReadonlyMap<string | undefined, readonly [status: number, text: string]> = new Map([
  ['HPE_HEADER_OVERFLOW', [431, 'the address and the headers are too long together']],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', [413, 'the extensions of chunks are too long']],
  ['ERR_HTTP_REQUEST_TIMEOUT', [408, 'the request took too long to come in']],
])
const unreadable = [400, 'this is no request of HTTP'] as const

/**
 * Has a server answer what it could not read as a request, so that every client finds a type and its words: node would send a
 * bare status, at which Qinling's client dies. Which façade was meant is not known, so each finds its own keys.
 */
export function answerUnparsed(server: Server): void {
  const answers = new WeakMap<object, ServerResponse>()
  server.on('request', ({ socket }, answer) => answers.set(socket, answer))
  server.on('clientError', ({ code }: NodeJS.ErrnoException, socket) => {
    const before = answers.get(socket)
    // In the middle of another answer, it would be taken for a part of that.
    const isUnderWay = before?.headersSent === true && !before.writableFinished
    if (socket.writable && !isUnderWay) socket.write(answerOf(...(refusals.get(code) ?? unreadable)))
    ;(socket as Socket).destroySoon()
  })
}

function answerOf(status: number, text: string): string {
  const title = STATUS_CODES[status] ?? ''
  const freezers = { title, description: text }
  const troves = { code: status, message: text }
  const qinlings = { faultcode: 'Client', faultstring: text, debuginfo: null }
  const body = JSON.stringify({ ...freezers, ...troves, ...qinlings })
  return [
    `HTTP/1.1 ${status} ${title}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n')
}
