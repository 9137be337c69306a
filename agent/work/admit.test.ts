import { describe, expect, it } from 'vitest'
import { instant } from '../../core/clock.ts'
import { clientId, jobId, projectId, repositoryId, runId } from '../../core/ids.ts'
import { epoch, type Order } from '../../core/link.ts'
import type { Action } from '../../core/action.ts'
import { memoryDatabases } from '../../test/support/databases.ts'
import { backupAction, execAction, orderOf, taskOf } from '../../test/support/desk-rig.ts'
import { admit, lateMs, type Situation } from './admit.ts'
import { keptOf } from './book.ts'
import { foldEntries } from './journal-state.ts'
import { pathsAskedAbout } from './policy.ts'
import type { JournalEntry } from '../ports/journal.ts'

const ability = (name: string, does: readonly Action['do'][], available = true) =>
  [name, { does, probe: { engine: name, available, capabilities: [], problems: ['not installed'] } }] as const

const paths = ['/srv', '/srv/data', '/restore', '/restore/x', '/backup', '/backup/repo']

function situation(more: Partial<Situation> = {}, entries: JournalEntry[] = []): Situation {
  return {
    project: projectId('p'),
    client: clientId('node-a'),
    state: foldEntries(entries),
    policy: {
      paths: ['/srv'],
      targets: ['/restore'],
      repositories: ['/backup', 'sftp:host:/a'],
      commands: 'any',
    },
    databases: memoryDatabases(),
    abilities: new Map([
      ability('exec', ['exec']),
      ability('restic', ['backup', 'restore', 'verify', 'forget']),
      ability('sqlite', ['backup', 'restore', 'verify', 'forget']),
    ]),
    real: new Map(paths.map((it) => [it, it])),
    queued: 0,
    queueMax: 10,
    stopping: false,
    now: instant(1_900_000_000_000),
    ...more,
  }
}

const accepted = (order: Order): JournalEntry => ({
  ...{ type: 'accepted', order: keptOf(order), begun: true, at: instant(1) },
})
const ended = (order: Order): JournalEntry => ({
  type: 'outcome',
  job: jobId('j'),
  report: {
    run: order.run,
    attempt: order.attempt,
    client: order.client,
    steps: [],
    end: 'retry',
    at: instant(2),
  },
})

/** Why an order is refused, in one word; `accept` or `repeat` otherwise. */
function answer(order: Order, where: Situation): string {
  const verdict = admit(order, where)
  if (verdict.do !== 'refuse') return verdict.do
  return `${verdict.reason.code}, ${verdict.final ? 'for ever' : 'not now'}`
}

describe('an order is taken at most once', () => {
  it('is taken when nothing speaks against it', () => {
    expect(answer(orderOf(), situation())).toBe('accept')
  })
  it('gets the same answer again when it was taken before, whatever has changed since', () => {
    const where = situation({ stopping: true, queued: 99 }, [accepted(orderOf())])
    expect(answer(orderOf({ epoch: epoch(1) }), where)).toBe('repeat')
  })
  it('is refused when its report is stored, when it was cancelled before it came, when it was refused before', () => {
    const marked = (why: 'committed' | 'absent' | 'refused') =>
      situation({}, [
        { type: 'mark', run: runId('r1'), attempt: 1, why, reason: { code: 'policy', text: 'no' } },
      ])
    expect(answer(orderOf(), marked('committed'))).toBe('older_attempt, for ever')
    expect(answer(orderOf(), marked('absent'))).toBe('cancelled, for ever')
    expect(answer(orderOf(), marked('refused'))).toBe('policy, for ever')
    expect(answer(orderOf({ attempt: 2 }), marked('absent'))).toBe('accept')
  })
  it('is refused when a later attempt of its run was taken', () => {
    expect(answer(orderOf(), situation({}, [accepted(orderOf({ attempt: 2 }))]))).toBe(
      'older_attempt, for ever',
    )
  })
  it('waits while an earlier attempt of its run is not over', () => {
    const second = orderOf({ attempt: 2 })
    expect(answer(second, situation({}, [accepted(orderOf())]))).toBe('attempt_open, not now')
    expect(answer(second, situation({}, [accepted(orderOf()), ended(orderOf())]))).toBe('accept')
  })
})

