import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as ids from './ids.ts'
import {
  backupIdOf,
  clientId,
  manualSlot,
  repositoryIdOf,
  restoreIdOf,
  runIdOf,
  sessionSlot,
  slot,
  slotAt,
  userSlot,
} from './ids.ts'

const refusal = (field: string) => expect.objectContaining({ code: 'bad_request', detail: { field } })

describe('an id', () => {
  const makers = [
    ['project_id', ids.projectId],
    ['user_id', ids.userId],
    ['job_id', ids.jobId],
    ['session_id', ids.sessionId],
    ['action_id', ids.actionId],
    ['run_id', ids.runId],
    ['backup_id', ids.backupId],
    ['repository_id', ids.repositoryId],
    ['server_id', ids.serverId],
  ] as const

  it.each(makers)('as %s is 1 to 64 letters, digits, "_" or "-"', (field, make) => {
    expect(make('a-B_9'.padEnd(64, 'x'))).toHaveLength(64)
    for (const text of ['', 'a b', 'a/b', 'a.b', 'é', 'a\n', 'x'.repeat(65), undefined, null, 7])
      expect(() => make(text), String(text)).toThrow(refusal(field))
  })
})

describe('a client id', () => {
  it.each(['node1', 'p1_node1', 'node1.example.com', '6f3d_host-2', 'a_b_c', 'x'.repeat(63)])(
    'may be %s',
    (text) => {
      expect(clientId(text)).toBe(text)
    },
  )

  it.each([
    '',
    'bad host!',
    '-node',
    'node-',
    'node..example',
    '.node',
    'p1_',
    'x'.repeat(64),
    `${'a.'.repeat(130)}a`,
    7,
  ])('may not be %s', (text) => {
    expect(() => clientId(text)).toThrow(refusal('client_id'))
  })

  it('is judged quickly, however long and odd it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '-', '.', '_', '0'), maxLength: 255 }), (text) => {
        try {
          expect(clientId(text)).toBe(text)
        } catch (error) {
          expect(error).toEqual(refusal('client_id'))
        }
      }),
    )
  })
})

describe('a slot', () => {
  it('is an instant, a key, or the start of a session', () => {
    expect(slotAt(1_700_000_000_000)).toBe('at:1700000000000')
    expect(manualSlot('again-1')).toBe('manual:again-1')
    expect(sessionSlot(ids.sessionId('s1'), 3)).toBe('session:s1:3')
    for (const text of [slotAt(5), manualSlot('k'), sessionSlot(ids.sessionId('s1'), 1)])
      expect(slot(text)).toBe(text)
  })

  it('is each user’s own where a user chose the key, however long both are', () => {
    const [ann, bob] = [ids.userId('ann'), ids.userId('bob')]
    expect(userSlot(ann, 'k')).toBe('manual:ann:k')
    expect(userSlot(bob, 'k')).not.toBe(userSlot(ann, 'k'))
    const longest = userSlot(ids.userId('u'.repeat(64)), 'k'.repeat(128))
    expect(slot(longest)).toBe(longest)
    expect(() => userSlot(ann, 'a b')).toThrow(refusal('idempotency_key'))
  })

  it('has no other form', () => {
    for (const text of ['', 'at:', 'every:5', 'manual:a b', `manual:${'x'.repeat(201)}`, 7])
      expect(() => slot(text), String(text)).toThrow(refusal('slot'))
    for (const key of ['', 'a b', 'é', 'x'.repeat(129), undefined])
      expect(() => manualSlot(key)).toThrow(refusal('idempotency_key'))
  })
})

describe('the id of a run', () => {
  const [project, job, client] = [ids.projectId('p1'), ids.jobId('j1'), clientId('node1')]
  const id = runIdOf(project, job, client, slotAt(5))

  it('is the same for the same project, job, client and slot: that is why a slot cannot start twice', () => {
    expect(runIdOf(project, job, client, slotAt(5))).toBe(id)
    expect(ids.runId(id)).toHaveLength(32)
  })

  it('is another when any of them is', () => {
    const others = [
      runIdOf(ids.projectId('p2'), job, client, slotAt(5)),
      runIdOf(project, ids.jobId('j2'), client, slotAt(5)),
      runIdOf(project, job, clientId('node2'), slotAt(5)),
      runIdOf(project, job, client, slotAt(6)),
      runIdOf(project, job, client, manualSlot('5')),
      backupIdOf(id, 0),
      backupIdOf(id, 1),
      repositoryIdOf(project, client, 'restic', '/srv'),
      repositoryIdOf(project, client, 'tar', '/srv'),
      restoreIdOf(project, ids.userId('ann'), 'k'),
      restoreIdOf(project, ids.userId('bob'), 'k'),
    ]
    expect(new Set([id, ...others]).size).toBe(others.length + 1)
  })
})

describe('an id where only UUIDs are shown', () => {
  it('has dashes, whatever its form: Freezer’s own digits stay readable in it, others give a UUIDv5', () => {
    expect(ids.uuidOf('4f0c2a3be1d94a53a8f5f4d1c1f7a911')).toBe('4f0c2a3b-e1d9-4a53-a8f5-f4d1c1f7a911')
    expect(ids.uuidOf('4F0C2A3B-E1D9-4A53-A8F5-F4D1C1F7A911')).toBe('4f0c2a3b-e1d9-4a53-a8f5-f4d1c1f7a911')
    expect(ids.uuidOf('nightly')).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    )
    expect(ids.uuidOf('nightly')).toBe(ids.uuidOf('nightly'))
    expect(ids.uuidOf('nightly')).not.toBe(ids.uuidOf('weekly'))
  })

  it('is taken in either case, and nothing else is', () => {
    const text = '4F0C2A3B-E1D9-4A53-A8F5-F4D1C1F7A911'
    expect([ids.instanceId(text), ids.instanceBackupId(text)]).toEqual([
      text.toLowerCase(),
      text.toLowerCase(),
    ])
    for (const bad of ['', 'x', text.replaceAll('-', ''), 7, undefined]) {
      expect(() => ids.instanceId(bad)).toThrow(refusal('instance'))
      expect(() => ids.instanceBackupId(bad)).toThrow(refusal('backup'))
    }
  })
})

it('gives an instance one id for each node and key, and one job', () => {
  const [p, a, b] = [ids.projectId('p'), clientId('a'), clientId('b')]
  const id = ids.instanceIdOf(p, a, 'orders')
  expect(ids.instanceIdOf(p, a, 'orders')).toBe(id)
  expect(ids.instanceIdOf(p, b, 'orders')).not.toBe(id)
  expect(ids.instanceIdOf(p, a, 'others')).not.toBe(id)
  expect(ids.jobId(ids.instanceJobOf(id))).toMatch(/^[0-9a-f]{32}$/)
})

it('gives a repository that nodes share an id of its own', () => {
  const p = ids.projectId('p')
  expect(repositoryIdOf(p, undefined, 'restic', '/r')).not.toBe(
    repositoryIdOf(p, clientId('a'), 'restic', '/r'),
  )
})
