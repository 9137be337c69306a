import { describe, expect, it } from 'vitest'
import { runId } from '../core/ids.ts'
import type { ToServer } from '../core/link.ts'
import { decodeToServer, encodeToServer } from './line.ts'

const accepted = (run: string, attempt = 1): ToServer => ({
  type: 'accepted',
  run: runId(run),
  attempt,
  armed: false,
})
const bye = (length: number): ToServer => ({ type: 'bye', reason: 'x'.repeat(length) })

describe('bytes of a message', () => {
  it('stay what they are while others are made', () => {
    const first = encodeToServer(accepted('run-1'))
    encodeToServer(accepted('run-2'))
    expect(decodeToServer(first)).toEqual({ ok: true, message: accepted('run-1') })
  })

  it('hold nothing of one before that could not be made', () => {
    expect(() => encodeToServer(accepted('run-1', 2 ** 60))).toThrow()
    expect(decodeToServer(encodeToServer(accepted('run-2')))).toEqual({
      ok: true,
      message: accepted('run-2'),
    })
  })

  it('are right after a large one, too', () => {
    const large = encodeToServer(bye(1_000_000))
    expect(decodeToServer(encodeToServer(bye(3)))).toEqual({ ok: true, message: bye(3) })
    expect(decodeToServer(large)).toEqual({ ok: true, message: bye(1_000_000) })
  })
})
