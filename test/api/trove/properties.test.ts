// Generated bodies: nothing makes a 500, what is refused stores nothing and names its field, what is taken is shown as sent.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Json } from '../../../core/action.ts'
import { newBackupId, startTrove, type Trove } from './rig.ts'

const keys = fc.constantFrom(
  ...['backup', 'instance', 'backup_strategy', 'name', 'description', 'parent_id', 'incremental'],
  ...['swift_container', 'storage_driver', 'restore_from', 'remote_location', 'local_datastore_version_id'],
  ...['size', 'instance_id', 'flavorRef', 'volume', 'datastore', 'type', 'version', 'restorePoint'],
  ...['backupRef', 'replica_of', 'availability_zone', '__proto__', 'constructor', 'toString', 'x'],
)

const known = newBackupId()

const { value: anyValue } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<Json>(null, true, false, 0, 1, -1, 1.5, 1e300, 2 ** 53, '', '0', '1', {}, []),
    fc.constantFrom<Json>(
      known,
      known.toUpperCase(),
      newBackupId(),
      'orders',
      '../x',
      'sqlite',
      'http://h/x',
    ),
    fc.string({ unit: 'binary', maxLength: 5 }),
    fc.constantFrom('x'.repeat(255), 'x'.repeat(256), '😀'.repeat(255)),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(keys, tie('value'), { maxKeys: 5, noNullPrototype: true }),
  ),
}))

/** Nonsense, and what is nearly right. */
const bodiesOf = (key: string, nearlyRight: fc.Arbitrary<object>): fc.Arbitrary<Json> =>
  fc.oneof(
    { weight: 4, arbitrary: nearlyRight.map((value) => ({ [key]: value }) as Json) },
    {
      weight: 2,
      arbitrary: fc.dictionary(keys, anyValue, { maxKeys: 4 }).map((value) => ({ [key]: value }) as Json),
    },
    anyValue,
  )

const or = (right: fc.Arbitrary<Json>): fc.Arbitrary<Json> =>
  fc.oneof({ weight: 15, arbitrary: right }, { weight: 1, arbitrary: anyValue })

const name = or(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).map((text) => `a${text}`))

const snapshot = (trove: Trove): string => {
  const { state } = trove.api.context
  const all = (['instance_backup', 'instance', 'strategy', 'run', 'repository'] as const).map((kind) => [
    ...state.all(kind),
  ])
  return JSON.stringify(all)
}

/** Sends it, and checks what holds for every answer. */
async function sent(trove: Trove, path: string, body: Json, field: string) {
  const before = snapshot(trove)
  const answer = await trove.ask('POST', path, JSON.stringify(body))
  expect(trove.api.failures).toEqual([])
  expect([200, 202, 400, 403, 404, 409, 413, 422, 501]).toContain(answer.status)
  if (answer.status < 400) return answer
  expect(snapshot(trove)).toBe(before)
  const { message, code } = Object.values(answer.json)[0] as { message: string; code: number }
  expect(code).toBe(answer.status)
  if (answer.status === 400) expect(message).toMatch(new RegExp(`\\b(${field}|body)\\b`))
  return answer
}

