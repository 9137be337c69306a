import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import type { Loose } from '../support/stack.ts'
import { CommandLine } from './programs.ts'

const { clients, data, environments, url, project } = inject('world')
const [node = ''] = clients
const freezer = new CommandLine('freezer', environments.operator)

/** A document in a file, as the commands want it. */
async function file(name: string, document: object): Promise<string> {
  const where = path.join(data, `${name}.json`)
  await mkdir(data, { recursive: true })
  await writeFile(where, JSON.stringify(document))
  return where
}

/** The id in "Job 4f0c… created". */
const idIn = (said: string): string => /\w+ ([\w-]+) created/.exec(said)?.[1] ?? `no id in ${said}`

const rowOf = (rows: Loose, key: string, value: string) => rows.find((row: Loose) => row[key] === value)

describe('freezer', () => {
  it('knows jobs', async () => {
    const action = { freezer_action: { action: 'exec', command: 'true' } }
    const document = await file('job', { description: 'by command', job_actions: [action] })
    const id = idIn(await freezer.say('job-create', '--file', document, '--client', node))
    const [listed, found, shown, got] = await Promise.all([
      freezer.json('job-list', '--limit', '100', '--offset', '0', '--client', node),
      freezer.json('job-list', '--search', 'command'),
      freezer.json('job-show', id),
      freezer.say('job-get', id),
    ])
    for (const rows of [listed, found])
      expect(rowOf(rows, 'Job ID', id)).toMatchObject({ Description: 'by command', '# Actions': 1 })
    expect(shown).toMatchObject({ 'Job ID': id, 'Client ID': node, Description: 'by command' })
    expect(got).toContain(`'job_id': '${id}'`)

    await freezer.say('job-start', id)
    await eventually(async () => (await freezer.json('job-show', id)).Result === 'success', {
      withinMs: 45_000,
    })
    await freezer.say('job-stop', id)
    await freezer.say('job-abort', id)
    await freezer.say('job-update', id, await file('job-update', { description: 'changed' }))
    expect(await freezer.json('job-show', id)).toMatchObject({ Description: 'changed', Status: 'stop' })
    await freezer.say('job-delete', id)
    const gone = await freezer.try('job-show', id)
    expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining('Job not found')])
    expect((await freezer.try('job-delete', id)).stderr).toMatch(/\[\*\] Error 404: \S/)
  })

  it('knows sessions', async () => {
    const document = await file('session', {
      description: 'by command',
      hold_off: 1,
      schedule: { event: 'stop' },
    })
    const id = idIn(await freezer.say('session-create', '--file', document))
    const job = idIn(
      await freezer.say('job-create', '--client', node, '--file', await file('member', { job_actions: [] })),
    )
    const member = ['--session-id', id, '--job-id', job]
    await freezer.say('session-add-job', ...member)
    const [listed, shown] = await Promise.all([
      freezer.json('session-list', '--search', 'command'),
      freezer.json('session-show', id),
    ])
    expect(rowOf(listed, 'Session ID', id)).toMatchObject({ Description: 'by command', '# Jobs': 1 })
    expect(shown).toMatchObject({ 'Session ID': id, 'Session tag': 0, 'Project id': project })
    expect(shown.Jobs).toContain(job)
    await freezer.say('session-update', id, await file('session-update', { description: 'changed' }))
    await freezer.say('session-start', ...member, '--job-tag', '0')
    expect(await freezer.json('session-show', id)).toMatchObject({ 'Session tag': 1, Description: 'changed' })
    await freezer.say('session-remove-job', ...member)
    expect((await freezer.json('session-show', id)).Jobs).toBe('{}')
    await freezer.say('session-delete', id)
    expect((await freezer.try('session-show', id)).stderr).toContain('Session not found')
    await freezer.say('job-delete', job)
  })

  it('knows clients', async () => {
    const document = { client_id: 'by-command', hostname: 'by-command', description: 'registered' }
    await freezer.say('client-register', '--file', await file('client', document))
    const [listed, shown] = await Promise.all([
      freezer.json('client-list', '--limit', '100'),
      freezer.json('client-show', 'by-command'),
    ])
    const fields = { 'Client ID': 'by-command', hostname: 'by-command', description: 'registered' }
    expect(rowOf(listed, 'Client ID', 'by-command')).toMatchObject(fields)
    expect(shown).toMatchObject(fields)
    await freezer.say('client-delete', 'by-command')
    expect((await freezer.try('client-show', 'by-command')).code).toBe(1)
  })

  it('knows actions', async () => {
    const freezer_action = { action: 'backup', backup_name: 'by-command', path_to_backup: '/etc' }
    const id = idIn(await freezer.say('action-create', '--file', await file('action', { freezer_action })))
    await freezer.say('action-update', id, await file('action-update', { freezer_action: { mode: 'fs' } }))
    const [listed, shown] = await Promise.all([
      freezer.json('action-list', '--search', 'by-command'),
      freezer.json('action-show', id),
    ])
    const fields = { 'Action ID': id, Name: 'by-command', Action: 'backup', Mode: 'fs' }
    expect(rowOf(listed, 'Action ID', id)).toMatchObject(fields)
    expect(shown).toMatchObject(fields)
    await freezer.say('action-delete', id)
    expect((await freezer.try('action-show', id)).code).toBe(1)
  })

  it('knows backups', async () => {
    const metadata = { container: '/var/backups', hostname: 'by-command', backup_name: 'etc' }
    const more = { path_to_backup: '/etc', time_stamp: 1_795_297_300, curr_backup_level: 1 }
    const id = idIn(
      await freezer.say('backup-create', '--file', await file('backup', { ...metadata, ...more })),
    )
    // As JSON it cannot print a time.
    const [listed, shown] = await Promise.all([
      freezer.say('backup-list', '--search', 'by-command', '-f', 'csv', '--quote', 'none'),
      freezer.json('backup-show', id),
    ])
    expect(listed).toMatch(new RegExp(`^${id},.*,by-command,/etc,.*,1\\r?$`, 'm'))
    expect(shown.Metadata).toContain('by-command')
    await freezer.say('backup-delete', id)
    expect((await freezer.try('backup-show', id)).code).toBe(1)
  })
})

