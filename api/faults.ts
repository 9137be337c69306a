import { isFault, type FaultCode } from '../core/fault.ts'

/**
 * How a route tells its errors: Freezer's `{title, description}`, Trove's `{"<fault>": {code, message}}`, Qinling's
 * `{faultcode, faultstring}`, or RFC 9457's problem+json.
 */
export type ErrorForm = 'freezer' | 'trove' | 'qinling' | 'problem'

/** What only the edge can find wrong with a request. */
export type EdgeCode =
  | 'malformed_json'
  | 'invalid_parameter'
  | 'bad_data'
  | 'unknown_path'
  | 'wrong_method'
  | 'not_acceptable'
  | 'body_too_large'
  | 'wrong_media_type'
  | 'not_implemented'
  | 'too_many_requests'
  | 'key_reused'
  | 'outcome_unknown'
  | 'bug'

/** Refuses a request before any use case sees it. */
export class EdgeFault extends Error {
  override readonly name = 'EdgeFault'
  readonly code: EdgeCode
  readonly headers: Readonly<Record<string, string>>

  constructor(code: EdgeCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.code = code
    this.headers = headers
  }
}

/** An error as it leaves the server. */
export interface FaultAnswer {
  readonly status: number
  /** The reason phrase, where the standard one does not do. */
  readonly phrase?: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: object
  /** Nobody foresaw it: to be logged whole, and told without detail. */
  readonly unexpected: boolean
}

interface Row {
  readonly status: number
  readonly title: string
  /** Where Freezer's published answers differ. */
  readonly freezer?: { readonly status?: number; readonly title?: string; readonly phrase?: string }
  /** Where Trove's and Qinling's do. */
  readonly trove?: { readonly status: number }
  readonly qinling?: { readonly status: number }
}

/** Every fault's answer; a new code does not compile until it has one here. */
const rows = {
  bad_request: { status: 400, title: 'Bad request', freezer: { title: 'Bad request format' } },
  not_found: { status: 404, title: 'Not Found' },
  conflict: { status: 409, title: 'Conflict', freezer: { title: 'Document already existing' } },
  forbidden: { status: 403, title: 'Forbidden', freezer: { title: 'Access Forbidden' } },
  unauthenticated: { status: 401, title: 'Unauthorized' },
  stale_write: { status: 409, title: 'Changed meanwhile' },
  precondition_failed: { status: 412, title: 'Precondition Failed' },
  unreadable: { status: 503, title: 'Service Unavailable' },
  fenced: { status: 503, title: 'Service Unavailable' },
  store_down: { status: 503, title: 'Service Unavailable' },
  feed_down: { status: 503, title: 'Service Unavailable' },
  identity_down: { status: 503, title: 'Service Unavailable' },
  agent_offline: { status: 409, title: 'Agent offline', trove: { status: 422 } },
  busy: { status: 409, title: 'Not now', trove: { status: 422 } },
  unsupported: { status: 422, title: 'Not supported', freezer: { status: 409 } },
  bad_message: { status: 502, title: 'Bad answer from a peer', trove: { status: 503 } },
  too_much: { status: 413, title: 'Too much' },
  timeout: { status: 504, title: 'Took too long', trove: { status: 503 } },
  cancelled: { status: 409, title: 'Cancelled' },
  stopping: { status: 503, title: 'Service Unavailable' },
  tool_failed: { status: 502, title: 'A tool failed', trove: { status: 503 } },
  malformed_json: {
    status: 400,
    title: 'Malformed JSON',
    // Published and real: HTTP has no such status, Freezer's clients know it.
    freezer: { status: 753, phrase: 'Syntax Error' },
  },
  invalid_parameter: { status: 400, title: 'Bad request', freezer: { title: 'Invalid parameter' } },
  bad_data: { status: 400, title: 'Bad request', freezer: { title: 'Bad Data Format' } },
  unknown_path: { status: 404, title: 'Not Found' },
  wrong_method: { status: 405, title: 'Method Not Allowed', freezer: { title: 'Bad Method' } },
  not_acceptable: { status: 406, title: 'Not Acceptable' },
  body_too_large: { status: 413, title: 'Content Too Large' },
  wrong_media_type: { status: 415, title: 'Unsupported Media Type' },
  not_implemented: { status: 501, title: 'Not Implemented' },
  // Trove's clients bear Retry-After with 413 only.
  too_many_requests: { status: 429, title: 'Too Many Requests', trove: { status: 413 } },
  key_reused: { status: 422, title: 'Key used for another request' },
  outcome_unknown: { status: 409, title: 'Outcome unknown' },
  bug: {
    status: 500,
    title: 'Internal Server Error',
    freezer: { title: 'Internal Storage Error' },
    // Qinling's client dies of a TypeError at every 500.
    qinling: { status: 503 },
  },
} as const satisfies Record<FaultCode | EdgeCode, Row>

