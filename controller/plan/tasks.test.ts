import { describe, expect, it } from 'vitest'
import { aBackup, aBackupAction, aJobAction, noon, project } from '../../test/support/builders.ts'
import type { Action, JsonObject } from '../../core/action.ts'
import type { Backup, Repository } from '../../core/catalogue.ts'
import {
  repositoryIdOf,
  type BackupId,
  type ClientId,
  type JobId,
  type RepositoryId,
} from '../../core/ids.ts'
import { planTasks, type Known, type OwnAction } from './tasks.ts'

const client = 'node1' as ClientId
const byDefault = '/var/lib/firn/node1'
const defaultId = repositoryIdOf(project, client, 'restic', byDefault)

const aRepository = (id: RepositoryId): Repository => ({
  id,
  project,
  client,
  engine: 'restic',
  location: byDefault,
  sealedPassword: 'sealed',
  createdAt: noon,
})

const known = (backups: readonly Backup[] = [], repositories: readonly RepositoryId[] = []): Known => ({
  project,
  client,
  job: 'j1' as JobId,
  now: noon,
  defaultLocation: (engine) => `${byDefault}${engine === 'restic' ? '' : `-${engine}`}`,
  repository: (id) => (repositories.includes(id) ? aRepository(id) : undefined),
  repositoriesAt: () => [],
  backup: (id) => backups.find((backup) => backup.id === id),
  backupsOf: (of) => backups.filter((backup) => backup.client === of),
})

const plan = (freezer: JsonObject, knows = known()) => {
  const { tasks, repositories } = planTasks([aJobAction({ freezer })], knows)
  return { ...tasks[0]!, repositories }
}
const etc: JsonObject = { path_to_backup: '/etc', backup_name: 'etc' }
const restore: JsonObject = { action: 'restore', restore_abs_path: '/srv/back', backup_name: 'etc' }