describe('an order is fenced', () => {
  it('of an older leader is refused, for now: the later leader may send it', () => {
    const where = situation({}, [{ type: 'epoch', epoch: epoch(8) }])
    expect(answer(orderOf({ epoch: epoch(7) }), where)).toBe('stale_epoch, not now')
    expect(answer(orderOf({ epoch: epoch(8) }), where)).toBe('accept')
  })
  it('for another node or project is never taken', () => {
    expect(answer(orderOf({ client: clientId('node-b') }), situation())).toBe('not_mine, for ever')
    expect(answer(orderOf({ project: projectId('q') }), situation())).toBe('not_mine, for ever')
  })
  it('that is too late is refused, but a clock that is some minutes wrong does not matter', () => {
    const { answerBy } = orderOf()
    expect(answer(orderOf(), situation({ now: instant(answerBy + lateMs) }))).toBe('accept')
    expect(answer(orderOf(), situation({ now: instant(answerBy + lateMs + 1) }))).toBe('late, not now')
  })
})

describe('an order is not taken now', () => {
  it('when the queue is full or the agent stops', () => {
    expect(answer(orderOf(), situation({ queued: 10 }))).toBe('queue_full, not now')
    expect(answer(orderOf(), situation({ stopping: true }))).toBe('stopping, not now')
  })
})

describe('what the node cannot do is refused for ever', () => {
  it.each([
    ['an engine that it does not have', new Map(), 'engine_unknown'],
    ['an engine that does other things', new Map([ability('exec', [])]), 'engine_unknown'],
    ['an engine whose tool is missing', new Map([ability('exec', ['exec'], false)]), 'engine_unavailable'],
  ] as const)('%s', (_, abilities, code) => {
    expect(answer(orderOf(), situation({ abilities }))).toBe(`${code}, for ever`)
  })
  it('but steps that are done already are not asked about', () => {
    const order = orderOf({
      tasks: [taskOf(backupAction('/etc')), taskOf(execAction())],
      before: [{ tries: 1, result: 'success' }, { tries: 0 }],
    })
    expect(answer(order, situation())).toBe('accept')
  })
  it('an order that names no repository for what needs one', () => {
    expect(answer(orderOf({ tasks: [taskOf(backupAction())], repositories: [] }), situation())).toBe(
      'no_repository, for ever',
    )
  })
})

