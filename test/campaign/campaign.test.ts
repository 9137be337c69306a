// A short campaign: three of everything lose their leader, a member of etcd, and one another. It measures nothing: on a
// machine that is slow, slots are late or missed, and say so.
import { expect, it, vi } from 'vitest'
import { tempDir } from '../support/temp.ts'
import { campaign } from './campaign.ts'
import { chanceOf, type Round } from './rounds.ts'
import { textOfSummary, summaryOf } from './summary.ts'

// Several starts of servers on a busy machine; each wait inside has its own bound.
vi.setConfig({ testTimeout: 600_000 })

const rounds: readonly Round[] = [
  { fault: 'kill', victim: 'leader' },
  { fault: 'cut', victim: 'leader', from: 'etcd' },
  { fault: 'kill', victim: 'etcd' },
]

it('starts no slot twice, none early, and none is without a reason', async () => {
  await using dir = await tempDir('campaign')
  const outcome = await campaign({
    ...{ folder: dir.path, agents: 3, schedules: 16, lengthMs: 45_000, rounds, chance: chanceOf(7) },
    ...{ clocks: false, disks: false, signal: new AbortController().signal, say: () => {} },
  })
  const text = textOfSummary(summaryOf(outcome, { seed: 7, skipped: {} }))
  expect(outcome.verdict.findings, text).toEqual([])
  expect(outcome.troubles, text).toEqual([])
  expect(outcome.verdict.attempts, text).toBeGreaterThan(0)
})
