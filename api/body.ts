import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import { Fault } from '../core/fault.ts'
import type { Json } from '../core/action.ts'
import { EdgeFault } from './faults.ts'
import { demandBounds, demandUnicode } from './json-bounds.ts'

/** Node's own request and response; absent when a test calls the app without a server. */
export type Bindings = { Bindings: Partial<HttpBindings> }

/** A request's body may have this many bytes. Whole Freezer documents have a few kilobytes. */
export const bodyBytesMax = 1024 * 1024

/** That of a stranger, who has no token: enough for a certificate request. */
export const strangersBytesMax = 64 * 1024

/** Whether a body was announced. Freezer's clients send GET, PUT and DELETE with a JSON content type and without one. */
export function hasBody(c: Context<Bindings>): boolean {
  const incoming = c.env?.incoming
  if (!incoming) return c.req.raw.body !== null
  return incoming.headers['transfer-encoding'] !== undefined || Number(incoming.headers['content-length']) > 0
}

/**
 * The JSON body, of at most so many bytes; undefined when it is empty. A Fetch request carries no body on GET, and Freezer's
 * searches do: so it is read from Node's request. Throws EdgeFault 'malformed_json', 'body_too_large' or 'wrong_media_type'
 * (it is compressed), Fault 'bad_request' (nested too deeply, too many values, no Unicode).
 */
export async function readJson(c: Context<Bindings>, bytesMax: number): Promise<Json | undefined> {
  if (!hasBody(c)) return undefined
  demandPlain(c.req.header('content-encoding'))
  const bytes = c.env?.incoming
    ? await bytesOf(c.env.incoming, bytesMax)
    : Buffer.from(await c.req.arrayBuffer())
  if (bytes.length > bytesMax) throw tooLarge(bytesMax)
  if (bytes.length === 0) return undefined
  demandBounds(bytes)
  const value = parsed(bytes)
  // What is UTF-8 is Unicode, unless an escape makes something else of it.
  if (bytes.includes('\\u')) demandUnicode(value)
  return value
}

function demandPlain(encoding: string | undefined): void {
  if (encoding === undefined || /^\s*(identity)?\s*$/i.test(encoding)) return
  throw new EdgeFault('wrong_media_type', `a body is sent as it is, not as ${encoding.slice(0, 80)}`)
}

function parsed(bytes: Buffer): Json {
  if (!isUtf8(bytes)) throw new EdgeFault('malformed_json', 'the body is no UTF-8')
  try {
    return JSON.parse(bytes.toString('utf8')) as Json
  } catch (error) {
    throw new EdgeFault('malformed_json', `the body is no JSON: ${(error as Error).message.slice(0, 200)}`)
  }
}

// Closing the connection spares reading the rest of what was refused.
const tooLarge = (bytesMax: number) =>
  new EdgeFault('body_too_large', `the body has more than ${bytesMax} bytes`, { connection: 'close' })

async function bytesOf(incoming: IncomingMessage, bytesMax: number): Promise<Buffer> {
  if (Number(incoming.headers['content-length']) > bytesMax) throw tooLarge(bytesMax)
  const chunks: Buffer[] = []
  let length = 0
  await new Promise<void>((resolve, reject) => {
    const over = (cause?: Error) => refuse(new Fault('cancelled', 'the request broke off', { cause }))
    const leave = () => incoming.off('data', take).off('end', ended).off('error', over).off('close', over)
    const ended = () => {
      leave()
      resolve()
    }
    const refuse = (error: Error) => {
      leave()
      // One that broke off may still say so.
      incoming.on('error', () => undefined)
      incoming.pause()
      reject(error)
    }
    const take = (chunk: Buffer) => {
      chunks.push(chunk)
      length += chunk.length
      if (length > bytesMax) refuse(tooLarge(bytesMax))
    }
    incoming.on('data', take).once('end', ended).once('error', over).once('close', over)
  })
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)
}