describe('a planned backup', () => {
  it('makes the client’s default repository on first use, and finds it afterwards', () => {
    const first = plan(etc)
    expect(first).toMatchObject({ repository: defaultId, level: 0 })
    expect(first.repositories).toEqual([
      { id: defaultId, project, client, engine: 'restic', location: byDefault },
    ])
    const next = plan(etc, known([], [defaultId]))
    expect(next).toMatchObject({ repository: defaultId, repositories: [] })
  })

  it('keeps the default repositories of two engines apart', () => {
    const [own, other] = ['restic', 'tar'].map(
      (engine) => plan({ ...etc, engine_name: engine }).repositories[0],
    )
    expect(own?.id).not.toBe(other?.id)
    expect(own?.location).not.toBe(other?.location)
  })

  it('makes a repository of the place that its action describes, once for several actions', () => {
    const freezer = { ...etc, storage: 'local', container: '/var/backups' }
    const { tasks, repositories } = planTasks([aJobAction({ freezer }), aJobAction({ freezer })], known())
    expect(repositories).toMatchObject([{ location: '/var/backups', engine: 'restic' }])
    expect(tasks.map((task) => task.repository)).toEqual([repositories[0]?.id, repositories[0]?.id])
  })

  it('uses what was registered for the place: its node’s own, else a shared one, of the same engine', () => {
    const freezer = { ...etc, storage: 'local', container: '/var/backups' }
    const at = (id: string, over: { client?: ClientId }): Repository => {
      const { client: _, ...shared } = aRepository(id as RepositoryId)
      return { ...shared, location: '/var/backups', ...over }
    }
    const knows = (...found: Repository[]): Known => ({
      ...known(),
      repositoriesAt: (engine, location) => (engine === 'restic' && location === '/var/backups' ? found : []),
    })
    const [own, shared, others] = [
      at('own', { client }),
      at('shared', {}),
      at('o', { client: 'node2' as ClientId }),
    ]
    expect(plan(freezer, knows(others, shared, own))).toMatchObject({ repository: 'own', repositories: [] })
    expect(plan(freezer, knows(others, shared))).toMatchObject({ repository: 'shared', repositories: [] })
    expect(plan(freezer, knows(others)).repositories).toHaveLength(1)
    expect(plan({ ...freezer, engine_name: 'tar' }, knows(own)).repositories).toHaveLength(1)
  })

  it('stays with the repository of its place when that was moved', () => {
    const freezer = { ...etc, storage: 'local', container: '/var/backups' }
    const id = repositoryIdOf(project, client, 'restic', '/var/backups')
    const other = { ...aRepository('other' as RepositoryId), location: '/var/backups' }
    expect(plan(freezer, { ...known([], [id]), repositoriesAt: () => [other] }).repository).toBe(id)
  })

  it('uses the repository that it names, and has a refusal when there is none', () => {
    expect(plan({ ...etc, repository_id: 'r7' }, known([], ['r7' as RepositoryId]))).toMatchObject({
      repository: 'r7',
      repositories: [],
    })
    expect(plan({ ...etc, repository_id: 'r7' })).toMatchObject({ refusal: { code: 'repository_unknown' } })
  })

  it('has a refusal when the repository that it names is another engine’s', () => {
    const tar = { ...etc, engine_name: 'tar', repository_id: 'r7' }
    expect(plan(tar, known([], ['r7' as RepositoryId]))).toMatchObject({ refusal: { code: 'wrong_engine' } })
  })

  it('builds on the newest backup of its own series: the same job, name, repository and engine', () => {
    const own = aBackup({ id: 'own' as BackupId, repository: defaultId })
    const others = [
      aBackup({ id: 'o1' as BackupId, repository: defaultId, job: 'j2' as JobId }),
      aBackup({ id: 'o2' as BackupId, repository: defaultId, backupName: 'var' }),
      aBackup({ id: 'o3' as BackupId, repository: 'r9' as RepositoryId }),
      aBackup({ id: 'o4' as BackupId, repository: defaultId, engine: 'tar' }),
      aBackup({ id: 'o5' as BackupId, repository: defaultId, client: 'node2' as ClientId }),
    ]
    expect(plan(etc, known([own, ...others], [defaultId]))).toMatchObject({
      level: 1,
      parent: { backup: 'own', engineRef: 'snapshot-1' },
    })
    const alone = plan(etc, known(others, [defaultId]))
    expect(alone).toMatchObject({ level: 0 })
    expect(alone).not.toHaveProperty('parent')
  })

  it('keeps its retries, in milliseconds, and whether it is mandatory', () => {
    const entry = aJobAction({ freezer: etc, maxRetries: 3, maxRetriesIntervalS: 6, mandatory: true })
    expect(planTasks([entry], known()).tasks[0]).toMatchObject({
      maxRetries: 3,
      retryAfterMs: 6_000,
      mandatory: true,
    })
  })
})

describe('a backup that a server asks for by itself', () => {
  const backup = (parent: OwnAction['parent'], knows: Known) => {
    const { freezer: _, ...entry } = aJobAction()
    const action = aBackupAction({ engine: 'sqlite', instance: 'orders', paths: [] })
    const own: OwnAction = { ...entry, action, ...(parent === undefined ? {} : { parent }) }
    return planTasks([own], knows).tasks[0]
  }
  const sqlite = { engine: 'sqlite', repository: defaultId, level: 3 } as const
  const first = aBackup({ ...sqlite, id: 'own' as BackupId })
  const knows = known([first, aBackup({ ...sqlite, id: 'newer' as BackupId })], [defaultId])

  it('goes to a repository of the engine that keeps its data', () => {
    expect(backup('none', known())).toMatchObject({ repository: defaultId })
  })

  it('builds on what it names, or on nothing, or by the rules', () => {
    expect(backup('own' as BackupId, knows)).toMatchObject({ level: 4, parent: { backup: 'own' } })
    expect(backup('none', knows)).toMatchObject({ level: 0 })
    expect(backup('none', knows)).not.toHaveProperty('parent')
    expect(backup(undefined, knows)).toMatchObject({ level: 0 })
  })

  it('has no help of a parent that lies elsewhere, or is gone', () => {
    const elsewhere = { ...first, repository: 'r9' as RepositoryId }
    const moved = backup('own' as BackupId, known([elsewhere], [defaultId]))
    expect(moved).toMatchObject({ level: 4 })
    expect(moved).not.toHaveProperty('parent')
    expect(backup('own' as BackupId, known([], [defaultId]))).toMatchObject({ level: 0 })
  })
})

