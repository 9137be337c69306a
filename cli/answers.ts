// What answers that are no good mean: the one place that knows HTTP statuses and errors of connections.
import type { IncomingHttpHeaders } from 'node:http'
import { EXIT, Failure } from './failure.ts'
import { object, text } from './json.ts'

/** An answer as it came. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly server: string
}

/** How a status ends the command; others are unexpected. 753 is Freezer's "malformed JSON". */
const exits: Readonly<Record<number, number>> = {
  400: EXIT.usage,
  401: EXIT.denied,
  403: EXIT.denied,
  404: EXIT.notFound,
  405: EXIT.usage,
  408: EXIT.unreachable,
  409: EXIT.conflict,
  410: EXIT.notFound,
  412: EXIT.conflict,
  413: EXIT.usage,
  415: EXIT.usage,
  422: EXIT.usage,
  423: EXIT.conflict,
  429: EXIT.unreachable,
  502: EXIT.unreachable,
  503: EXIT.unreachable,
  504: EXIT.unreachable,
  753: EXIT.usage,
}

/** The Failure that an answer tells: in the server's words if it said any. */
export function failureOf(answer: Answer, { method, path }: { method: string; path: string }): Failure {
  const { status, server } = answer
  const body = bodyOf(answer.text)
  const said = body === undefined ? '' : wordsOf(body)
  if (said === '' && (status < 300 || !isJson(answer)))
    return new Failure(
      exits[status] ?? EXIT.failed,
      `${server} answered ${status} to ${method} ${path}, ${kindOf(answer)}`,
      {
        hint: 'is a Firn server there, and nothing else between?',
        status,
      },
    )
  if (status >= 300 && status < 400)
    return new Failure(EXIT.failed, `${server} answered ${status}: it points to another address`, {
      hint: 'give the server’s own address; tokens are not sent after a redirection',
      status,
    })
  const field = text(body, 'field')
  const named = field !== '' && !said.includes(field) ? `${field}: ${said}` : said
  const message = named || `${server} answered ${status} to ${method} ${path}`
  return new Failure(exits[status] ?? EXIT.failed, message, { hint: hintFor(answer, said), status })
}

function bodyOf(content: string): unknown {
  try {
    return JSON.parse(content) as unknown
  } catch {
    return undefined
  }
}

/** Problem documents, Freezer's errors and its 401, and Trove's, whose one key names the kind of error. */
const wordsOf = (body: unknown): string =>
  text(body, 'detail') ||
  text(body, 'description') ||
  text(Object.values(object(body))[0], 'message') ||
  text(body, 'title')

const isJson = ({ headers }: Answer) => /json/i.test(headers['content-type'] ?? '')

function kindOf({ headers, text }: Answer): string {
  if (text.trim() === '') return 'with nothing in it'
  const type = headers['content-type']?.split(';')[0]
  const start = text.trim().slice(0, 60).replaceAll(/\s+/g, ' ')
  return isJson({ headers } as Answer)
    ? `with broken JSON: ${start}`
    : `with ${type === undefined ? 'something' : type} that is no JSON: ${start}`
}

function hintFor({ status, headers }: Answer, said: string): string | undefined {
  const wait = headers['retry-after']
  switch (status) {
    case 401:
      return 'a token comes from --token-file, FIRN_TOKEN, or a context: firn config set-context'
    case 403:
      return 'who you are and which role you have: firn whoami'
    case 409:
      return wait === undefined || said.includes(`${wait} s`) ? undefined : `try again in ${wait} s`
    case 429:
    case 503:
      return `try again in ${wait ?? 'a few'} s; GET /readyz says what the server is missing`
    case 500: {
      const id = headers['x-openstack-request-id']
      return typeof id === 'string' ? `the server's log has it as ${id}` : undefined
    }
    default:
      return undefined
  }
}

const connectionProblems: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the host name cannot be looked up now',
  ECONNRESET: 'the connection broke',
  EPIPE: 'the connection broke',
  ETIMEDOUT: 'it does not answer',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'its certificate is self-signed; NODE_EXTRA_CA_CERTS names a file with the CA to trust',
  SELF_SIGNED_CERT_IN_CHAIN: 'its CA is not known; NODE_EXTRA_CA_CERTS names a file with the CA to trust',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its CA is not known; NODE_EXTRA_CA_CERTS names a file with the CA to trust',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
}

/** The Failure that an error of a connection is. */
export function unreachable(error: unknown, server: string): Failure {
  // Addresses tried one after the other hide their errors in a list.
  const inner = error instanceof AggregateError ? (error.errors[0] as unknown) : error
  const { code, message } = (inner ?? {}) as { code?: unknown; message?: unknown }
  const known = typeof code === 'string' ? connectionProblems[code] : undefined
  return new Failure(EXIT.unreachable, `${server} cannot be reached: ${known ?? String(message ?? error)}`, {
    hint: 'is it up? "firn up" starts one here; --server, FIRN_SERVER or a context name another',
    cause: error,
  })
}
