import { Fault } from '../../core/fault.ts'

/** What Keystone answered. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** Undefined when the body is no JSON. */
  readonly document: unknown
}

/** An answer without its catalogue has a kilobyte. */
const answerBytesMax = 256 * 1024

/**
 * One request to Keystone, by node's own client. Follows no redirection: a token would go wherever that leads. Throws Fault
 * 'identity_down' when there is no answer before `signal` aborts, 'bad_message' for one that is too long.
 */
export async function request(
  url: string,
  init: { readonly method: string; readonly headers: Record<string, string>; readonly body?: string },
  signal: AbortSignal,
): Promise<Answer> {
  try {
    const response = await fetch(url, { ...init, redirect: 'error', signal })
    const text = await textOf(response)
    return { status: response.status, headers: response.headers, document: parsed(text) }
  } catch (cause) {
    if (cause instanceof Fault) throw cause
    throw away(cause)
  }
}

export const away = (cause: unknown): Fault =>
  new Fault('identity_down', 'Keystone does not answer', { cause })

async function textOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body ?? []) {
    length += chunk.length
    if (length > answerBytesMax) throw new Fault('bad_message', "Keystone's answer is too long")
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
