import { describe, expect, inject, it } from 'vitest'
import type { Loose } from '../support/stack.ts'
import { functionOf } from './functions.ts'
import { CommandLine } from './programs.ts'
import { until } from './waiting.ts'
import { withToken } from './world.ts'

const { clients, environments, project } = inject('world')
const [node = ''] = clients
const openstack = new CommandLine('openstack', environments.operator)
const input = JSON.stringify({ client_id: node })

describe('openstack job', () => {
  it('creates, lists, shows, updates and deletes', async () => {
    const id = await functionOf(['true'])
    const made = await openstack.json(
      `job create --function ${id} --name 'by command' --pattern '30 2 * * *' --function-input '${input}' --count 3`,
    )
    expect(made).toMatchObject({
      ...{ name: 'by command', function_id: id, status: 'running', count: 3, function_input: input },
    })
    expect(await openstack.json(`job show ${made.id}`)).toEqual(made)
    const listed = await openstack.json(`job list --filter project_id=${project}`)
    expect(listed.find((row: Loose) => row.Id === made.id)).toMatchObject({ Name: 'by command' })
    for (const [words, changed] of [
      ['--status paused', { status: 'paused', name: 'by command' }],
      ['--status running --name renamed', { status: 'running', name: 'renamed' }],
      ["--pattern '0 3 * * *'", { pattern: '0 3 * * *' }],
      ['--next-execution-time 2099-01-01T00:00:00', { next_execution_time: '2099-01-01T00:00:00Z' }],
      ['--status cancelled', { status: 'cancelled' }],
    ] as const)
      expect(await openstack.json(`job update ${made.id} ${words}`)).toMatchObject(changed)
    const refused = await openstack.try(`job update ${made.id} --status running`)
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/cancelled.*HTTP 400/s)])
    await openstack.say(`job delete ${made.id}`)
    expect((await openstack.try(`job show ${made.id}`)).stderr).toContain('HTTP 404')
  })

  it('takes a function by its name, and an alias', async () => {
    const id = await functionOf(['true'], { backup_name: 'function-by-name' })
    const functions = await openstack.json('function list')
    const { Name: name } = functions.find((row: Loose) => row.Id === id)
    const times = `--first-execution-time 2099-01-01T00:00:00Z --function-input '${input}'`
    const byName = await openstack.json(`job create --function '${name}' ${times}`)
    expect(byName).toMatchObject({ function_id: id, pattern: null, count: 1 })
    await openstack.say(`function alias create by-command --function '${name}'`)
    const byAlias = await openstack.json(`job create --function-alias by-command ${times}`)
    expect(byAlias).toMatchObject({ function_alias: 'by-command', function_id: null })
    await openstack.say(`job delete ${byName.id} ${byAlias.id}`)

    expect(await openstack.json('function alias show by-command')).toMatchObject({ function_id: id })
    await openstack.say(`function alias update by-command --function ${id} --description new`)
    expect(await openstack.json('function alias list')).toContainEqual(
      expect.objectContaining({ Name: 'by-command', Description: 'new' }),
    )
    await openstack.say('function alias delete by-command')
    expect(await openstack.json(`function show '${name}'`)).toMatchObject({ id, project_id: project })
    await openstack.say(`function delete '${name}'`)
    expect((await openstack.try(`function show ${id}`)).stderr).toContain('HTTP 404')
  })
})

describe('openstack function execution', () => {
  it('runs a function and shows what came of it', async () => {
    await using looks = withToken('qinling', '/qinling')
    const id = await functionOf(['echo', 'said by the function'])
    const made = await openstack.json(`function execution create --function ${id} --input '${input}' --async`)
    expect(made).toMatchObject({ function_id: id, sync: false })
    await until(looks, 'function_executions.get', made.id, { status: 'success' })
    expect(await openstack.json(`function execution show ${made.id}`)).toMatchObject({ status: 'success' })
    const list = () => openstack.json(`function execution list --filter function_id=${id}`)
    expect(await list()).toEqual([expect.objectContaining({ Id: made.id, Status: 'success' })])
    expect(await openstack.say(`function execution log show ${made.id}`)).toContain('said by the function')
    await openstack.say(`function execution delete --execution ${made.id}`)
    expect(await list()).toEqual([])
  })
})
