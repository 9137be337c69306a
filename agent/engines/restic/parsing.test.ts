import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { codeOfText, failureOf, isRetryable } from './failures.ts'
import { parseLine } from './messages.ts'
import { capabilitiesOf, parseVersion, probeOf } from './version.ts'

const exited = (code: number) => ({ is: 'exited', code }) as const

describe('versions', () => {
  it.each([
    ['restic 0.14.0 compiled with go1.19.8 on linux/amd64', '0.14.0'],
    ['{"message_type":"version","version":"0.18.0","go_version":"go1.24.4"}', '0.18.0'],
    ['restic 0.19.1-dev (compiled manually)', '0.19.1-dev'],
    ['restic 1.2', '1.2.0'],
  ])('%s is %s', (output, text) => {
    expect(parseVersion(output)?.text).toBe(text)
  })

  it('are not made up', () => {
    expect(parseVersion('bash: restic: command not found')).toBeUndefined()
    expect(parseVersion('')).toBeUndefined()
  })

  const of = (text: string) => parseVersion(`restic ${text}`) ?? expect.unreachable()

  it('below 0.14 are refused', () => {
    expect(capabilitiesOf(of('0.13.1'))).toBeUndefined()
    expect(probeOf(of('0.13.1'))).toMatchObject({
      available: false,
      problems: [expect.stringContaining('0.14')],
    })
  })

  it('bring capabilities with them', () => {
    expect(capabilitiesOf(of('0.14.0'))).toMatchObject({
      restoreProgress: false,
      sparseRestore: false,
    })
    expect(capabilitiesOf(of('0.16.4'))).toMatchObject({
      restoreProgress: false,
      sparseRestore: true,
    })
    expect(capabilitiesOf(of('0.18.0'))).toMatchObject({
      restoreProgress: true,
      sparseRestore: true,
    })
    expect(capabilitiesOf(of('1.0.0'))).toMatchObject({ restoreProgress: true })
    expect(probeOf(of('0.14.0')).problems).toHaveLength(1)
    expect(probeOf(of('0.18.0')).problems).toEqual([])
  })
})

describe('lines of output', () => {
  it('of a status become progress', () => {
    const line =
      '{"message_type":"status","seconds_elapsed":1,"percent_done":0.5,"total_files":304,"files_done":303,"total_bytes":20,"bytes_done":10,"error_count":2,"current_files":["/src/a","/src/b"]}'
    expect(parseLine(line)).toEqual({
      type: 'status',
      fraction: 0.5,
      bytesDone: 10,
      bytesTotal: 20,
      filesDone: 303,
      filesTotal: 304,
      errors: 2,
      current: '/src/a',
    })
    expect(parseLine('{"message_type":"status"}')).toEqual({ type: 'status' })
  })

  it('of an unreadable file name it, with an errno name, in the words of either version', () => {
    const old =
      '{"message_type":"error","error":{"Op":"open","Path":"/a/f7","Err":13},"during":"archival","item":"/a/f7"}'
    const later =
      '{"message_type":"error","error":{"message":"open /a/f7: permission denied"},"during":"archival","item":"/a/f7"}'
    expect(parseLine(old)).toEqual({
      type: 'item_error',
      error: { path: '/a/f7', code: 'EACCES', message: 'open: EACCES' },
    })
    expect(parseLine(later)).toEqual({
      type: 'item_error',
      error: { path: '/a/f7', code: 'EACCES', message: 'open /a/f7: permission denied' },
    })
  })

  it('of text are understood where they name an item or count', () => {
    expect(parseLine('/tmp/a b does not exist, skipping')).toMatchObject({
      error: { path: '/tmp/a b', code: 'ENOENT' },
    })
    expect(parseLine('ignoring error for /src/big: ciphertext verification failed')).toMatchObject({
      error: { path: '/src/big', message: 'ciphertext verification failed' },
    })
    expect(parseLine('[0:02] 50.00%  1 / 2 packs')).toEqual({ type: 'bar', done: 1, total: 2, unit: 'packs' })
    expect(parseLine('[1:00:02] 12 / 20 index files loaded')).toMatchObject({
      type: 'bar',
      done: 12,
      total: 20,
    })
  })

  it('of an unknown kind go to the log', () => {
    expect(parseLine('{"message_type":"dance"}')).toEqual({
      type: 'text',
      text: '{"message_type":"dance"}',
      json: true,
    })
    expect(parseLine('{"message_type":')).toEqual({ type: 'text', text: '{"message_type":', json: false })
  })

  it('of any garbage are survived', () => {
    const kinds = fc.constantFrom('status', 'summary', 'error', 'exit_error', 'initialized', 'verbose_status')
    const keys = fc.constantFrom(
      'error',
      'item',
      'percent_done',
      'total_bytes',
      'current_files',
      'message',
      'snapshot_id',
    )
    const messages = fc
      .tuple(kinds, fc.dictionary(keys, fc.jsonValue()))
      .map(([message_type, rest]) => JSON.stringify({ message_type, ...rest }))
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), messages), (line) => {
        const message = parseLine(line)
        const fraction = message.type === 'status' ? (message.fraction ?? 0) : 0
        expect(fraction).toBeGreaterThanOrEqual(0)
        expect(fraction).toBeLessThanOrEqual(1)
        expect(typeof (message.type === 'item_error' ? message.error.message : '')).toBe('string')
        // Twice the same: a pattern with a memory of its own would show here.
        expect(parseLine(line)).toEqual(message)
      }),
    )
  })
})

