import type { Clock } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import type { Answer } from '../../core/link.ts'
import type { AgentLine } from '../ports/lines.ts'
import type { Live } from '../ports/live.ts'

/** How long an agent may take to look into a repository: opening one costs about a second. Milliseconds. */
const answerMs = 20_000

/** Questions under way at once; more are refused. */
const asksMax = 1_000

/** What an agent may say of a question that is the caller's to know; anything else is a failure over there. */
const told = ['not_found', 'unsupported', 'busy', 'timeout'] as const

/** Questions to agents, each waiting for its answer. */
export class Asks {
  readonly #waiting = new Map<string, (answer: Answer) => void>()
  readonly #clock: Clock
  readonly #uuid: () => string

  constructor(clock: Clock, uuid: () => string) {
    this.#clock = clock
    this.#uuid = uuid
  }

  /** An agent's answer. One that nobody waits for any more is dropped. */
  answered(line: AgentLine, answer: Answer): void {
    this.#waiting.get(`${line.project}/${line.client}/${answer.id}`)?.(answer)
  }

  async browse(line: AgentLine | undefined, ask: Parameters<Live['browse']>[2]): ReturnType<Live['browse']> {
    if (!line)
      throw new Fault('agent_offline', 'the node that can reach its repository has no line to this server')
    const answer = await this.#ask(line, ask)
    if (answer.ok) return { entries: answer.entries, more: answer.more }
    const { code, text } = answer.reason
    throw new Fault(told.find((one) => one === code) ?? 'tool_failed', text)
  }

  async #ask(line: AgentLine, ask: Parameters<Live['browse']>[2]): Promise<Answer> {
    if (this.#waiting.size >= asksMax) throw new Fault('too_much', 'too many questions to agents at once')
    const id = this.#uuid()
    const name = `${line.project}/${line.client}/${id}`
    const giveUp = new AbortController()
    try {
      const answer = new Promise<Answer>((resolve) => this.#waiting.set(name, resolve))
      if (!line.send({ type: 'ask', ask: { id, about: 'browse', ...ask } }))
        throw new Fault('agent_offline', 'its line was lost')
      const late = this.#clock.sleep(answerMs, giveUp.signal).then(
        () => undefined,
        () => undefined,
      )
      const first = await Promise.race([answer, late])
      if (!first) throw new Fault('timeout', `the node did not answer within ${answerMs / 1_000} s`)
      return first
    } finally {
      giveUp.abort()
      this.#waiting.delete(name)
    }
  }
}
