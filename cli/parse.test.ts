import { describe, expect, it } from 'vitest'
import { firn } from './support/firn.ts'
import { COMMANDS } from './commands/all.ts'
import { findCommand, GLOBAL_OPTIONS, parse } from './parse.ts'

const read = (line: string) => {
  const found = findCommand(COMMANDS, line.split(' '))
  if (found.is === 'none') throw new Error(`no command in ${line}`)
  const { args, options } = parse(found.command, found.rest)
  return { command: found.command.name, args, options: Object.fromEntries(options) }
}

describe('a command line', () => {
  it('has options anywhere, in every usual form', () => {
    const expected = {
      command: 'run ls',
      args: {},
      options: { server: ['http://x'], output: ['json'], limit: ['5'], job: ['j1'] },
    }
    for (const line of [
      'run ls --server http://x -o json --limit 5 --job j1',
      '--server http://x run --output=json ls --limit=5 --job=j1',
      '--server=http://x -ojson run ls --job j1 --limit 5',
      'run ls -o=json --limit 4 --limit 5 --job j1 --server http://x',
    ])
      expect({ line, ...read(line) }).toEqual({ line, ...expected })
  })

  it('keeps words that look like commands where they are values', () => {
    expect(read('run --context run ls --job ls')).toEqual({
      command: 'run ls',
      args: {},
      options: { context: ['run'], job: ['ls'] },
    })
  })

  it('collects what may repeat, and takes words after -- as they are', () => {
    expect(read('session add-job s1 j1 j2').args).toEqual({ SESSION: ['s1'], JOB: ['j1', 'j2'] })
    expect(read('backup restore b1 --target /t --include /a --include /b').options['include']).toEqual([
      '/a',
      '/b',
    ])
    expect(read('job get -- --odd').args).toEqual({ JOB: ['--odd'] })
    expect(read('job create -f -').options['file']).toEqual(['-'])
  })

  it('takes switches together', () => {
    expect(read('run logs r1 -f').options).toEqual({ follow: ['true'] })
    expect(read('events -fo jsonl').options).toEqual({ follow: ['true'], output: ['jsonl'] })
  })
})

describe('a mistake is named, with what to do', () => {
  it.each([
    ['run ls --limt 5', 'there is no option --limt; did you mean --limit?', 'firn run ls --help'],
    ['run ls --limit', '--limit needs a value: --limit N', 'firn run ls --help'],
    ['run ls --job --limit 5', '--job needs a value: --job JOB', 'firn run ls --help'],
    ['run ls --limit many', '--limit: "many" is no whole number from 1 on', ''],
    ['run ls --limit 0', '--limit: "0" is no whole number from 1 on', ''],
    ['run ls -o xml', '-o: "xml" is none of table, wide, json, jsonl, yaml, name', 'firn run ls --help'],
    ['run ls --all=yes', '--all takes no value', 'firn run ls --help'],
    ['run get', 'RUN is missing: its id', 'firn run get --help'],
    ['run get a b', '"b" is one word too many', 'firn run get --help'],
    ['job create', '--file is needed', 'firn job create --help'],
    ['set restore s1 3', '--target is needed', 'firn set restore --help'],
    ['set get s1 three', 'TAG: "three" is no session tag', ''],
    ['client token --ttl soon', '--ttl: "soon" is no duration such as 90s, 15m, 12h or 7d', ''],
    ['job run j1 --key=', '--key: 1 to 128 printable characters', ''],
    ['job get ..', '".." is no id', ''],
    ['jobs ls', 'there is no command "jobs"', 'did you mean job?'],
    ['job frobnicate', 'firn job has no command "frobnicate"', 'it has: ls, get, create'],
    ['session add-jobs s j', 'firn session has no command "add-jobs"', 'did you mean add-job?'],
    ['whoami --timeout 0', '--timeout: a request needs more than no time', ''],
    ['whoami --timeout 9999h', '--timeout: no request may take more than 24 days', ''],
    [
      'whoami --server ftp://x',
      'the command line: the server\u2019s address must look like http://127.0.0.1:9090',
      '',
    ],
  ])('%s', async (line, problem, hint) => {
    const { code, stdout, stderr } = await firn(line.split(' '), {
      env: { FIRN_SERVER: 'http://127.0.0.1:1' },
    })
    expect(stderr.replaceAll('\u2019', "'")).toContain(`firn: ${problem.replaceAll('\u2019', "'")}`)
    expect(stderr).toContain(hint)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })
})

it('a part of Firn that is launched gets its words as they are', () => {
  const found = findCommand(COMMANDS, ['agent', 'enrol', '--server', 'http://x', '--state-dir', 'agent'])
  expect(found).toMatchObject({
    command: { name: 'agent enrol' },
    rest: ['--server', 'http://x', '--state-dir', 'agent'],
  })
})

describe('help', () => {
  it('exists for all, for each group and for each command, with an example', async () => {
    const { code, stdout } = await firn(['--help'])
    expect(code).toBe(0)
    for (const { name } of COMMANDS) expect(stdout).toContain(name.split(' ').at(-1))
    for (const { name } of COMMANDS) {
      const help = await firn([...name.split(' '), '--help'])
      expect({ name, code: help.code }).toEqual({ name, code: 0 })
      expect(help.stdout).toContain(`usage: firn ${name}`)
      expect(help.stdout).toMatch(/Examples:\n {2}# .+\n {2}.*firn /)
    }
    expect((await firn(['session', '--help'])).stdout).toContain('session start')
    expect((await firn(['help', 'session'])).stdout).toContain('session start')
  })

  it('is what an empty command line gets, as an error', async () => {
    expect(await firn([])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('usage: firn'),
    })
    expect(await firn(['job'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('job run'),
    })
  })

  it('says the version', async () => {
    expect(await firn(['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^firn \d+\.\d+\.\d+\n$/),
    })
  })
})

describe('the table of commands', () => {
  it('has no name twice, and no option that hides a common one', () => {
    const names = COMMANDS.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    const common = GLOBAL_OPTIONS.flatMap((it) => [it.name, it.short ?? it.name])
    const hidden = COMMANDS.filter((command) => 'run' in command).flatMap(({ name, options }) =>
      options
        .filter((it) => [it.name, it.short].some((word) => common.includes(word ?? '')))
        .map((it) => `${name} --${it.name}`),
    )
    expect(hidden).toEqual([])
  })

  it('has examples that are command lines of theirs', () => {
    for (const command of COMMANDS) {
      for (const [line] of command.examples) {
        const words =
          /firn ([^>|)]*)/
            .exec(line)?.[1]
            ?.trim()
            .replaceAll(/"[^"]*"/g, 'text')
            .split(/\s+/) ?? []
        const found = findCommand(COMMANDS, words)
        expect({ line, found }).toMatchObject({ found: { is: 'command', command: { name: command.name } } })
        expect(() => parse(command, found.is === 'command' ? found.rest : [])).not.toThrow()
      }
    }
  })
})
