import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryStore } from '../memory/backend.ts'
import { put, ref } from '../state/documents.ts'
import { scoped } from '../state/indexes.ts'
import { State } from '../state/state.ts'
import { instant } from '../../core/clock.ts'
import type { ClientId, JobId, RunId } from '../../core/ids.ts'
import type { Job } from '../../core/job.ts'
import { isEnrolled } from '../../core/select.ts'
import { aClient, aJob, aRun, noon, project, states } from '../../test/support/builders.ts'
import { realClock } from '../../test/support/real-clock.ts'
import { Unfinished } from './unfinished.ts'

const clients = ['old', 'agent'] as const
const names = ['a', 'b', 'c', 'd', 'e'] as const

/** A state whose jobs are over as their runs say for a client with an agent, and as they say themselves for others. */
function rig() {
  const state = new State(memoryStore().backend(), realClock)
  const isOver = ({ id, client = '' as ClientId, reported }: Job): boolean => {
    const runs = [...state.where('run', 'job', scoped(project, id))]
    if (!isEnrolled(state.get('client', project, client)?.value)) return reported?.status === 'completed'
    return runs.length > 0 && runs.every(({ value }) => value.state.is === 'finished')
  }
  const unfinished = new Unfinished(state, isOver)
  const commit = (...puts: ReturnType<typeof put>[]) => state.commit({ requires: [], puts })
  const job = (id: string, client: string, status = '', createdAt = noon + names.indexOf(id as never)) =>
    commit(
      put('job', project, id, {
        ...aJob({ id: id as JobId, client: client as ClientId, createdAt: instant(createdAt) }),
        reported: { status, result: '', event: '', timeStarted: -1, timeEnded: -1 },
      }),
    )
  const run = (id: string, isOpen: boolean) =>
    commit(
      put('run', project, `r-${id}`, {
        ...aRun({ job: id as JobId, id: `r-${id}` as RunId }),
        state: isOpen ? states.running() : states.finished('success'),
      }),
    )
  const enrol = (id: string, is: boolean) => {
    const { enrolled: _, ...client } = aClient({ id: id as ClientId })
    const enrolled = { at: noon, fingerprint: 'f', ...(is ? {} : { revokedAt: noon }) }
    return commit(put('client', project, id, { ...client, enrolled }))
  }
  const drop = (id: string) => state.commit({ requires: [], puts: [], deletes: [ref('job', project, id)] })
  const of = (client: string) => [...unfinished.of(project, client)].map(({ value }) => value.id)
  return { state, unfinished, isOver, job, run, enrol, drop, of }
}

describe("a client's jobs that are not over", () => {
  it('are what a look at every job gives, in order of creation, after any history', async () => {
    const name = fc.constantFrom(...names)
    const client = fc.constantFrom(...clients)
    const step = fc.oneof(
      fc.record({ do: fc.constant('job' as const), name, client, status: fc.constantFrom('', 'completed') }),
      fc.record({ do: fc.constant('run' as const), name, isOpen: fc.boolean() }),
      fc.record({ do: fc.constant('enrol' as const), client, is: fc.boolean() }),
      fc.record({ do: fc.constant('drop' as const), name }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { state, unfinished, isOver, of, ...does } = rig()
        for (const one of steps) {
          if (one.do === 'job') await does.job(one.name, one.client, one.status)
          if (one.do === 'run') await does.run(one.name, one.isOpen)
          if (one.do === 'enrol') await does.enrol(one.client, one.is)
          if (one.do === 'drop') await does.drop(one.name)
          for (const each of clients) {
            const expected = [...state.of('job', project)]
              .map(({ value }) => value)
              .filter((job) => job.client === each && !isOver(job))
              .toSorted((a, b) => a.createdAt - b.createdAt)
            expect(of(each)).toEqual(expected.map(({ id }) => id))
          }
        }
        const anew = new Unfinished(state, isOver)
        for (const each of clients)
          expect(new Set([...anew.of(project, each)].map(({ value }) => value.id))).toEqual(new Set(of(each)))
        expect([...unfinished.of(project, 'nobody')]).toEqual([])
      }),
      { numRuns: 100 },
    )
  })

  it('are met once each while others come and go, also those of one moment', async () => {
    const { unfinished, job, drop } = rig()
    for (const id of names) await job(id, 'old', '', noon)
    const met: string[] = []
    for (const { value } of unfinished.of(project, 'old')) {
      met.push(value.id)
      if (value.id === 'b') await Promise.all([drop('a'), drop('b'), drop('d')])
      if (value.id === 'c') await job('f', 'old', '', noon + 1)
    }
    expect(met).toEqual(['a', 'b', 'c', 'e', 'f'])
  })
})
