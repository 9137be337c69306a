import { expect, it } from 'vitest'
import { instant, monotonic, type Clock } from '../../core/clock.ts'
import { jobId, runId } from '../../core/ids.ts'
import { linesFromJson } from '../../proto/events.ts'
import { LogLines } from './log-lines.ts'

const job = jobId('j')
const run = runId('r1')
const line = (text: string) => ({ level: 'info', stream: 'stdout', text }) as const

/** Time stands still; what sleeps goes on when told. */
function standingClock() {
  const sleepers: (() => void)[] = []
  const clock: Clock = {
    now: () => instant(7),
    monotonic: () => monotonic(0),
    sleep: (_ms, signal) =>
      new Promise((wake, stop) => {
        sleepers.push(wake)
        signal?.addEventListener('abort', () => stop(new Error('stopped')))
      }),
    random: () => 0,
  }
  return { clock, wake: () => sleepers.splice(0).forEach((it) => it()) }
}

function linesTo(send: (text: string) => Promise<void>) {
  const { clock, wake } = standingClock()
  return { wake, lines: new LogLines(clock, (_job, _run, text) => send(text)) }
}

const turn = () => new Promise((next) => setImmediate(next))

it('gathers lines into one message for each attempt', async () => {
  const sent: string[] = []
  const { lines, wake } = linesTo(async (text) => void sent.push(text))
  lines.add(job, run, 1, line('a'))
  lines.add(job, run, 1, line('b'))
  lines.add(job, run, 2, line('c'))
  expect(sent).toEqual([])
  wake()
  await turn()
  expect(sent.map((text) => linesFromJson(text).map((it) => it.text))).toEqual([['a', 'b'], ['c']])
  expect(JSON.parse(sent[0] ?? '')).toEqual({
    run: 'r1',
    attempt: 1,
    lines: ['a', 'b'].map((text) => ({ at_ms: 7, ...line(text) })),
  })
})

it('keeps a bounded number of them, cut to a bounded length, and says how many are missing', async () => {
  const sent: string[] = []
  const { lines, wake } = linesTo(async (text) => void sent.push(text))
  for (let n = 0; n < 3_000; n++) lines.add(job, run, 1, line(`${n} `.padEnd(20_000, 'x')))
  wake()
  await turn()
  const got = sent.flatMap((text) => linesFromJson(text))
  expect(got).toHaveLength(2_001)
  expect(got[0]?.text).toBe("1000 lines are missing here; the agent's own copy has them")
  expect(Math.max(...got.map(({ text }) => text.length))).toBe(8_192)
  expect(Math.max(...sent.map((text) => text.length))).toBeLessThan(100_000)
})

it('loses what cannot be sent, and tells with the next that can', async () => {
  const sent: string[] = []
  let away = true
  const { lines, wake } = linesTo(async (text) => {
    if (away) throw new Error('away')
    sent.push(text)
  })
  lines.add(job, run, 1, line('lost'))
  wake()
  await turn()
  away = false
  lines.add(job, run, 1, line('kept'))
  wake()
  await turn()
  expect(sent.flatMap((text) => linesFromJson(text)).map(({ text }) => text)).toEqual([
    "1 lines are missing here; the agent's own copy has them",
    'kept',
  ])
})

it('sends what waits when it is closed, at once, and takes no more', async () => {
  const sent: string[] = []
  const { lines } = linesTo(async (text) => void sent.push(text))
  lines.add(job, run, 1, line('last words'))
  await lines.close()
  lines.add(job, run, 1, line('too late'))
  await lines.close()
  expect(sent).toHaveLength(1)
})
