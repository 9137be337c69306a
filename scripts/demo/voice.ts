// How the demo speaks: a line for each thing done, with the time that it took, and bars while something takes long.
import { paint, wantsColour, wantsUnicode, type Paint } from '../../cli/render/colour.ts'
import { formatDuration } from '../../cli/render/format.ts'
import { LiveRegion, progressView } from '../../cli/render/live.ts'
import { pad } from '../../cli/render/width.ts'
import type { Watcher } from './api.ts'

const titleWidth = 10

/** Speaks on one stream. */
export class Voice {
  readonly paint: Paint
  readonly #stream: NodeJS.WriteStream
  readonly #tick: string

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
    this.paint = paint(wantsColour(stream, process.env))
    this.#tick = wantsUnicode(process.env) || !stream.isTTY ? '✓' : '*'
  }

  get width(): number | undefined {
    return this.#stream.isTTY ? this.#stream.columns : undefined
  }

  lines(lines: readonly string[]): void {
    this.#stream.write(`${lines.join('\n')}\n`)
  }

  /** Does something, showing meanwhile what; then says in one line what came of it. */
  async step<T>(
    title: string,
    work: (tell: (text: string) => void) => Promise<T>,
    sum: (value: T) => string,
  ): Promise<T> {
    const begun = performance.now()
    const region = this.#stream.isTTY ? new LiveRegion(this.#stream) : undefined
    const tell = (text: string): void =>
      region?.draw([this.paint.dim(`  ${pad(title, titleWidth)} ${text} …`)])
    tell('')
    try {
      const value = await work(tell)
      region?.draw([])
      this.#done(title, sum(value), begun)
      return value
    } catch (error) {
      region?.draw([])
      throw error
    }
  }

  /** The same with a bar for each member. */
  async bars<T>(
    title: string,
    work: (watcher: Watcher) => Promise<T>,
    sum: (value: T) => string,
  ): Promise<T> {
    const begun = performance.now()
    let value: T
    {
      using view = progressView({ stream: this.#stream, env: process.env })
      value = await work((items) => view.update(items))
    }
    this.#done(title, sum(value), begun)
    return value
  }

  #done(title: string, text: string, begun: number): void {
    const { good, bold, dim } = this.paint
    const took = formatDuration(performance.now() - begun)
    this.lines([`${good(this.#tick)} ${bold(pad(title, titleWidth))} ${text} ${dim(`(${took})`)}`])
  }
}
