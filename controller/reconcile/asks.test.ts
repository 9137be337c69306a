import { describe, expect, it } from 'vitest'
import { clientId, projectId } from '../../core/ids.ts'
import { protocolNow, type ToAgent } from '../../core/link.ts'
import { realClock } from '../../test/support/real-clock.ts'
import type { AgentLine } from '../ports/lines.ts'
import { Asks } from './asks.ts'

const question = {
  repository: { engine: 'restic', location: '/srv/b', password: 'p' },
  ...{ engineRef: 'snap', path: '/etc', limit: 10 },
} as unknown as Parameters<Asks['browse']>[1]

describe('a question to an agent', () => {
  it.each([
    ['not_found', 'not_found'],
    ['unsupported', 'unsupported'],
    ['busy', 'busy'],
    ['timeout', 'timeout'],
    ['tool_failed', 'tool_failed'],
    ['unauthenticated', 'tool_failed'],
    ['no such word', 'tool_failed'],
  ])('that it answers with %s fails as %s', async (code, fault) => {
    const asks = new Asks(realClock, () => 'q1')
    const line: AgentLine = {
      ...{
        project: projectId('p'),
        client: clientId('n1'),
        fingerprint: '',
        hello: {} as AgentLine['hello'],
        protocol: protocolNow,
      },
      close: () => undefined,
      send(message: ToAgent) {
        const id = message.type === 'ask' ? message.ask.id : ''
        asks.answered(line, { id, ok: false, reason: { code, text: 'so it is' } })
        return true
      },
    }
    await expect(asks.browse(line, question)).rejects.toMatchObject({ code: fault, message: 'so it is' })
  })
})
