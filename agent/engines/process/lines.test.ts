import { Readable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { follow, LineSplitter } from './lines.ts'

function split(chunks: readonly Buffer[], maxBytes: number): { text: string; cut: boolean }[] {
  const splitter = new LineSplitter(maxBytes)
  return [...chunks.flatMap((chunk) => [...splitter.feed(chunk)]), ...splitter.end()]
}

describe('lines out of bytes', () => {
  it('are the same however the bytes arrive', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), (parts) => {
        const chunks = parts.map((part) => Buffer.from(part.map((byte) => byte % 16)))
        expect(split(chunks, 1_000)).toEqual(split([Buffer.concat(chunks)], 1_000))
      }),
    )
  })

  it('are cut at the cap and say so, and the next line is whole again', () => {
    const chunks = [Buffer.from('abc'), Buffer.from('defgh\nxy\r\nlast')]
    expect(split(chunks, 4)).toEqual([
      { text: 'abcd', cut: true },
      { text: 'xy', cut: false },
      { text: 'last', cut: false },
    ])
  })

  it('survive bytes that are not UTF-8', () => {
    expect(split([Buffer.from([0x61, 0xff, 0x62, 10])], 10)).toEqual([{ text: 'a\ufffdb', cut: false }])
  })
})

describe('following several streams', () => {
  it('gives the lines of all of them and then ends', async () => {
    const sources = [
      { name: 'one', stream: Readable.from([Buffer.from('1\n2\n')]) },
      { name: 'two', stream: Readable.from([Buffer.from('3')]) },
    ]
    const seen: string[] = []
    for await (const line of follow(sources, 100)) seen.push(`${line.source}:${line.text}`)
    expect(seen.toSorted()).toEqual(['one:1', 'one:2', 'two:3'])
  })

  it('lets a slow reader hold the writer back', async () => {
    let made = 0
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) {
        made++
        yield Buffer.from('line\n')
      }
    }
    const stream = Readable.from(endless())
    const lines = follow([{ name: 'flood', stream }], 100)
    await lines.next()
    // Every turn that the writer could use is given to it: only the bounds stop it.
    for (let turn = 0; turn < 5_000; turn++) await new Promise((go) => setImmediate(go))
    expect(made).toBeLessThan(2_000)
    await lines.return()
    stream.destroy()
  })

  it('ends when a stream breaks', async () => {
    const stream = new Readable({ read: () => {} })
    const all = Array.fromAsync(follow([{ name: 'broken', stream }], 100))
    stream.push('half')
    setImmediate(() => stream.destroy(new Error('gone')))
    expect((await all).map((line) => line.text)).toEqual(['half'])
  })
})
