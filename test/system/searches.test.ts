// Searches over a hundred thousand jobs: what they find, and how long they keep everybody else waiting.
import { expect, it, vi } from 'vitest'
import { put } from '../../controller/state/documents.ts'
import { instant } from '../../core/clock.ts'
import type { ActionId, ClientId, JobId } from '../../core/ids.ts'
import { startApi, type Api } from '../api/harness.ts'
import { aJob, aJobAction, noon, project } from '../support/builders.ts'

vi.setConfig({ testTimeout: 120_000 })

const count = 100_000
const clients = 100
/** In one transaction. */
const atOnce = 100

/** Every client has a scheduler of its own; nine of its jobs in ten are over. */
async function storeJobs({ context }: Api): Promise<void> {
  for (let from = 0; from < count; from += atOnce) {
    const puts = Array.from({ length: atOnce }, (_, index) => jobOf(from + index)).map((job) =>
      put('job', project, job.id, job),
    )
    await context.state.commit({ requires: [], puts })
  }
}

const jobOf = (n: number) =>
  aJob({
    id: `job-${n}` as JobId,
    client: `old-${n % clients}` as ClientId,
    description: `daily backup of the mail spool, shard ${n}`,
    createdAt: instant(noon + n),
    actions: [
      aJobAction({
        actionId: `action-${n}` as ActionId,
        freezer: { action: 'backup', mode: 'fs', backup_name: `mail-${n}`, path_to_backup: `/var/mail/${n}` },
      }),
    ],
    reported: {
      ...{ status: Math.floor(n / clients) % 10 === 0 ? 'scheduled' : 'completed', result: '' },
      ...{ event: '', timeStarted: n, timeEnded: -1 },
    },
  })

/**
 * The longest time on the processor between two rounds of the event loop while `work` goes on: what others wait for it.
 * Milliseconds. Time in which the machine does something else does not count.
 */
async function longestTurn(work: () => Promise<void>): Promise<number> {
  const spentMs = (): number => {
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1_000
  }
  let longest = 0
  let isOn = true
  let before = spentMs()
  const look = (): void => {
    const now = spentMs()
    longest = Math.max(longest, now - before)
    before = now
    if (isOn) setImmediate(look)
  }
  setImmediate(look)
  await work()
  isOn = false
  return longest
}

it('are answered by what is there, and no one holds up the others for 20 ms', async () => {
  const api = await startApi()
  await storeJobs(api)
  const found = async (search: object, query = 'limit=3'): Promise<string[]> => {
    const { status, json } = await api.ask('GET', `/v2/p1/jobs?${query}`, search)
    expect(status).toBe(200)
    return json.jobs.map(({ job_id }: { job_id: string }) => job_id)
  }
  const searches: readonly (readonly [object, string, readonly string[]])[] = [
    [{ match: [{ _all: 'nowhere at-all' }] }, '', []],
    [{ match: [{ _all: 'MAIL-99999' }] }, '', ['job-99999']],
    [{ match: [{ backup_name: 'mail-77777' }] }, '', ['job-77777']],
    [{ match: [{ time_started: 88_888 }] }, '', ['job-88888']],
    [{ match: [{ status: 'running' }] }, '', []],
    [{ match: [{ result: 'fail' }] }, '', []],
    [{ match_not: [{ mode: 'fs' }] }, '', []],
    [{ match_not: [{ status: 'scheduled' }] }, 'limit=2&offset=89998', ['job-99998', 'job-99999']],
    [{}, 'limit=2&offset=99999', ['job-99999']],
    [
      { match: [{ client_id: 'old-7' }], match_not: [{ status: 'completed' }] },
      'limit=10&offset=99',
      ['job-99007'],
    ],
  ]
  // Once before, as a server that has been up for a while has.
  const all = () =>
    Promise.all(searches.map(async ([search, query, ids]) => expect(await found(search, query)).toEqual(ids)))
  await all()
  expect(await longestTurn(async () => void (await all()))).toBeLessThan(20)
})