describe('a forget', () => {
  const forget = (ids: string[], backups: Backup[]) => {
    const { freezer: _, ...entry } = aJobAction()
    const action: Action = {
      ...{ do: 'forget', engine: 'restic', backups: ids as BackupId[], free: true },
      ...{ repository: { is: 'default' }, limits: {} },
    }
    return planTasks([{ ...entry, action }], known(backups)).tasks[0]
  }

  it('has what it drops pinned, and the repository of that', () => {
    expect(forget(['b1'], [aBackup()])).toMatchObject({
      repository: 'r1',
      sources: [{ backup: 'b1', engineRef: 'snapshot-1' }],
    })
  })

  it('has a refusal when something of it is not known', () => {
    expect(forget(['b1', 'b2'], [aBackup()])).toMatchObject({ refusal: { code: 'backup_unknown' } })
    expect(forget([], [])).toMatchObject({ refusal: { code: 'backup_unknown' } })
  })
})

describe('a planned restore', () => {
  const old = aBackup({ id: 'b1' as BackupId })
  const others = aBackup({ id: 'b2' as BackupId, client: 'node2' as ClientId, engineRef: 'snapshot-2' })

  it('has its backup pinned, and the repository of that', () => {
    expect(plan({ ...restore, backup_id: 'b1' }, known([old]))).toMatchObject({
      repository: 'r1',
      sources: [{ backup: 'b1', engineRef: 'snapshot-1' }],
    })
    expect(plan(restore, known([old, others]))).toMatchObject({ sources: [{ backup: 'b1' }] })
  })

  it('may take what another host saved', () => {
    expect(plan({ ...restore, hostname: 'node2' }, known([old, others]))).toMatchObject({
      sources: [{ backup: 'b2', engineRef: 'snapshot-2' }],
    })
  })

  it('has a refusal when there is no such backup, or another engine made it', () => {
    for (const over of [{ backup_id: 'b9' }, { backup_name: 'var' }])
      expect(plan({ ...restore, ...over }, known([old]))).toMatchObject({
        refusal: { code: 'backup_unknown' },
      })
    const kept = aBackup({ id: 'b1' as BackupId, engine: 'sqlite' })
    expect(plan({ ...restore, backup_id: 'b1' }, known([kept]))).toMatchObject({
      sources: [{ backup: 'b1' }],
    })
    const tar = aBackup({ id: 'b1' as BackupId, engine: 'tar' })
    expect(plan({ ...restore, backup_id: 'b1' }, known([tar]))).toMatchObject({
      refusal: { code: 'wrong_engine' },
    })
  })
})

describe('other planned actions', () => {
  it('verify a repository, which may be missing', () => {
    expect(plan({ action: 'verify' }, known([], [defaultId]))).toMatchObject({ repository: defaultId })
    expect(plan({ action: 'verify', repository_id: 'r7' })).toMatchObject({
      refusal: { code: 'repository_unknown' },
    })
  })

  it('run a command in no repository', () => {
    const task = plan({ action: 'exec', command: 'true' })
    expect(task).toMatchObject({ action: { do: 'exec' }, repositories: [] })
    expect(task).not.toHaveProperty('repository')
  })

  it('have a refusal and no meaning when they have none', () => {
    expect(plan({ action: 'admin' })).toMatchObject({
      refusal: { code: 'unsupported' },
      action: { commands: [] },
    })
  })
})
