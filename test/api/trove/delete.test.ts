// Deleting backups.
import { describe, expect, it } from 'vitest'
import { isBeingDeleted } from '../../../controller/plan/backup-tree.ts'
import type { InstanceBackup } from '../../../core/instance.ts'
import { newBackupId, otherProject, startTrove, type Trove } from './rig.ts'

/** Those whose data is being removed, by name. */
function going(trove: Trove): string[] {
  const all = trove.stored()
  const parentOf = ({ parent }: InstanceBackup) => all.find(({ id }) => id === parent)
  return all.filter((backup) => isBeingDeleted(backup, parentOf)).map(({ name }) => name)
}

const remove = (trove: Trove, { id }: Pick<InstanceBackup, 'id'>, as?: string) =>
  trove.ask('DELETE', `/backups/${id}`, undefined, as)

/** root <- child <- grandchild, and root <- sibling */
async function family(trove: Trove, over: Partial<InstanceBackup> = {}) {
  const root = await trove.backupIs({ name: 'root' })
  const child = await trove.backupIs({ name: 'child', parent: root.id })
  const grandchild = await trove.backupIs({ name: 'grandchild', parent: child.id, ...over })
  const sibling = await trove.backupIs({ name: 'sibling', parent: root.id })
  return { root, child, grandchild, sibling }
}

describe('deleting a backup', () => {
  it('is accepted with 202 and no body', async () => {
    const trove = await startTrove()
    const answer = await remove(trove, await trove.backupIs({ name: 'only' }))
    expect([answer.status, answer.text, answer.headers.get('content-length')]).toEqual([202, '', '0'])
    expect(going(trove)).toEqual(['only'])
  })

  it('is accepted again while the data is being removed', async () => {
    const trove = await startTrove()
    const backup = await trove.backupIs()
    expect((await remove(trove, backup)).status).toBe(202)
    expect((await remove(trove, backup)).status).toBe(202)
  })

  it('takes all that build on it, at every depth', async () => {
    const trove = await startTrove()
    const { root } = await family(trove)
    expect((await remove(trove, root)).status).toBe(202)
    expect(going(trove)).toEqual(['root', 'child', 'grandchild', 'sibling'])
  })

  it('leaves parents and siblings', async () => {
    const trove = await startTrove()
    const { child } = await family(trove)
    expect((await remove(trove, child)).status).toBe(202)
    expect(going(trove)).toEqual(['child', 'grandchild'])
  })

  it('is refused whole while one of them is running: 422 that names it', async () => {
    const trove = await startTrove()
    const { root, child, grandchild } = await family(trove, { state: { is: 'open' } })
    for (const backup of [root, child, grandchild]) {
      const { status, json } = await remove(trove, backup)
      expect([status, json.unprocessableEntity.code]).toEqual([422, 422])
      expect(json.unprocessableEntity.message).toContain(grandchild.id)
    }
    expect(going(trove)).toEqual([])
  })

  const reason = { code: 'x', text: 'x' }
  it.each<Partial<InstanceBackup>>([
    { state: { is: 'completed' } },
    { state: { is: 'failed', reason } },
    { state: { is: 'completed' }, deleteFailed: reason },
  ])('is possible in every state that is not running: %j', async (over) => {
    const trove = await startTrove()
    expect((await remove(trove, await trove.backupIs(over))).status).toBe(202)
  })

  it('drops a registered record at once', async () => {
    const trove = await startTrove()
    const { location } = await trove.backupIs({ name: 'source' })
    const { instance: _, ...registered } = await trove.backupIs({
      state: { is: 'restored' },
      ...(location ? { location } : {}),
    })
    expect((await remove(trove, registered)).status).toBe(202)
    expect((await trove.ask('GET', `/backups/${registered.id}`)).status).toBe(404)
    expect(going(trove)).toEqual([])
  })

  it('of one that is not there is 404', async () => {
    const trove = await startTrove()
    const others = await trove.backupIs({ project: otherProject })
    expect((await remove(trove, { id: newBackupId() })).status).toBe(404)
    expect((await remove(trove, others)).status).toBe(404)
    expect((await trove.ask('DELETE', '/backups/orders-full')).status).toBe(404)
  })

  it("is possible for an administrator in every account, under the administrator's own", async () => {
    const trove = await startTrove()
    const others = await trove.backupIs({ project: otherProject })
    expect((await remove(trove, others, trove.admin)).status).toBe(202)
    const { deleting } = trove.api.context.state.get('instance_backup', otherProject, others.id)!.value
    expect(deleting).toBeDefined()
  })
})
