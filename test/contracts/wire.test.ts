import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Fault } from '../../core/fault.ts'
import * as wire from '../../proto/gen/firn/v1/agent.ts'
import { decodeToAgent, decodeToServer, encodeToAgent, encodeToServer } from '../../proto/line.ts'
import { tasksFromJson, tasksToJson } from '../../proto/tasks.ts'
import {
  reportFromJson,
  reportToJson,
  toServerFromWire,
  wireFromToAgent,
  wireFromToServer,
} from '../../proto/wire.ts'
import { order, report, task, toAgent, toServer } from './wire-values.ts'

/** What `act` gives, or the code of the Fault that it throws; any other error fails the test. */
function outcome(act: () => unknown): unknown {
  try {
    return act()
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return error.code
  }
}

describe('a message between server and agent', () => {
  it('comes out as it went in', () => {
    fc.assert(
      fc.property(toServer, (message) => {
        expect(decodeToServer(encodeToServer(message))).toEqual({ ok: true, message })
      }),
    )
    fc.assert(
      fc.property(toAgent, (message) => {
        expect(decodeToAgent(encodeToAgent(message))).toEqual({ ok: true, message })
      }),
    )
  })

  it('is read or refused by a Fault, whatever bytes come', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const received of [decodeToServer(bytes), decodeToAgent(bytes)])
          expect(received.ok || received.fault instanceof Fault).toBe(true)
      }),
    )
  })

  it('is read or refused by a Fault when some of its bytes have changed', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(toServer.map(encodeToServer), toAgent.map(encodeToAgent), changes, (up, down, changes) => {
        for (const bytes of [up, down]) for (const [at, byte] of changes) bytes[at % bytes.length] = byte
        for (const received of [decodeToServer(up), decodeToAgent(down)])
          expect(received.ok || received.fault instanceof Fault).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it.each<[string, wire.ToServer['message']]>([
    ['no message at all', undefined],
    ['an id of another form', { $case: 'absent', value: { runId: '../x', attempt: 1 } }],
    ['a reason left out', { $case: 'refused', value: { runId: 'r', attempt: 1, final: true } }],
    ['an answer without a result', { $case: 'answer', value: { id: 'x' } }],
    ['a fraction above 1', progressWith({ fraction: 1.5 })],
    ['a rate that is no number', progressWith({ bytesPerSecond: NaN })],
    ['a phase of a later version', progressWith({ phase: 99 as wire.Phase })],
    ['no phase', progressWith({ phase: wire.Phase.PHASE_UNSPECIFIED })],
  ])('is a bad message with %s', (_, message) => {
    expect(outcome(() => toServerFromWire({ message }))).toBe('bad_message')
  })

  it('never takes a range of protocols that is upside down', () => {
    fc.assert(
      fc.property(toServer, ({ ...message }) => {
        if (message.type !== 'hello') return
        const hello = { ...message.hello, protocol: { from: 2, to: 1 } }
        expect(outcome(() => toServerFromWire(wireFromToServer({ type: 'hello', hello })))).toBe(
          'bad_message',
        )
      }),
    )
  })
})

function progressWith(fields: Partial<wire.Progress>): wire.ToServer['message'] {
  const progress = wire.Progress.fromPartial({ runId: 'r', attempt: 1, phase: wire.Phase.PHASE_SCAN })
  return { $case: 'progress', value: { ...progress, ...fields } }
}

describe('an order', () => {
  it('is refused as unsupported, with the attempt it was for, when it asks for what this version does not know', () => {
    const known = fc.sample(
      order.filter(({ tasks }) => tasks.length > 0),
      1,
    )[0]!
    const { message } = wireFromToAgent({ type: 'order', order: known })
    if (message?.$case !== 'order') throw new Error('no order')
    const later = (change: (task: { action: object }) => object) => {
      const tasks = JSON.parse(message.value.tasksJson) as { action: object }[]
      const tasksJson = JSON.stringify(tasks.map((task) => change(task)))
      const order = { ...message, value: { ...message.value, tasksJson } }
      return decodeToAgent(wire.ToAgent.encode({ message: order }).finish())
    }
    const refused = (code: string) => ({
      ok: false,
      fault: expect.objectContaining({ code }) as Fault,
      order: { run: known.run, attempt: known.attempt },
    })
    const teleport = (task: { action: object }) => ({ ...task, action: { ...task.action, do: 'teleport' } })
    expect(later((task) => task)).toEqual({ ok: true, message: { type: 'order', order: known } })
    expect(later(teleport)).toEqual(refused('unsupported'))
    expect(later((task) => ({ ...task, sparse: true }))).toEqual(refused('unsupported'))
    expect(later((task) => ({ ...task, maxRetries: '3' }))).toEqual(refused('bad_message'))
  })

  it('has tasks that come out as they went in', () => {
    fc.assert(
      fc.property(fc.array(task, { maxLength: 4 }), (tasks) => {
        expect(tasksFromJson(tasksToJson(tasks))).toEqual(tasks)
      }),
    )
  })

  it('has tasks that are refused by a Fault, whatever they hold', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (json) => {
        const tasks = outcome(() => tasksFromJson(json))
        expect(typeof tasks === 'string' || Array.isArray(tasks)).toBe(true)
      }),
    )
    fc.assert(
      fc.property(task, fc.jsonValue(), fc.nat(), (task, value, where) => {
        const keys = Object.keys(task)
        const mangled = { ...task, [keys[where % keys.length]!]: value }
        outcome(() => tasksFromJson(JSON.stringify([mangled])))
        const actionKeys = Object.keys(task.action)
        const action = { ...task.action, [actionKeys[where % actionKeys.length]!]: value }
        outcome(() => tasksFromJson(JSON.stringify([{ ...task, action }])))
      }),
    )
  })
})

