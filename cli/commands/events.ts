import type { Command, Invocation } from '../command.ts'
import { EXIT, type Failure } from '../failure.ts'
import { follow, idIn, type Happening } from '../follow.ts'
import { at, text, type Document } from '../json.ts'
import { paintState } from '../render/colour.ts'
import { formatBytes } from '../render/format.ts'
import { pad, visible, visibleJson } from '../render/width.ts'

/** How many past events are shown when nothing is said. */
const USUAL = 50

const events: Command = {
  name: 'events',
  summary: 'Print what happened, and with --follow what happens',
  details:
    'Events are what the servers publish on NATS subjects: states of runs, sets and clients. A broken connection is\n' +
    'opened again, and no stored event is missed meanwhile.',
  args: [],
  options: [
    { name: 'follow', short: 'f', help: 'go on with new events until interrupted' },
    { name: 'progress', help: 'with --follow: progress of runs too, which is not stored' },
    { name: 'after', value: 'ID', help: 'begin after this event; 0 is the oldest that is kept' },
    { name: 'limit', value: 'N', help: `without --follow: the last N; ${USUAL} when left out` },
  ],
  examples: [
    ['firn events', 'The last events'],
    ['firn events -f -o jsonl', 'Each new event as a line of JSON, for a program'],
  ],
  async run(invocation) {
    const { flags, io } = invocation
    const stopped = AbortSignal.any([io.signal, io.closed])
    try {
      if (flags.has('follow')) await printNew(invocation, stopped)
      else await printPast(invocation, stopped)
      return EXIT.ok
    } catch (error) {
      // Whoever closes the output has seen enough.
      if (io.closed.aborted && !io.signal.aborted) return EXIT.ok
      throw error
    }
  },
}

async function printNew(invocation: Invocation, signal: AbortSignal): Promise<void> {
  const { api, flags, io, out } = invocation
  let isBroken = false
  let timer: NodeJS.Timeout | undefined
  const isBack = () => {
    clearTimeout(timer)
    if (isBroken) out.note('connected again')
    isBroken = false
  }
  const happenings = follow(api(), {
    progress: flags.has('progress'),
    after: flags.text('after'),
    signal,
    pace: io.pace,
    // A server that has no events itself takes connections and ends them at once: one that lasts is one that works.
    onOpen: () => {
      timer = setTimeout(isBack, io.pace.quietMs)
    },
    onBreak: ({ message }) => {
      clearTimeout(timer)
      if (!isBroken) out.note(`${message}; trying again`)
      isBroken = true
    },
  })
  try {
    for await (const happening of happenings) {
      isBack()
      out.line(shown(happening, invocation))
    }
  } finally {
    clearTimeout(timer)
  }
}

/** The stream has no end: what is stored is all there once nothing came for a moment. */
async function printPast(invocation: Invocation, signal: AbortSignal): Promise<void> {
  const { api, flags, io, out } = invocation
  const limit = flags.whole('limit', 1) ?? USUAL
  const quiet = new AbortController()
  const last: Happening[] = []
  let timer: NodeJS.Timeout | undefined
  const wait = () => {
    clearTimeout(timer)
    timer = setTimeout(() => quiet.abort(), io.pace.quietMs)
  }
  const onBreak = ({ message }: Failure) => out.note(`${message}; trying again`)
  const options = { after: flags.text('after') ?? '0', pace: io.pace, onOpen: wait, onBreak }
  try {
    for await (const happening of follow(api(), {
      ...options,
      signal: AbortSignal.any([signal, quiet.signal]),
    })) {
      last.push(happening)
      if (last.length > limit) last.shift()
      wait()
    }
  } catch (error) {
    if (!quiet.signal.aborted) throw error
  } finally {
    clearTimeout(timer)
  }
  if (last.length === 0) out.note('no events')
  for (const happening of last) out.line(shown(happening, invocation))
}

function shown({ type, id, data }: Happening, { out }: Invocation): string {
  if (out.format === 'name') return visible(type)
  const known = { ...(id === undefined ? {} : { id }), event: type, ...data }
  if (!out.isForPeople) return visibleJson(JSON.stringify(known))
  const state = text(data, 'result') || text(data, 'state') || (type.split('.').at(-1) ?? '')
  const time = text(data, 'at').replace(/^\d{4}-\d\d-\d\dT/, '')
  const line = [
    out.paint.dim(pad(visible(time), 13)),
    paintState(state, out.paint)(pad(visible(type), 16)),
    ...aboutOf(data).map(([name, value]) => `${out.paint.dim(`${name}=`)}${visible(value)}`),
  ]
  return line.join(' ')
}

/** What an event is about, as names and values; the rest is in its JSON. */
function aboutOf(data: Document): [string, string][] {
  const done = at(data, 'done')
  const pairs: [string, string][] = [
    ['client', idIn(data, 'client')],
    [
      'set',
      text(data, 'set') || [idIn(data, 'session'), text(data, 'tag')].filter((it) => it !== '').join('.'),
    ],
    ['job', idIn(data, 'job')],
    ['run', idIn(data, 'run')],
    ['phase', text(data, 'phase')],
    ['done', typeof done === 'number' ? formatBytes(done) : ''],
    ['result', text(data, 'result')],
    ['grade', text(data, 'grade')],
    ['reason', text(data, 'reason', 'text') || text(data, 'reason')],
  ]
  return pairs.filter(([, value]) => value !== '')
}

export const eventCommands: readonly Command[] = [events]
