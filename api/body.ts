import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import { Fault, badField } from '../core/fault.ts'
import type { Json } from '../core/action.ts'
import { EdgeFault } from './faults.ts'

/** Node's own request and response; absent when a test calls the app without a server. */
export type Bindings = { Bindings: Partial<HttpBindings> }

/** A request's body may have this many bytes. Whole Freezer documents have a few kilobytes. */
export const bodyBytesMax = 1024 * 1024

/** How deep a document may be nested: far more than any published one, far less than what a recursion bears. */
const depthMax = 64

/** Whether a body was announced. Freezer's clients send GET, PUT and DELETE with a JSON content type and without one. */
export function hasBody(c: Context<Bindings>): boolean {
  const incoming = c.env?.incoming
  if (!incoming) return c.req.raw.body !== null
  return incoming.headers['transfer-encoding'] !== undefined || Number(incoming.headers['content-length']) > 0
}

/**
 * The JSON body; undefined when it is empty. A Fetch request carries no body on GET, and Freezer's searches do: so it is
 * read from Node's request. Throws EdgeFault 'malformed_json' or 'body_too_large', Fault 'bad_request' (nested too deeply).
 */
export async function readJson(c: Context<Bindings>): Promise<Json | undefined> {
  if (!hasBody(c)) return undefined
  const bytes = c.env?.incoming ? await bytesOf(c.env.incoming) : Buffer.from(await c.req.arrayBuffer())
  if (bytes.length > bodyBytesMax) throw tooLarge()
  if (bytes.length === 0) return undefined
  const value = parsed(bytes)
  if (depthOf(value) > depthMax) throw badField('body', `is nested more than ${depthMax} levels deep`)
  return value
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
const tooLarge = () =>
  new EdgeFault('body_too_large', `the body has more than ${bodyBytesMax} bytes`, { connection: 'close' })

async function bytesOf(incoming: IncomingMessage): Promise<Buffer> {
  if (Number(incoming.headers['content-length']) > bodyBytesMax) throw tooLarge()
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
      if (length > bodyBytesMax) refuse(tooLarge())
    }
    incoming.on('data', take).once('end', ended).once('error', over).once('close', over)
  })
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)
}

/** Without recursion: a body of opening brackets only must not end the process's stack. */
function depthOf(value: Json): number {
  let level: Json[] = [value]
  for (let depth = 0; ; depth++) {
    // Not by spreading: an array may have more items than a call has arguments.
    const next = level.flatMap((item) =>
      typeof item === 'object' && item !== null ? Object.values(item) : [],
    )
    if (next.length === 0 || depth > depthMax) return depth
    level = next
  }
}
