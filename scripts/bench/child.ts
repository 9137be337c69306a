// Processes of a benchmark: each is a file of this folder that answers questions of the process that started it.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** What a process can be asked; inputs and answers travel as structured clones. */
// The inputs differ from question to question, which no other type of a parameter allows.
// oxlint-disable-next-line typescript/no-explicit-any
export type Handlers = Record<string, (input: any) => unknown>

/** A process of a benchmark. Disposing ends it. */
export interface Child<H extends Handlers> extends AsyncDisposable {
  readonly pid: number
  /** Asks and waits for the answer, at most `withinMs` (two minutes). Rejects with what went wrong there. */
  ask<K extends keyof H & string>(
    what: K,
    input: Parameters<H[K]>[0],
    withinMs?: number,
  ): Promise<Awaited<ReturnType<H[K]>>>
}

interface Question {
  readonly id: number
  readonly what: string
  readonly input: unknown
}
type Reply = { readonly id: number } & ({ readonly value: unknown } | { readonly problem: string })

const answerMs = 120_000
const endMs = 5_000

/** The last resort for a benchmark that ends without disposing. */
const running = new Set<ChildProcess>()
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')))

/** Starts a file of this folder that calls `serveParent`. */
export function startChild<H extends Handlers>(file: string): Child<H> {
  // Profiles of these processes: FIRN_BENCH_CHILD_FLAGS='--cpu-prof --cpu-prof-dir=/tmp/profiles'.
  const execArgv = (process.env['FIRN_BENCH_CHILD_FLAGS'] ?? '').split(' ').filter((flag) => flag !== '')
  const child = fork(file, [], {
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv,
  })
  running.add(child)
  const open = new Map<number, PromiseWithResolvers<unknown>>()
  child.on('message', (reply: Reply) => {
    const asked = open.get(reply.id)
    open.delete(reply.id)
    if ('problem' in reply) asked?.reject(new Error(reply.problem))
    else asked?.resolve(reply.value)
  })
  child.once('exit', (code, signal) => {
    running.delete(child)
    for (const { reject } of open.values()) reject(new Error(`${file} ended (${signal ?? code})`))
    open.clear()
  })
  let next = 0
  return {
    pid: child.pid ?? 0,
    async ask(what, input, withinMs = answerMs) {
      const id = ++next
      const answer = Promise.withResolvers<unknown>()
      open.set(id, answer)
      const late = setTimeout(
        () => answer.reject(new Error(`${what}: no answer within ${withinMs} ms`)),
        withinMs,
      )
      child.send({ id, what, input } satisfies Question)
      try {
        return (await answer.promise) as never
      } finally {
        clearTimeout(late)
      }
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      const late = setTimeout(() => child.kill('SIGKILL'), endMs)
      child.disconnect()
      await ended
      clearTimeout(late)
    },
  }
}

/** Answers the parent's questions until it is gone; then this process ends. */
export function serveParent(handlers: Handlers): void {
  process.on('disconnect', () => process.exit(0))
  process.on('message', (question: Question) => void answer(handlers, question))
}

async function answer(handlers: Handlers, { id, what, input }: Question): Promise<void> {
  let reply: Reply
  try {
    const handler = handlers[what]
    if (!handler) throw new Error(`nobody answers ${what}`)
    reply = { id, value: await handler(input) }
  } catch (error) {
    reply = { id, problem: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
  if (process.connected) process.send?.(reply)
}
