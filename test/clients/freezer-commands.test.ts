import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, inject, it } from 'vitest'
import type { Loose } from '../support/stack.ts'
import { CommandLine } from './programs.ts'
import { until } from './waiting.ts'
import { withToken } from './world.ts'

const { clients, data, environments, url, project } = inject('world')
const [node = ''] = clients
const freezer = new CommandLine('freezer', environments.operator)

/** A document in a file, as the commands want it. Answers its path. */
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
  it('creates, lists, shows, starts, stops, aborts, updates and deletes jobs', async () => {
    const action = { freezer_action: { action: 'exec', command: 'true' } }
    const document = await file('job', { description: 'by command', job_actions: [action] })
    const id = idIn(await freezer.say(`job-create --file ${document} --client ${node}`))
    for (const words of [`--limit 100 --offset 0 --client ${node}`, '--search command'])
      expect(rowOf(await freezer.json(`job-list ${words}`), 'Job ID', id)).toMatchObject({
        ...{ Description: 'by command', '# Actions': 1 },
      })
    expect(await freezer.say(`job-get ${id}`)).toContain(`'job_id': '${id}'`)

    await freezer.say(`job-start ${id}`)
    await using looks = withToken('freezer', '', { version: '2' })
    await until(looks, 'jobs.get', id, { job_schedule: { result: 'success' } })
    expect(await freezer.json(`job-show ${id}`)).toMatchObject({
      ...{ 'Job ID': id, 'Client ID': node, Description: 'by command', Result: 'success' },
    })
    await freezer.say(`job-stop ${id}`)
    await freezer.say(`job-abort ${id}`)
    await freezer.say(`job-update ${id} ${await file('job-update', { description: 'changed' })}`)
    expect(await freezer.json(`job-show ${id}`)).toMatchObject({ Description: 'changed', Status: 'stop' })
    await freezer.say(`job-delete ${id}`)
    const gone = await freezer.try(`job-show ${id}`)
    expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining('Job not found')])
    expect((await freezer.try(`job-delete ${id}`)).stderr).toMatch(/\[\*\] Error 404: \S/)
  })

  it('creates, lists, shows, fills, starts, updates and deletes sessions', async () => {
    const document = { description: 'by command', hold_off: 1, schedule: { event: 'stop' } }
    const id = idIn(await freezer.say(`session-create --file ${await file('session', document)}`))
    const empty = await file('member', { job_actions: [] })
    const job = idIn(await freezer.say(`job-create --client ${node} --file ${empty}`))
    const member = `--session-id ${id} --job-id ${job}`
    await freezer.say(`session-add-job ${member}`)
    expect(rowOf(await freezer.json('session-list --search command'), 'Session ID', id)).toMatchObject({
      ...{ Description: 'by command', '# Jobs': 1 },
    })
    await freezer.say(`session-update ${id} ${await file('session-update', { description: 'changed' })}`)
    await freezer.say(`session-start ${member} --job-tag 0`)
    const shown = await freezer.json(`session-show ${id}`)
    expect(shown).toMatchObject({ 'Session tag': 1, Description: 'changed', 'Project id': project })
    expect(shown.Jobs).toContain(job)
    await freezer.say(`session-remove-job ${member}`)
    expect((await freezer.json(`session-show ${id}`)).Jobs).toBe('{}')
    await freezer.say(`session-delete ${id}`)
    expect((await freezer.try(`session-show ${id}`)).stderr).toContain('Session not found')
    await freezer.say(`job-delete ${job}`)
  })

  it('registers, lists, shows and deletes clients', async () => {
    const document = { client_id: 'by-command', hostname: 'by-command', description: 'registered' }
    await freezer.say(`client-register --file ${await file('client', document)}`)
    const fields = { 'Client ID': 'by-command', hostname: 'by-command', description: 'registered' }
    const listed = await freezer.json('client-list --limit 100')
    expect(rowOf(listed, 'Client ID', 'by-command')).toMatchObject(fields)
    expect(await freezer.json('client-show by-command')).toMatchObject(fields)
    await freezer.say('client-delete by-command')
    expect((await freezer.try('client-show by-command')).code).toBe(1)
  })

  it('creates, lists, shows, updates and deletes actions', async () => {
    const freezer_action = { action: 'backup', backup_name: 'by-command', path_to_backup: '/etc' }
    const id = idIn(await freezer.say(`action-create --file ${await file('action', { freezer_action })}`))
    const update = await file('action-update', { freezer_action: { mode: 'fs' } })
    await freezer.say(`action-update ${id} ${update}`)
    const fields = { 'Action ID': id, Name: 'by-command', Action: 'backup', Mode: 'fs' }
    const listed = await freezer.json('action-list --search by-command')
    expect(rowOf(listed, 'Action ID', id)).toMatchObject(fields)
    expect(await freezer.json(`action-show ${id}`)).toMatchObject(fields)
    await freezer.say(`action-delete ${id}`)
    expect((await freezer.try(`action-show ${id}`)).code).toBe(1)
  })

  it('registers, lists, shows and deletes backups', async () => {
    const metadata = { container: '/var/backups', hostname: 'by-command', backup_name: 'etc' }
    const more = { path_to_backup: '/etc', time_stamp: 1_795_297_300, curr_backup_level: 1 }
    const document = await file('backup', { ...metadata, ...more })
    const id = idIn(await freezer.say(`backup-create --file ${document}`))
    // As JSON it cannot print a time.
    const listed = await freezer.say('backup-list --search by-command -f csv --quote none')
    expect(listed).toMatch(new RegExp(`^${id},.*,by-command,/etc,.*,1\r?$`, 'm'))
    expect((await freezer.json(`backup-show ${id}`)).Metadata).toContain('by-command')
    await freezer.say(`backup-delete ${id}`)
    expect((await freezer.try(`backup-show ${id}`)).code).toBe(1)
  })
})

describe('freezer, API version 1', () => {
  const freezerV1 = new CommandLine('freezer', { ...environments.operator, OS_BACKUP_API_VERSION: '1' })

  it('makes a job that version 2 shows alike, and lists everything', async () => {
    const document = await file('job-v1', { description: 'by version 1', job_actions: [] })
    const job = idIn(await freezerV1.say(`job-create --file ${document} --client ${node}`))
    const shown = await freezerV1.json(`job-show ${job}`)
    expect(shown).toMatchObject({ 'Job ID': job, Description: 'by version 1' })
    expect(await freezer.json(`job-show ${job}`)).toEqual(shown)
    for (const what of ['Job', 'Session', 'Client', 'Action', 'Backup'])
      expect(await freezerV1.say(`${what.toLowerCase()}-list -f csv`)).toContain(`"${what} ID"`)
    await freezerV1.say(`job-delete ${job}`)
  })
})

describe('who may do what', () => {
  it('follows the role that Keystone knows', async () => {
    const viewer = new CommandLine('freezer', environments.viewer)
    const document = await file('job-of-viewer', { job_actions: [] })
    const refused = await viewer.try(`job-create --file ${document} --client ${node}`)
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/\[\*\] Error 403: \S/)])
    expect(await viewer.json('job-list')).toEqual(expect.any(Array))
  })

  it('takes an endpoint and a token instead of the catalogue and a password', async () => {
    const openstack = new CommandLine('openstack', environments.operator)
    const { id: token } = await openstack.json('token issue')
    const { OS_PASSWORD: _password, OS_USERNAME: _user, ...env } = environments.operator
    const words = `--os-token ${token} --os-project-id ${project} --os-backup-url ${url}`
    expect(await new CommandLine('freezer', env, words).json('job-list')).toEqual(expect.any(Array))
  })
})
