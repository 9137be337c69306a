// An agent that is killed while it copies a database, or makes one of a backup: nothing of that is left when it is back.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { attemptVariable, stateVariable } from '../../agent/engines/process/environment.ts'
import { environmentOf, liveProcesses } from '../../agent/engines/process/proc.ts'
import { eventually } from '../support/eventually.ts'
import { noisyDatabase } from '../support/sqlite.ts'
import { TestStack, type Tries } from '../support/stack.ts'
import { tempDir, type TempDir } from '../support/temp.ts'

vi.setConfig({ testTimeout: 150_000, hookTimeout: 150_000 })
const resources = new AsyncDisposableStack()
let world: TestStack
let dir: TempDir
let made: string

beforeAll(async () => {
  dir = resources.use(await tempDir('databases'))
  made = dir.join('made')
  await mkdir(made)
  noisyDatabase(dir.join('big.db'), 60_000_000)
  const agentConfig = {
    instances: [{ key: 'big', datastore: 'sqlite', path: dir.join('big.db') }],
    templates: [{ name: 'spare', datastore: 'sqlite', root: made }],
  }
  world = resources.use(await TestStack.start({ agents: 1, agentConfig }))
})
afterAll(() => resources.disposeAsync())

const twice: Tries = { max_retries: 1, max_retries_interval: 0 }
const once: Tries = { max_retries: 0 }
const copies = (): string => path.join(world.stateDir('node-1'), 'engines', 'sqlite', 'copies')
const save = async (instance: string, tries: Tries): Promise<string> => {
  const freezer_action = { action: 'backup', mode: 'sqlite', instance, backup_name: instance }
  return world.run(await world.job('node-1', [{ freezer_action, ...tries }]))
}
const make = async (backup: string, instance: string, more: object, tries: Tries): Promise<string> => {
  const freezer_action = {
    action: 'restore',
    mode: 'sqlite',
    template: 'spare',
    instance,
    backup_id: backup,
    ...more,
  }
  return world.run(await world.job('node-1', [{ freezer_action, ...tries }]))
}

/** The processes that the agent has started for a run. */
const childrenOf = (run: string): number[] =>
  liveProcesses().flatMap(({ pid }) => {
    const marks = environmentOf(pid, [attemptVariable, stateVariable])
    return marks?.[attemptVariable]?.startsWith(run) ? [pid] : []
  })

const crashAndStart = async (): Promise<void> => {
  await world.crash('agent-1')
  await world.start('agent-1')
}

describe('an agent that is killed', () => {
  it('while it copies a database leaves neither the process nor the copy, and tries again what may be', async () => {
    for (const [tries, expected] of [
      [twice, { result: 'success', attempt: 2, steps: [{ tries: 2 }] }],
      [once, { result: 'lost', attempt: 1, steps: [{ tries: 1, result: 'lost' }] }],
    ] as const) {
      const run = await save('big', tries)
      const copy = path.join(copies(), 'big', 'big.db')
      const children = await eventually(
        () => {
          if (!existsSync(copy) || statSync(copy).size === 0) return undefined
          const found = childrenOf(run)
          for (const pid of found) process.kill(pid, 'SIGSTOP')
          return found.length > 0 && found
        },
        { withinMs: 60_000, everyMs: 5 },
      )
      await world.crash('agent-1')
      expect([existsSync(copy), childrenOf(run)]).toEqual([true, children])
      await world.start('agent-1')
      expect(await world.untilState(run, 'finished')).toMatchObject(expected)
      expect([readdirSync(copies()), childrenOf(run)]).toEqual([[], []])
    }
    await world.untilDelivered()
  })

  it('while it makes a database leaves nothing, and the next attempt makes all of it', async () => {
    const saved = await world.untilState(await save('big', once), 'finished')
    const backup = String(saved.steps[0].backup_id)
    const half = async (instance: string, tries: Tries): Promise<string> => {
      const run = await make(backup, instance, { download_limit: '8M' }, tries)
      const begun = (): boolean =>
        readdirSync(made, { recursive: true, withFileTypes: true }).some(
          (entry) => entry.isFile() && entry.parentPath.includes('/.firn-'),
        )
      await eventually(begun, { withinMs: 60_000 })
      await crashAndStart()
      return run
    }
    const given = await half('never', once)
    expect(await world.untilState(given, 'finished')).toMatchObject({ result: 'lost' })
    expect(readdirSync(made)).toEqual([])

    const again = await half('again', twice)
    expect(await world.untilState(again, 'finished')).toMatchObject({ result: 'success', attempt: 2 })
    expect(readdirSync(made)).toEqual(['again.db'])
    const database = new DatabaseSync(path.join(made, 'again.db'), { readOnly: true })
    expect(database.prepare('SELECT count(*) AS rows FROM noise').get()).toMatchObject({ rows: 30_000 })
    database.close()

    // The agent knows it, also in its next life.
    await crashAndStart()
    expect(await world.untilState(await save('again', once), 'finished')).toMatchObject({ result: 'success' })
    await world.untilDelivered()
  })
})
