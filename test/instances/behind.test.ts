import { expect, it } from 'vitest'
import { memoryStore } from '../../controller/memory/backend.ts'
import { project } from '../support/builders.ts'
import { eventually } from '../support/eventually.ts'
import { memberOf, TestServer, withAgent } from '../support/instance-rig.ts'
import { startApi } from '../api/harness.ts'

it('a server that is behind creates an instance from a backup that another one has seen complete', async () => {
  const store = memoryStore()
  await using server = new TestServer(memberOf(store))
  await withAgent(server)
  await server.whenInstance('active')
  const api = await startApi({}, store)
  const { id, project } = await server.start()
  await eventually(() => api.context.state.get('instance_backup', project, id) !== undefined)
  api.backend.hold()
  await server.whenStatus(id, 'COMPLETED')
  const instance = { name: 'again', restorePoint: { backupRef: id } }
  const asked = api.ask('POST', '/v1.0/p1/instances', { instance })
  setTimeout(() => api.backend.release(), 50)
  expect((await asked).status).toBe(200)
})

it('a server that is behind puts a backup where another one was told to put it', async () => {
  const store = memoryStore()
  await using server = new TestServer(memberOf(store))
  await withAgent(server)
  const { id: instance } = await server.whenInstance('active')
  const [api, other] = [await startApi({}, store), await startApi({}, store)]
  await eventually(() => api.context.state.get('instance', project, instance)?.value.state.is === 'active')
  api.backend.hold()
  const backup_strategy = { swift_container: 'elsewhere' }
  expect((await other.ask('POST', '/v1.0/p1/backup_strategies', { backup_strategy })).status).toBe(202)
  const asked = api.ask('POST', '/v1.0/p1/backups', { backup: { name: 'a', instance } })
  setTimeout(() => api.backend.release(), 50)
  const { json } = await asked
  const stored = () => other.context.state.get('instance_backup', project, json.backup.id)
  expect((await eventually(stored)).value.container).toBe('elsewhere')
})