describe('a report in JSON', () => {
  it('comes out as it went in', () => {
    fc.assert(
      fc.property(report, (report) => {
        expect(reportFromJson(reportToJson(report))).toEqual(report)
      }),
    )
  })

  it('can be read in either spelling of proto3 JSON', () => {
    const text = '{"run_id":"r","attempt":1,"client_id":"node-1","end":"END_ENDED","at_ms":"5"}'
    expect(reportFromJson(text)).toEqual({
      run: 'r',
      attempt: 1,
      client: 'node-1',
      steps: [],
      end: 'ended',
      at: 5,
    })
  })

  it('is refused by a Fault, whatever it holds', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(outcome(() => reportFromJson(text))).toBe('bad_message')
      }),
    )
    fc.assert(
      fc.property(report, fc.jsonValue(), fc.nat(), (report, value, where) => {
        const fields = JSON.parse(reportToJson(report)) as { [key: string]: unknown }
        const keys = Object.keys(fields)
        fields[keys[where % keys.length]!] = value
        outcome(() => reportFromJson(JSON.stringify(fields)))
      }),
    )
  })

  it.each([
    ['a step that was skipped', { steps: [{ result: 'RESULT_SKIPPED' }] }],
    ['a result of a later version', { steps: [{ result: 'RESULT_BETTER' }] }],
    ['a negative count', { steps: [{ result: 'RESULT_SUCCESS', itemErrorCount: -1 }] }],
    ['a time that is no number', { atMs: 'soon' }],
    ['no end', { end: undefined }],
    ['no run', { runId: undefined }],
  ])('is refused with %s', (_, change) => {
    const good = { runId: 'r', attempt: 1, clientId: 'node-1', end: 'END_ENDED' }
    expect(outcome(() => reportFromJson(JSON.stringify(good)))).toBeTypeOf('object')
    expect(outcome(() => reportFromJson(JSON.stringify({ ...good, ...change })))).toBe('bad_message')
  })
})
