// A node of old: Freezer's own scheduler and agent, which poll. Firn stores what they say and orders them nothing.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, inject, it } from 'vitest'
import { clientProgram, type PythonClient } from './programs.ts'
import { until } from './waiting.ts'
import { withSession } from './world.ts'

const { data, environments } = inject('world')
const node = 'node-of-old'

/** The scheduler of that node, which looks every second. */
async function startScheduler(folder: string): Promise<AsyncDisposable> {
  const words = ['--no-daemon', '--client-id', node, '--interval', '1', '--conf', path.join(folder, 'jobs')]
  const log = ['--log-file', path.join(folder, 'scheduler.log')]
  await mkdir(path.join(folder, 'jobs'), { recursive: true })
  const child = spawn(clientProgram('freezer-scheduler'), [...words, ...log, 'start'], {
    env: { ...environments.operator, HOME: folder },
    stdio: 'ignore',
  })
  const ended = once(child, 'close')
  return {
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function done(freezer: PythonClient, freezer_action: object): Promise<string> {
  const job = await freezer.call('jobs.create', [{ client_id: node, job_actions: [{ freezer_action }] }])
  await until(freezer, 'jobs.get', job, { job_schedule: { status: 'completed', result: 'success' } })
  return job
}

it('registers, polls, saves, reports and restores', async () => {
  await mkdir(data, { recursive: true })
  const folder = await mkdtemp(path.join(data, 'old-'))
  const at = (name: string) => path.join(folder, name)
  for (const name of ['tree', 'container', 'restored']) await mkdir(at(name))
  await writeFile(at('tree/file'), 'kept by an old agent')
  await using _scheduler = await startScheduler(folder)
  await using freezer = withSession('freezer', { version: '2' })
  await until(freezer, 'clients.get', node, { client: { client_id: node } })

  const where = { backup_name: 'old', container: at('container'), storage: 'local', mode: 'fs' }
  const job = await done(freezer, { action: 'backup', path_to_backup: at('tree'), ...where })
  const [backup, ...others] = await freezer.call('backups.list', [], { search: { match: [{ job_id: job }] } })
  expect(others).toEqual([])
  expect(backup.backup_metadata).toMatchObject({ client_version: '13.0.0', path_to_backup: at('tree') })

  await done(freezer, { action: 'restore', restore_abs_path: at('restored'), ...where })
  expect(await readFile(at('restored/file'), 'utf8')).toBe('kept by an old agent')
})
