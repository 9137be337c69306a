// Streams of lines and of events, as a server sends them.
import { EXIT, Failure } from './failure.ts'

/** An event of a stream of server-sent events. */
export interface ServerEvent {
  /** What `Last-Event-ID` takes to go on after it; undefined for an event that has no place of its own. */
  readonly id: string | undefined
  readonly event: string
  readonly data: string
}

/** No line that Firn sends is longer; a stream without line ends must not fill the memory. */
const LINE_MAX = 4 * 1024 * 1024

/** The lines of a stream of UTF-8, without their ends. A last line without an end counts. Longer ones than 4 MiB throw. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let open = ''
  for await (const chunk of chunks) {
    open += decoder.decode(chunk, { stream: true })
    let end = open.indexOf('\n')
    let start = 0
    for (; end >= 0; end = open.indexOf('\n', start)) {
      yield open.slice(start, open[end - 1] === '\r' && end > start ? end - 1 : end)
      start = end + 1
    }
    open = open.slice(start)
    if (open.length > LINE_MAX)
      throw new Failure(EXIT.failed, `the server sent a line of more than ${LINE_MAX} characters`)
  }
  if (open !== '') yield open
}

/** The events in a stream of lines. Comments, which keep connections open, are skipped; so is an unfinished last event. */
export async function* eventsOf(lines: AsyncIterable<string>): AsyncGenerator<ServerEvent> {
  let id: string | undefined
  let event = ''
  let data: string[] = []
  for await (const line of lines) {
    if (line === '') {
      if (data.length > 0) yield { id, event: event || 'message', data: data.join('\n') }
      id = undefined
      event = ''
      data = []
      continue
    }
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
    if (field === 'data') data.push(value)
    else if (field === 'event') event = value
    else if (field === 'id' && !value.includes('\0')) id = value
    if (data.length > 10_000) throw new Failure(EXIT.failed, 'the server sent an event without an end')
  }
}
