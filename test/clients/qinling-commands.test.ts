import { describe, expect, inject, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import type { Loose } from '../support/stack.ts'
import { functionOf } from './functions.ts'
import { CommandLine } from './programs.ts'

const { clients, environments, project } = inject('world')
const [node = ''] = clients
const openstack = new CommandLine('openstack', environments.operator)
const function_input = JSON.stringify({ client_id: node })

describe('openstack job', () => {
  it('creates, lists, shows, updates and deletes', async () => {
    const id = await functionOf(['true'], { backup_name: 'job-by-command' })
    const made = await openstack.json(
      ...['job', 'create', '--function', id, '--name', 'by command', '--pattern', '30 2 * * *'],
      ...['--function-input', function_input, '--count', '3'],
    )
    expect(made).toMatchObject({
      name: 'by command',
      function_id: id,
      status: 'running',
      count: 3,
      function_input,
    })
    const [listed, shown] = await Promise.all([
      openstack.json('job', 'list', '--filter', `project_id=${project}`),
      openstack.json('job', 'show', made.id),
    ])
    expect(shown).toEqual(made)
    expect(listed.find((row: Loose) => row.Id === made.id)).toMatchObject({
      Name: 'by command',
      Status: 'running',
    })
    for (const [words, changed] of [
      [['--status', 'paused'], { status: 'paused' }],
      [['--status', 'running', '--name', 'renamed'], { status: 'running', name: 'renamed' }],
      [['--pattern', '0 3 * * *'], { pattern: '0 3 * * *' }],
      [['--next-execution-time', '2099-01-01T00:00:00'], { next_execution_time: '2099-01-01T00:00:00Z' }],
      [['--status', 'cancelled'], { status: 'cancelled' }],
    ] as const)
      expect(await openstack.json('job', 'update', made.id, ...words)).toMatchObject(changed)
    const refused = await openstack.try('job', 'update', made.id, '--status', 'running')
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/cancelled.*HTTP 400/s)])
    await openstack.say('job', 'delete', made.id)
    expect((await openstack.try('job', 'show', made.id)).stderr).toContain('HTTP 404')
  })

  it('takes a function by its name, and an alias', async () => {
    const id = await functionOf(['true'], { backup_name: 'function-by-name' })
    const functions = await openstack.json('function', 'list')
    const { Name: name } = functions.find((row: Loose) => row.Id === id)
    const times = ['--first-execution-time', '2099-01-01T00:00:00Z', '--function-input', function_input]
    const byName = await openstack.json('job', 'create', '--function', name, ...times)
    expect(byName).toMatchObject({ function_id: id, pattern: null, count: 1 })
    await openstack.json('function', 'alias', 'create', 'by-command', '--function', name)
    const byAlias = await openstack.json('job', 'create', '--function-alias', 'by-command', ...times)
    expect(byAlias).toMatchObject({ function_alias: 'by-command', function_id: null })
    await openstack.say('job', 'delete', byName.id, byAlias.id)
    expect(await openstack.json('function', 'alias', 'show', 'by-command')).toMatchObject({ function_id: id })
    await openstack.json(
      'function',
      'alias',
      'update',
      'by-command',
      '--function',
      id,
      '--description',
      'new',
    )
    expect(await openstack.json('function', 'alias', 'list')).toContainEqual(
      expect.objectContaining({ Name: 'by-command', Description: 'new' }),
    )
    await openstack.say('function', 'alias', 'delete', 'by-command')
    expect(await openstack.json('function', 'show', name)).toMatchObject({ id, project_id: project })
    await openstack.say('function', 'delete', name)
  })
})

describe('openstack function execution', () => {
  it('runs a function and shows what came of it', async () => {
    const id = await functionOf(['echo', 'said by the function'])
    const execution = ['function', 'execution']
    const made = await openstack.json(
      ...execution,
      'create',
      '--function',
      id,
      '--input',
      function_input,
      '--async',
    )
    expect(made).toMatchObject({ function_id: id, sync: false })
    await eventually(async () => (await openstack.json(...execution, 'show', made.id)).status === 'success', {
      withinMs: 45_000,
    })
    const [listed, log] = await Promise.all([
      openstack.json(...execution, 'list', '--filter', `function_id=${id}`),
      openstack.say(...execution, 'log', 'show', made.id),
    ])
    expect(listed).toEqual([expect.objectContaining({ Id: made.id, Status: 'success' })])
    expect(log).toContain('said by the function')
    await openstack.say(...execution, 'delete', '--execution', made.id)
    expect(await openstack.json(...execution, 'list', '--filter', `function_id=${id}`)).toEqual([])
  })
})
