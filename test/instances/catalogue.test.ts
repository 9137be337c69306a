import { afterEach, describe, expect, it } from 'vitest'
import { memoryStore } from '../../controller/memory/backend.ts'
import { put } from '../../controller/state/documents.ts'
import { removeBackup } from '../../controller/use-cases/backups.ts'
import { createRuns } from '../../controller/use-cases/start-run.ts'
import { manualSlot, type BackupId, type ClientId, type JobId, type SessionId } from '../../core/ids.ts'
import { setIdOf, type SetPhase } from '../../core/set.ts'
import { aBackup, aJobAction, aSet, noon, project } from '../support/builders.ts'
import { eventually } from '../support/eventually.ts'
import { caller, memberOf, TestServer, withAgent } from '../support/instance-rig.ts'

const open: AsyncDisposable[] = []
afterEach(async () => {
  while (open.length > 0) await open.pop()![Symbol.asyncDispose]()
})

async function world() {
  const server = new TestServer(memberOf(memoryStore()))
  open.push(server)
  const agent = await withAgent(server)
  await server.whenInstance('active')
  const run = async (key: string) =>
    (
      await createRuns(server.context, [
        {
          ...{ project, user: caller.user, job: 'j1' as JobId, client: 'node1' as ClientId },
          ...{ slot: manualSlot(key), actions: [aJobAction()] },
        },
      ])
    )[0]!.value
  const entries = () => [...server.state.of('backup', project)].map(({ value }) => value)
  const save = async (key: string) => {
    const { id } = await run(key)
    return eventually(() => entries().find((entry) => entry.run === id))
  }
  return { server, agent, run, save, entries }
}

describe('deleting an entry of the catalogue', () => {
  it('removes its data first; meanwhile nothing builds on it', async () => {
    const { server, agent, run, save, entries } = await world()
    const first = await save('k1')
    agent.busy = true
    await removeBackup(server.context, caller, first.id)
    await removeBackup(server.context, caller, first.id)
    expect(entries()).toHaveLength(1)
    expect((await run('k2')).tasks[0]).not.toHaveProperty('parent')
    await eventually(() => agent.orders.some(({ tasks }) => tasks[0]?.action.do === 'forget'))
    await agent.finish('success')
    await eventually(() => !entries().some(({ id }) => id === first.id))
    expect(
      [...server.state.of('run', project)].filter(({ value }) => value.purpose === 'forget'),
    ).toHaveLength(1)
  })

  it('that fails leaves it as it was', async () => {
    const { server, agent, save, entries } = await world()
    const first = await save('k1')
    agent.busy = true
    await removeBackup(server.context, caller, first.id)
    await eventually(() => agent.orders.length === 2)
    await agent.finish('failed')
    await eventually(() => entries()[0]?.forgetting === undefined)
    expect(entries()).toEqual([first])
  })

  it('that nobody does leaves it as it was', async () => {
    const { server, save, entries } = await world()
    const first = await save('k1')
    const marked = { ...first, forgetting: 'nobody' as never }
    await server.state.commit({ requires: [], puts: [put('backup', project, first.id, marked)] })
    await eventually(() => entries()[0]?.forgetting === undefined)
  })

  it('is refused while a run needs it', async () => {
    const { server, agent, run, save } = await world()
    const first = await save('k1')
    agent.busy = true
    expect((await run('k2')).tasks[0]?.parent?.backup).toBe(first.id)
    await expect(removeBackup(server.context, caller, first.id)).rejects.toMatchObject({ code: 'busy' })
  })

  it('is refused of a set that stands, and not of one that failed', async () => {
    const { server } = await world()
    const session = { id: 's1' as SessionId, tag: 1 }
    const backup = aBackup({ id: 'b1' as BackupId, session })
    const outcomeOf = (result: 'success' | 'failed'): SetPhase => ({
      is: 'ended',
      at: noon,
      outcome: { result, grade: 'G2' },
    })
    const store = (phase: SetPhase) =>
      server.state.commit({
        requires: [],
        puts: [
          put('backup', project, backup.id, backup),
          put('set', project, setIdOf(session.id, session.tag), aSet({ phase, members: [] })),
        ],
      })
    for (const phase of [
      outcomeOf('success'),
      { is: 'preparing', by: (Date.now() + 60_000) as never } as const,
    ]) {
      await store(phase)
      await expect(removeBackup(server.context, caller, backup.id)).rejects.toMatchObject({
        code: 'conflict',
      })
    }
    await store(outcomeOf('failed'))
    await removeBackup(server.context, caller, backup.id)
  })

  it('is refused of a database’s backup, which its own record deletes', async () => {
    const { server } = await world()
    const record = await server.complete()
    await expect(removeBackup(server.context, caller, record.backup!)).rejects.toMatchObject({
      code: 'conflict',
    })
  })

  it('is refused of what is not there', async () => {
    const { server } = await world()
    await expect(removeBackup(server.context, caller, 'b9' as BackupId)).rejects.toMatchObject({
      code: 'not_found',
    })
  })
})