describe('a failure', () => {
  it.each([
    [1, 'Fatal: wrong password or no key found', 'auth', false],
    [12, 'Fatal: wrong password or no key found', 'auth', false],
    [
      1,
      'Fatal: unable to open config file: stat /r/config: no such file or directory',
      'no_repository',
      false,
    ],
    [10, 'Fatal: repository does not exist: unable to open config file', 'no_repository', false],
    [10, '', 'no_repository', false],
    [
      1,
      'Fatal: unable to open config file: Head "http://h/config": dial tcp 127.0.0.1:1: connect: connection refused',
      'unreachable',
      true,
    ],
    [
      10,
      'Fatal: repository does not exist: unable to open config file: dial tcp 127.0.0.1:1: connection refused',
      'unreachable',
      true,
    ],
    [
      1,
      'Fatal: unable to create lock in backend: repository is already locked exclusively by PID 7 on n by root',
      'locked',
      true,
    ],
    [11, 'exit error: Fatal: unable to create lock in backend: repository is already locked', 'locked', true],
    [
      1,
      'Fatal: unable to create lock in backend: open /r/locks/1: no space left on device',
      'no_space',
      false,
    ],
    [1, 'Fatal: all target directories/files do not exist', 'source_missing', false],
    [1, 'Fatal: repository contains errors', 'damaged', false],
    [1, 'unknown flag: --sparse', 'version', false],
    [1, 'Fatal: invalid id "dead": no matching ID found for prefix "dead"', 'config', false],
    [137, '', 'killed', true],
    [130, 'signal interrupt received, cleaning up', 'killed', true],
    [1, 'Fatal: what nobody foresaw', 'unknown', true],
    [2, '', 'unknown', true],
  ])('with exit code %i and %j is %s, and trying again can help: %s', (code, line, reason, retryable) => {
    const failure = failureOf(exited(code), [line])
    expect(failure.code).toBe(reason)
    expect(isRetryable(failure)).toBe(retryable)
    expect(failure.text).not.toBe('')
  })

  it('is told by its fatal words, not by what was said on the way', () => {
    const lines = [
      'Load(<data/1>) returned error, retrying: connection reset',
      'Fatal: wrong password or no key found',
    ]
    expect(failureOf(exited(1), lines).code).toBe('auth')
  })

  it('by a signal that nobody here sent is a kill', () => {
    expect(failureOf({ is: 'signalled', signal: 'SIGKILL' }, [])).toEqual({
      code: 'killed',
      text: 'restic ended with SIGKILL',
    })
  })

  it('is total over texts', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 255 }), fc.array(fc.string()), (code, lines) => {
        expect(failureOf(exited(code), lines).text.length).toBeGreaterThan(0)
      }),
    )
    expect(codeOfText('')).toBeUndefined()
  })
})