describe('generated bodies', () => {
  it('of backups', async () => {
    const trove = await startTrove({ quota: 1_000_000 })
    const parent = await trove.backupIs()
    let taken = 0
    const nearlyRight = fc.record(
      {
        name,
        instance: or(fc.constant(trove.instance.id)),
        description: name,
        parent_id: or(fc.constantFrom(parent.id, parent.id.toUpperCase())),
        incremental: or(fc.constantFrom(0, 1)),
        swift_container: or(fc.stringMatching(/^[a-z._-]{1,9}$/)),
        storage_driver: or(fc.constant('swift')),
        restore_from: anyValue,
        x: anyValue,
      },
      { requiredKeys: ['name', 'instance'] },
    )
    await fc.assert(
      fc.asyncProperty(bodiesOf('backup', nearlyRight), async (body) => {
        // Each on an instance that is free.
        const instance = await trove.instanceIs({ ...trove.instance })
        const answer = await sent(trove, '/backups', body, 'backup')
        if (answer.status !== 202) return
        taken++
        const { backup: asked } = body as { backup: Record<string, Json> }
        const { json } = await trove.ask('GET', `/backups/${answer.json.backup.id}`)
        expect(json.backup).toMatchObject({
          name: asked['name'],
          description: asked['description'] ?? null,
          instance_id: instance.id,
        })
        if (typeof asked['parent_id'] === 'string') expect(json.backup.parent_id).toBe(parent.id)
      }),
      { numRuns: 400 },
    )
    expect(taken).toBeGreaterThan(10)
  })

  it('of strategies', async () => {
    const trove = await startTrove()
    let taken = 0
    const nearlyRight = fc.record(
      {
        swift_container: or(fc.stringMatching(/^[a-z._-]{1,9}$/)),
        instance_id: or(fc.string({ maxLength: 9 })),
      },
      { requiredKeys: ['swift_container'] },
    )
    await fc.assert(
      fc.asyncProperty(bodiesOf('backup_strategy', nearlyRight), async (body) => {
        const answer = await sent(trove, '/backup_strategies', body, 'backup_strategy')
        if (answer.status !== 202) return
        taken++
        const { json } = await trove.ask('GET', '/backup_strategies')
        expect(json.backup_strategies).toContainEqual(answer.json.backup_strategy)
      }),
      { numRuns: 200 },
    )
    expect(taken).toBeGreaterThan(10)
  })

  it('of instances', async () => {
    const trove = await startTrove()
    const backup = await trove.backupIs()
    let taken = 0
    const nearlyRight = fc.record(
      {
        name,
        restorePoint: fc.record({ backupRef: or(fc.constant(backup.id)) }),
        flavorRef: or(fc.constantFrom('1', 1, 'node')),
        volume: fc.record({ size: or(fc.integer({ min: 1, max: 9 })), type: fc.constant(null) }),
        datastore: fc.record({ type: or(fc.constant('sqlite')), version: anyValue }, { requiredKeys: [] }),
        availability_zone: or(fc.constantFrom(null, 'db1')),
      },
      { requiredKeys: ['name', 'restorePoint'] },
    )
    await fc.assert(
      fc.asyncProperty(bodiesOf('instance', nearlyRight), async (body) => {
        const answer = await sent(trove, '/instances', body, 'instance|datastore')
        if (answer.status !== 200) return
        taken++
        const { json } = await trove.ask('GET', `/instances/${answer.json.instance.id}`)
        expect(json).toEqual(answer.json)
      }),
      { numRuns: 300 },
    )
    expect(taken).toBeGreaterThan(10)
  })
})

it('generated queries', async () => {
  const trove = await startTrove()
  await trove.backupIs()
  const parameter = fc.constantFrom(
    ...['limit', 'marker', 'datastore', 'instance_id', 'all_projects', 'project_id', 'x', '__proto__'],
  )
  const value = fc.oneof(
    fc.constantFrom('1', '0', 'True', 'sqlite', 'p1', trove.instance.id, 'LTEgMSBh', '%', '%ff', ' '),
    fc.string({ unit: 'binary', maxLength: 6 }).map(encodeURIComponent),
  )
  const query = fc
    .array(fc.tuple(parameter, value), { maxLength: 4 })
    .map((pairs) => pairs.map((pair) => pair.join('=')).join('&'))
  const path = fc.constantFrom(
    '/backups',
    `/instances/${trove.instance.id}/backups`,
    '/instances',
    '/backup_strategies',
  )
  await fc.assert(
    fc.asyncProperty(path, query, fc.constantFrom(trove.viewer, trove.admin), async (at, text, as) => {
      const answer = await trove.ask('GET', `${at}?${text}`, undefined, as)
      expect(trove.api.failures).toEqual([])
      expect([200, 400, 403, 404]).toContain(answer.status)
      if (answer.status === 400) expect(answer.json.badRequest.message).toMatch(/limit|marker|instance_id/)
    }),
    { numRuns: 400 },
  )
})