describe("the node's own configuration has the last word", () => {
  const restore = (target: string): Action => ({
    do: 'restore',
    engine: 'restic',
    from: { is: 'series', backupName: 'x' },
    include: [],
    target,
    overwrite: false,
    repository: { is: 'default' },
    limits: {},
  })
  const doing = (action: Action): Order => orderOf({ tasks: [taskOf(action)] })
  const at = (location: string): Order =>
    orderOf({
      tasks: [taskOf(backupAction())],
      repositories: [{ id: repositoryId('repo'), engine: 'restic', location, password: 'x' }],
    })

  it.each([
    ['a path below an allowed folder', '/srv/data', 'accept'],
    ['the allowed folder itself', '/srv', 'accept'],
    ['a path that only begins like one', '/srvx', 'policy, for ever'],
    ['a path that climbs out', '/srv/../etc', 'policy, for ever'],
    ['another path', '/etc', 'policy, for ever'],
    ['a relative path', 'srv', 'policy, for ever'],
    ['a path with a NUL in it', '/srv/\0', 'policy, for ever'],
  ])('backup: %s', (_, wanted, expected) => {
    const real = new Map([...paths, '/srvx', '/etc', 'srv', '/srv/\0'].map((it) => [it, it]))
    real.set('/srv/../etc', '/etc')
    expect(answer(doing(backupAction(wanted)), situation({ real }))).toBe(expected)
  })

  it('follows links: one that leads out of an allowed folder is refused, an allowed folder may be one itself', () => {
    const out = new Map([...situation().real, ['/srv/link', '/etc']])
    expect(answer(doing(backupAction('/srv/link')), situation({ real: out }))).toBe('policy, for ever')
    const moved = new Map([...situation().real, ['/srv', '/disk/srv'], ['/srv/data', '/disk/srv/data']])
    expect(answer(doing(backupAction('/srv/data')), situation({ real: moved }))).toBe('accept')
  })

  it('refuses a path that nobody could follow', () => {
    const real = new Map(situation().real)
    real.delete('/srv/data')
    expect(answer(doing(backupAction()), situation({ real }))).toBe('policy, for ever')
  })

  it('restores only below its targets', () => {
    expect(answer(doing(restore('/restore/x')), situation())).toBe('accept')
    expect(answer(doing(restore('/srv')), situation())).toBe('policy, for ever')
  })

  it.each([
    ['/backup/repo', 'accept'],
    ['/srv/repo', 'policy, for ever'],
    ['sftp:host:/a/b', 'accept'],
    ['sftp:host:/ab', 'policy, for ever'],
    ['sftp:host:/a/../b', 'policy, for ever'],
    ['s3:other', 'policy, for ever'],
  ])('uses only its repositories: %s', (location, expected) => {
    const real = new Map([...situation().real, ['/srv/repo', '/srv/repo']])
    expect(answer(at(location), situation({ real }))).toBe(expected)
  })

  it('runs only the programs that it names, each of a pipe', () => {
    const policy = { ...situation().policy, commands: ['/usr/bin/pg_dump', 'gzip'] }
    const pipe = (...programs: string[]): Action => ({
      ...{ do: 'exec', engine: 'exec', timeLimitMs: 1, limits: {} },
      commands: programs.map((program) => [program, '-x']),
    })
    expect(answer(doing(pipe('/usr/bin/pg_dump', 'gzip')), situation({ policy }))).toBe('accept')
    expect(answer(doing(pipe('/usr/bin/pg_dump', 'sh')), situation({ policy }))).toBe('policy, for ever')
    expect(answer(doing(pipe('/usr/bin/gzip')), situation({ policy }))).toBe('policy, for ever')
    const none = { ...policy, commands: [] }
    expect(answer(doing(pipe('gzip')), situation({ policy: none }))).toBe('policy, for ever')
  })

  it('uses only the engines that it names, when it names any', () => {
    const policy = { ...situation().policy, engines: ['restic'] }
    expect(answer(orderOf(), situation({ policy }))).toBe('policy, for ever')
  })

  describe('looks after databases', () => {
    const declared = { key: 'orders', name: 'orders', datastore: 'sqlite', path: '/var/orders.db' } as const
    const made = { ...declared, key: 'again', path: '/data/again.db', within: '/data' }
    const spare = { name: 'spare', datastore: 'sqlite', root: '/data' } as const
    const databases = memoryDatabases([declared, made], [spare])
    const at = ['/var/orders.db', '/data', '/data/again.db', '/data/new.db']
    const real = new Map([...situation().real, ...at.map((it) => [it, it] as const)])
    const save = (instance: string, engine = 'sqlite'): Order =>
      doing({ ...(backupAction() as Extract<Action, { do: 'backup' }>), paths: [], engine, instance })
    const make = (template: string, instance: string, engine = 'sqlite'): Order =>
      doing({
        ...(restore('') as Extract<Action, { do: 'restore' }>),
        ...{ engine, create: { template, instance, name: 'x' } },
      })

    it.each([
      ['one that is declared', save('orders'), 'accept'],
      ['one that was made here', save('again'), 'accept'],
      ['no other one', save('passwords'), 'policy, for ever'],
      ['none with an engine of another kind', save('orders', 'restic'), 'policy, for ever'],
      ['and makes one from a template', make('spare', 'new'), 'accept'],
      ['not from another template', make('other', 'new'), 'policy, for ever'],
      ['not with an engine of another kind', make('spare', 'new', 'restic'), 'policy, for ever'],
      ['not where nobody could look', make('spare', 'unseen'), 'policy, for ever'],
      ['not above its folder', make('spare', '../new'), 'policy, for ever'],
    ])('%s', (_, order, expected) => {
      expect(answer(order, situation({ databases, real }))).toBe(expected)
    })

    it('one that is declared may be a link; one that was made may not lead out of its folder', () => {
      const links = new Map([...real, ['/var/orders.db', '/disk/orders.db'], ['/data/again.db', '/etc/x.db']])
      expect(answer(save('orders'), situation({ databases, real: links }))).toBe('accept')
      expect(answer(save('again'), situation({ databases, real: links }))).toBe('policy, for ever')
    })

    it('has all of their places followed', () => {
      const { policy } = situation()
      expect(pathsAskedAbout(save('again'), policy, databases)).toEqual(
        expect.arrayContaining(['/data/again.db', '/data']),
      )
      expect(pathsAskedAbout(make('spare', 'new'), policy, databases)).toEqual(
        expect.arrayContaining(['/data/new.db', '/data']),
      )
    })
  })

  it('drops backups only in its repositories', () => {
    const forget: Action = {
      ...{ do: 'forget', engine: 'sqlite', backups: [], free: true },
      ...{ repository: { is: 'default' }, limits: {} },
    }
    const inside = orderOf({ tasks: [taskOf(forget)] })
    expect(answer(inside, situation())).toBe('accept')
    const policy = { ...situation().policy, repositories: ['/elsewhere'] }
    expect(answer(inside, situation({ policy }))).toBe('policy, for ever')
  })

  it('says which key of the configuration to look at', () => {
    const verdict = admit(doing(backupAction('/etc')), situation({ real: new Map([['/etc', '/etc']]) }))
    expect(verdict.do === 'refuse' && verdict.reason.text).toContain('allow.paths')
  })
})
