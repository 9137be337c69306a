import fs from 'node:fs'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { tempDir } from '../../../test/support/temp.ts'
import { PipeStock, type Pipe } from './pipes.ts'

const taken: Pipe[] = []
afterEach(() => {
  for (const pipe of taken.splice(0)) pipe[Symbol.dispose]()
})

describe('pipes in stock', () => {
  it('are taken at once, without making any', async () => {
    await using dir = await tempDir('stock')
    const stock = new PipeStock()
    const open = (): number => fs.readdirSync('/proc/self/fd').length
    const before = open()
    stock.refill(dir.path)
    await eventually(() => open() > before && fs.readdirSync(dir.path).length === 0)
    taken.push(...(await stock.take(2, '/nowhere')))
    expect(taken).toHaveLength(2)
  })

  it('carry what is written to them alone', async () => {
    await using dir = await tempDir('stock')
    const stock = new PipeStock()
    stock.refill(dir.path)
    const [one, two] = await stock.take(2, dir.path)
    taken.push(one!, two!)
    for (const [pipe, word] of [
      [one!, 'one'],
      [two!, 'two'],
    ] as const) {
      fs.writeSync(pipe.write, word)
      pipe.closeWrite()
      expect(await text(pipe.reader())).toBe(word)
    }
  })

  it('are made when there are too few, or it is said why not', async () => {
    await using dir = await tempDir('stock')
    const stock = new PipeStock()
    taken.push(...(await stock.take(3, dir.path)))
    expect(taken).toHaveLength(3)
    await expect(stock.take(1, '/nowhere')).rejects.toThrow('ENOENT')
  })
})
