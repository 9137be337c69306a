// Ways between processes, cut in one direction and in both.
import { spawn, type ChildProcess } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { Network } from './network.ts'

/** A server that answers each line with the same line; a client that says one every 20 ms and tells what it hears. */
const server = `require('net').createServer((socket) => socket.on('error', () => {}).pipe(socket))
  .listen(0, '127.0.0.1', function () { console.log(this.address().port) })`
const client = `const socket = require('net').connect(+process.argv[1], '127.0.0.1')
  socket.on('connect', () => process.stdout.write('connected '))
  let said = 0
  setInterval(() => socket.write(++said + '\\n'), 20)
  socket.on('data', (text) => process.stdout.write(text)).on('error', () => process.exit(1)).on('close', () => process.exit(1))`

let network: Network
let children: ChildProcess[]

beforeEach(() => {
  network = new Network()
  children = []
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  await network[Symbol.asyncDispose]()
})

function start(program: string, ...args: string[]) {
  const child = spawn(process.execPath, ['-e', program, ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
  children.push(child)
  const heard = { text: '', pid: child.pid ?? 0, child }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (heard.text += text))
  return heard
}

async function world() {
  const echo = start(server)
  const port = Number(await eventually(() => echo.text.trim() || undefined))
  const through = await network.through('echo 1', port)
  const [a, b] = [start(client, `${through}`), start(client, `${through}`)]
  network.know(() => ({ echo: echo.pid, a: a.pid, b: b.pid }))
  await eventually(() => a.text.length > 20 && b.text.length > 20)
  return { a, b, through }
}

/** Resolves once it has heard more than it had. */
const hearsMore = (it: { text: string }) => {
  const { length } = it.text
  return eventually(() => it.text.length > length)
}

/** Whether one hears nothing while the other one does. What was under way may still come: it is asked again. */
async function isSilent(one: { text: string }, other: { text: string }): Promise<boolean> {
  const { length } = one.text
  for (let times = 0; times < 5; times++) await hearsMore(other)
  return one.text.length === length
}

describe('a way that is cut', () => {
  it.each([
    ['there', [{ from: 'a', to: 'echo' }]],
    ['back', [{ from: 'echo', to: 'a' }]],
  ])('%s is silent, and others are as they were; it is reset when it is healed', async (_, cuts) => {
    const { a, b } = await world()
    network.cut(cuts)
    await eventually(() => isSilent(a, b))
    network.heal()
    await eventually(() => a.child.exitCode !== null)
    await hearsMore(b)
  })

  it('lets nobody in anew, until it is healed', async () => {
    const { b, through } = await world()
    const late = start(client, `${through}`)
    network.know(() => ({ late: late.pid }))
    network.cut([{ from: 'late', to: 'echo' }])
    // Nobody there has refused it, as nobody there has heard of it.
    await eventually(() => late.text !== '')
    await eventually(() => isSilent(late, b))
    expect(late.text).toBe('connected ')
    network.heal()
    await eventually(() => late.child.exitCode !== null)
  })
})
