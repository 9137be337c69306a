// The little of the pax format that carries extended attributes. GNU tar reads and writes them; Node cannot.
import { spawn } from 'node:child_process'
import { once } from 'node:events'

const block = 512
const attributePrefix = 'SCHILY.xattr.'

/** A file or directory to be made with attributes. */
export interface PaxEntry {
  /** Relative. */
  readonly name: string
  readonly type: 'file' | 'directory'
  readonly content: Buffer
  readonly attributes: Readonly<Record<string, Buffer>>
}

/** dpkg needs tar, so it is there even where PATH does not say so. */
const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/bin:/bin` }

/** Makes the entries in a folder. Answers why that cannot be done here, in a word or two; undefined when it was. */
export async function makeWithAttributes(
  folder: string,
  entries: readonly PaxEntry[],
): Promise<string | undefined> {
  const child = spawn('tar', ['-C', folder, '--xattrs', '--xattrs-include=user.*', '-xpf', '-'], {
    stdio: ['pipe', 'ignore', 'ignore'],
    env,
  })
  child.stdin.on('error', () => {})
  child.stdin.end(Buffer.concat([...entries.flatMap(written), Buffer.alloc(2 * block)]))
  const ended = await once(child, 'close').catch((error: NodeJS.ErrnoException) => [error.code])
  if (ended[0] === 'ENOENT') return 'no tar'
  const found = await readAttributes(folder).catch(() => undefined)
  return ended[0] === 0 && found !== undefined && found.size >= entries.length ? undefined : 'none here'
}

function written({ name, type, content, attributes }: PaxEntry): Buffer[] {
  const records = Object.entries(attributes).map(([key, value]) => record(`${attributePrefix}${key}`, value))
  const extended = Buffer.concat(records)
  const isFile = type === 'file'
  return [
    header('pax', 'x', extended.length, '0000644'),
    padded(extended),
    header(name, isFile ? '0' : '5', content.length, isFile ? '0000644' : '0000755'),
    padded(content),
  ]
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function record(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')])
  let length = rest.length + 1
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return Buffer.concat([Buffer.from(String(length)), rest])
}

function header(name: string, type: string, size: number, mode: string): Buffer {
  const bytes = Buffer.alloc(block)
  bytes.write(name, 0, 100)
  bytes.write(`${mode}\0`, 100)
  bytes.write('0000000\0', 108)
  bytes.write('0000000\0', 116)
  bytes.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
  bytes.write('00000000000\0', 136)
  // The sum is taken with blanks in its own place.
  bytes.write('        ', 148)
  bytes.write(type, 156)
  bytes.write('ustar\0' + '00', 257)
  const sum = bytes.reduce((total, byte) => total + byte, 0)
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return bytes
}

const padded = (content: Buffer): Buffer =>
  Buffer.concat([content, Buffer.alloc((block - (content.length % block)) % block)])

/** Attributes of a path: name → value, both as Latin-1 text of their bytes. */
export type Attributes = ReadonlyMap<string, string>

/**
 * The `user.*` attributes of everything below a folder that can be read, by path (`./a/b`, Latin-1 text of its bytes);
 * what has none is not listed. Throws an Error when there is no tar.
 */
export async function readAttributes(folder: string): Promise<Map<string, Attributes>> {
  const child = spawn(
    'tar',
    [
      ...['-C', folder, '--format=posix', '--sparse', '--xattrs', '--xattrs-include=user.*'],
      ...['--ignore-failed-read', '--warning=none', '-cf', '-', '.'],
    ],
    { stdio: ['ignore', 'pipe', 'ignore'], env },
  )
  const failed = once(child, 'error').then(([error]) => Promise.reject(error as Error))
  const found = new Map<string, Attributes>()
  const reader = new Reader(found)
  const read = async (): Promise<void> => {
    for await (const chunk of child.stdout) reader.take(chunk as Buffer)
  }
  failed.catch(() => {})
  await Promise.race([read(), failed])
  return found
}

/** Takes an archive apart as it comes, and keeps nothing of its files. */
class Reader {
  readonly #found: Map<string, Attributes>
  #rest: Buffer = Buffer.alloc(0)
  #skip = 0
  #records: Map<string, string> | undefined
  #extended: number | undefined

  constructor(found: Map<string, Attributes>) {
    this.#found = found
  }

  take(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    for (;;) {
      const skipped = Math.min(this.#skip, bytes.length)
      this.#skip -= skipped
      bytes = bytes.subarray(skipped)
      const wanted = this.#extended === undefined ? block : blocks(this.#extended)
      if (this.#skip > 0 || bytes.length < wanted) break
      if (this.#extended === undefined) this.#header(bytes.subarray(0, block))
      else this.#readRecords(bytes.subarray(0, this.#extended))
      bytes = bytes.subarray(wanted)
    }
    this.#rest = bytes
  }

  #header(bytes: Buffer): void {
    if (bytes[0] === 0) return
    const type = String.fromCharCode(bytes[156] ?? 0)
    const size = sizeOf(bytes.subarray(124, 136))
    if (type === 'x') {
      this.#extended = size
      return
    }
    const records = this.#records
    this.#records = undefined
    this.#skip = blocks(sizeIn(records) ?? size)
    if (records === undefined) return
    const attributes = [...records].filter(([key]) => key.startsWith(attributePrefix))
    if (attributes.length === 0) return
    const name = records.get('GNU.sparse.name') ?? records.get('path') ?? textOf(bytes.subarray(0, 100))
    const named = attributes.map(([key, value]) => [key.slice(attributePrefix.length), value] as const)
    this.#found.set(name.replace(/\/$/, ''), new Map(named))
  }

  #readRecords(bytes: Buffer): void {
    this.#extended = undefined
    this.#records = new Map()
    for (let at = 0; at < bytes.length;) {
      const blank = bytes.indexOf(0x20, at)
      const length = Number(bytes.toString('latin1', at, blank))
      const equals = bytes.indexOf(0x3d, blank)
      if (!(length > 0) || blank < 0 || equals < 0) return
      const value = bytes.toString('latin1', equals + 1, at + length - 1)
      this.#records.set(bytes.toString('latin1', blank + 1, equals), value)
      at += length
    }
  }
}

const blocks = (size: number): number => Math.ceil(size / block) * block
const textOf = (bytes: Buffer): string => bytes.toString('latin1').replace(/\0.*$/s, '')

/** Octal digits, or a binary number when the first bit is set. */
function sizeOf(bytes: Buffer): number {
  if (((bytes[0] ?? 0) & 0x80) !== 0) return Number(bytes.readBigUInt64BE(4))
  return Number.parseInt(textOf(bytes).trim() || '0', 8)
}

function sizeIn(records: ReadonlyMap<string, string> | undefined): number | undefined {
  const text = records?.get('size')
  return text === undefined ? undefined : Number(text)
}