describe('freezer, API version 1', () => {
  const one = { ...environments.operator, OS_BACKUP_API_VERSION: '1' }
  const freezerV1 = new CommandLine('freezer', one)
  let job = ''

  beforeAll(async () => {
    const document = await file('job-v1', { description: 'by version 1', job_actions: [] })
    job = idIn(await freezerV1.say('job-create', '--file', document, '--client', node))
  })

  it.each([
    ['job-list', 'Job ID'],
    ['session-list', 'Session ID'],
    ['client-list', 'Client ID'],
    ['action-list', 'Action ID'],
    ['backup-list', 'Backup ID'],
  ])('says %s', async (command, column) => {
    expect(await freezerV1.say(command, '-f', 'csv')).toContain(`"${column}"`)
  })

  it('sees the job that version 2 sees', async () => {
    const [inOne, inTwo] = await Promise.all([freezerV1.json('job-show', job), freezer.json('job-show', job)])
    expect(inOne).toMatchObject({ 'Job ID': job, Description: 'by version 1' })
    expect(inTwo).toEqual(inOne)
    await freezerV1.say('job-delete', job)
  })
})

describe('who may do what', () => {
  it('follows the role that Keystone knows', async () => {
    const viewer = new CommandLine('freezer', environments.viewer)
    const document = await file('job-of-viewer', { job_actions: [] })
    const refused = await viewer.try('job-create', '--file', document, '--client', node)
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/\[\*\] Error 403: \S/)])
    expect(Array.isArray(await viewer.json('job-list'))).toBe(true)
  })

  it('takes an endpoint and a token instead of the catalogue and a password', async () => {
    const openstack = new CommandLine('openstack', environments.operator)
    const { id: token } = await openstack.json('token', 'issue')
    const { OS_PASSWORD: _password, OS_USERNAME: _user, ...env } = environments.operator
    const first = ['--os-token', token, '--os-project-id', project, '--os-backup-url', url]
    expect(Array.isArray(await new CommandLine('freezer', env, first).json('job-list'))).toBe(true)
  })
})
