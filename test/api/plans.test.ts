import { expect, it } from 'vitest'
import { clientId, jobId } from '../../core/ids.ts'
import type { ToAgent } from '../../core/link.ts'
import { project, smallJob, startApi } from './harness.ts'
import { helloOf } from '../support/line-rig.ts'
import type { AgentLine } from '../../controller/ports/lines.ts'
import { LineBook } from '../../controller/reconcile/line-book.ts'
import { Plans } from '../../controller/reconcile/plans.ts'

const client = clientId('n1')
const id = jobId('j1')
const hourMs = 3_600_000

/** A daily job on a client whose line is here, and the clock of the server that has it. */
async function world() {
  const api = await startApi()
  await api.enrolled('n1')
  const schedule = { job_schedule: { schedule_interval: '1 days' }, firn: { autostart: false } }
  expect((await api.ask('POST', '/v1/jobs/j1', smallJob('n1', schedule))).status).toBe(201)
  const told: ToAgent[] = []
  const line: AgentLine = {
    ...{ project, client, fingerprint: '', protocol: 2, hello: { ...helloOf('n1'), autonomous: true } },
    send: (message) => told.push(message) > 0,
    close: () => undefined,
  }
  const lines = new LineBook(api.context.clock)
  lines.open(line)
  const plans = new Plans({ context: api.context, lines, wake: () => undefined })
  /** Looks when it is time, for so long. Gives how often a plan was sent meanwhile. */
  const sentIn = async (ms: number): Promise<number> => {
    const until = api.now() + ms
    const before = told.length
    for (;;) {
      const again = await plans.lookAtJob(project, client, id)
      if (again === undefined || again > until) break
      api.pass(again - api.now())
    }
    api.pass(until - api.now())
    return told.length - before
  }
  const acknowledge = () => {
    const last = told.at(-1)
    if (last?.type === 'plan') plans.acknowledged(line, id, last.plan.sequence)
  }
  return { told, sentIn, acknowledge }
}

it('sends a plan that nobody acknowledges less and less often', async () => {
  const { sentIn } = await world()
  const first = await sentIn(hourMs)
  expect(first).toBeGreaterThan(5)
  expect(first).toBeLessThan(12)
  expect(await sentIn(hourMs)).toBeLessThan(3)
})

it('sends no plan again that was acknowledged', async () => {
  const { told, sentIn, acknowledge } = await world()
  expect(await sentIn(0)).toBe(1)
  acknowledge()
  expect(await sentIn(12 * hourMs)).toBe(0)
  expect(told).toMatchObject([{ type: 'plan', plan: { job: id } }])
})
