import fc from 'fast-check'
import { expect, it } from 'vitest'
import { instant } from '../core/clock.ts'
import { clientId, jobId, projectId, runId } from '../core/ids.ts'
import { documentOf, eventMessage, linesFromJson, linesToJson } from './events.ts'

const project = projectId('p1')
const client = clientId('web')
const job = jobId('j')
const run = runId('r')
const at = instant(0)

it('tells events of runs, sets and clients each on their own subject', () => {
  const subject = (event: object) => eventMessage({ type: '', project, data: {}, ...event }, at)?.subject
  expect(subject({ type: 'run.created', client, job, run })).toBe('firn.p1.run.web.j.created')
  expect(subject({ type: 'set.graded', set: 's.12' })).toBe('firn.p1.set.s.graded')
  expect(subject({ type: 'client.online', client })).toBe('firn.p1.client.web.online')
})

it.each([
  { type: 'run.created', client },
  { type: 'run.created', job },
  { type: 'run.result', client, job },
  { type: 'run.log', client, job },
  { type: 'run.progress', client, job },
  { type: 'set.graded' },
  { type: 'set.graded', set: 'no-tag' },
  { type: 'client.online' },
  { type: 'client.' },
  { type: 'weather.fine', client, job },
  { type: 'run' },
])('tells nothing that has no subject: %j', (event) => {
  expect(eventMessage({ project, data: {}, ...event }, at)).toBeUndefined()
})

it('lets the envelope win over data of the same name', () => {
  const data = { type: 'x', at: 'y', run: 'z', set: 'kept', n: 1 }
  expect(eventMessage({ type: 'run.created', project, client, job, run, data }, at)?.document).toEqual({
    ...{ type: 'run.created', at: '1970-01-01T00:00:00.000Z', project, client, job, run },
    ...{ set: 'kept', n: 1 },
  })
})

it('reads back the lines that it wrote, and from anything else what can be read', () => {
  const lines = fc.array(
    fc.record({ at: fc.nat(), level: fc.string(), stream: fc.string(), text: fc.string() }),
  )
  fc.assert(
    fc.property(lines, (some) => {
      expect(linesFromJson(linesToJson(run, 1, some))).toEqual(some)
    }),
  )
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
      expect(Array.isArray(linesFromJson(text))).toBe(true)
    }),
  )
  expect(linesFromJson('{"lines":[null,7,{"at_ms":1,"level":"info","text":"a"}]}')).toEqual([
    { at: 1, level: 'info', stream: 'agent', text: 'a' },
  ])
  expect(documentOf('[]')).toBeUndefined()
})
