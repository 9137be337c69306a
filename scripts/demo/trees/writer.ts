// A process that keeps writing into a folder: append-only files of records, until it is told to end.
//   node writer.ts FOLDER
import { randomBytes, randomInt } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { recordOf } from './records.ts'

/** Files written to in turn, and how many records until a file is left and a new one begun. */
const [filesAtOnce, recordsEach] = [6, 200]
const [payloadMin, payloadMax] = [40, 4_000]
/** Records between two pauses, and the pause in milliseconds. */
const [burst, pauseMs] = [2, 10]

interface Open {
  readonly fd: number
  count: number
}

const [folder = '.'] = process.argv.slice(2)
let isOver = false
process.on('SIGTERM', () => (isOver = true)).on('SIGINT', () => {})

let made = 0
const begin = (): Open => ({ fd: openSync(path.join(folder, `log-${made++}.records`), 'ax'), count: 0 })
const files = Array.from({ length: filesAtOnce }, begin)
// The first records are there before anybody is told that the writer is at work.
for (let round = 0; !isOver; round++) {
  if (round === 1) process.stdout.write('writing\n')
  for (let nth = 0; nth < burst * filesAtOnce && !isOver; nth++) await writeOne(nth % filesAtOnce)
  await sleep(pauseMs)
}

/** In two halves with a pause between, as a program does that is in the middle of something. */
async function writeOne(at: number): Promise<void> {
  const file = files[at]
  if (file === undefined) return
  const record = recordOf(file.count++, randomBytes(randomInt(payloadMin, payloadMax)))
  const half = randomInt(1, record.length)
  writeSync(file.fd, record.subarray(0, half))
  await sleep(0)
  writeSync(file.fd, record.subarray(half))
  if (file.count < recordsEach) return
  closeSync(file.fd)
  files[at] = begin()
}