/** Status and title of each code of a problem, for the reference. */
export const faultRows: Readonly<Record<FaultCode | EdgeCode, Pick<Row, 'status' | 'title'>>> = rows

/** How clients are told to identify themselves: by Keystone's tokens where there is a Keystone. */
const challengeOf = (keystone: string | undefined): string =>
  keystone === undefined ? 'Token realm="firn", header="X-Auth-Token"' : `Keystone uri="${keystone}"`

/** The answer to anything thrown while a request was served. `keystone`: where callers get tokens, if from there. */
export function answerTo(error: unknown, form: ErrorForm, keystone?: string): FaultAnswer {
  const { code, message, field, headers } = told(error)
  const row: Row = rows[code]
  const freezer = form === 'freezer' ? row.freezer : undefined
  const own = form === 'problem' ? undefined : row[form]
  const status = own?.status ?? row.status
  const title = freezer?.title ?? row.title
  return {
    status,
    ...(freezer?.phrase === undefined ? {} : { phrase: freezer.phrase }),
    headers: {
      ...(form === 'trove' && status !== 413 ? without(headers, 'retry-after') : headers),
      ...(code === 'unauthenticated' ? { 'www-authenticate': challengeOf(keystone) } : {}),
      'content-type': form === 'problem' ? 'application/problem+json' : 'application/json',
    },
    body: bodyOf(form, { status, title, message, code, field, retryAfter: headers['retry-after'] }),
    unexpected: code === 'bug',
  }
}

const without = (headers: Readonly<Record<string, string>>, name: string): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name))

interface Told {
  readonly code: FaultCode | EdgeCode
  readonly message: string
  readonly field?: string
  readonly headers: Readonly<Record<string, string>>
}

function told(error: unknown): Told {
  if (error instanceof EdgeFault) return { code: error.code, message: error.message, headers: error.headers }
  if (!isFault(error))
    return { code: 'bug', message: 'an internal error; the server has logged it', headers: {} }
  const { field, retryAfterMs } = error.detail
  return {
    code: error.code,
    message: error.message,
    ...(field === undefined ? {} : { field }),
    headers: retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) },
  }
}

interface Said {
  readonly status: number
  readonly title: string
  readonly message: string
  readonly code: string
  readonly field: string | undefined
  /** Seconds, as the header says it. */
  readonly retryAfter: string | undefined
}

function bodyOf(form: ErrorForm, { status, title, message, code, field, retryAfter }: Said): object {
  switch (form) {
    case 'freezer':
      return freezerBody(status, title, message)
    case 'trove':
      return {
        [troveFaults[status] ?? 'instanceFault']: {
          ...{ code: status, message },
          ...(status === 413 && retryAfter !== undefined ? { details: message, retryAfter } : {}),
        },
      }
    case 'qinling':
      return { faultcode: status < 500 ? 'Client' : 'Server', faultstring: message, debuginfo: null }
    case 'problem':
      return problem(status, title, message, code, field)
  }
}

/** Trove's names of faults, by status. Its clients read the message under whichever key there is. */
const troveFaults: Readonly<Record<number, string>> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  406: 'notAcceptable',
  409: 'conflict',
  413: 'overLimit',
  415: 'badMediaType',
  422: 'unprocessableEntity',
  500: 'instanceFault',
  501: 'notImplemented',
  503: 'serviceUnavailable',
}

function freezerBody(status: number, title: string, description: string): object {
  if (status === 401) return { error: { code: 401, title, message: description }, title, description }
  return { title, description }
}

function problem(
  status: number,
  title: string,
  detail: string,
  code: string,
  field: string | undefined,
): object {
  // Stable for each code, and where it is explained.
  const type = `/reference#fault-${code}`
  return { type, title, status, detail, code, ...(field === undefined ? {} : { field }) }
}
