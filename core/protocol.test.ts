import { describe, expect, it } from 'vitest'
import { protocolNow, protocolOldest } from './link.ts'
import { agentKnows, agreed, serverKnows, sinceOfToAgent, sinceOfToServer } from './protocol.ts'

describe('the protocol that two peers agree on', () => {
  it.each([
    ['the same', { from: 1, to: 1 }, { from: 1, to: 1 }, 1],
    ['the highest of both', { from: 1, to: 3 }, { from: 2, to: 5 }, 3],
    ["the older one's highest", { from: 1, to: 2 }, { from: 1, to: 1 }, 1],
    ['none, when one is too old', { from: 2, to: 3 }, { from: 1, to: 1 }, undefined],
    ['none, when one is too new', { from: 1, to: 1 }, { from: 2, to: 3 }, undefined],
  ])('is %s', (_, one, other, protocol) => {
    expect(agreed(one, other)).toBe(protocol)
    expect(agreed(other, one)).toBe(protocol)
  })
})

describe('a message', () => {
  it('has a version that this release speaks', () => {
    for (const since of [...Object.values(sinceOfToAgent), ...Object.values(sinceOfToServer)]) {
      expect(since).toBeGreaterThanOrEqual(protocolOldest)
      expect(since).toBeLessThanOrEqual(protocolNow)
    }
  })

  it('is known from its version on', () => {
    const drain = { type: 'drain', withinMs: 1 } as const
    const bye = { type: 'bye', reason: '' } as const
    expect([agentKnows(drain, 0), agentKnows(drain, 1), agentKnows(drain, 2)]).toEqual([false, true, true])
    expect([serverKnows(bye, 0), serverKnows(bye, 1), serverKnows(bye, 2)]).toEqual([false, true, true])
  })

  it('is known to everybody when it is what a line begins with', () => {
    const welcome = { type: 'welcome', server: 's', protocol: 1, beatMs: 1, silenceMs: 1 } as const
    expect(agentKnows(welcome, 0)).toBe(true)
    expect(serverKnows({ type: 'hello', hello: {} as never }, 0)).toBe(true)
  })
})
