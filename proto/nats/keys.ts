import { createPrivateKey, createPublicKey, randomBytes, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { Fault } from '../../core/fault.ts'

/**
 * NATS's keys ("nkeys"): Ed25519 with a text form that says what a key is for. The form is
 * base32(prefix, 32 bytes, CRC-16/XMODEM little endian); a seed has a second prefix that says whose seed it is.
 * Signing by node:crypto takes a hundredth of the time that the JavaScript implementation beside the nats package takes.
 */
export type KeyKind = 'operator' | 'account' | 'user'

/** First byte of a public key; its upper five bits are the first letter: O, A or U. */
const publicPrefix: Record<KeyKind, number> = { operator: 14 << 3, account: 0, user: 20 << 3 }
/** The letter S. */
const seedPrefix = 18 << 3
const rawLength = 32

export interface NatsKey {
  readonly kind: KeyKind
  /** Text form, starting with O, A or U. */
  readonly publicKey: string
  /** Text form, starting with S. A secret. */
  readonly seed: string
  sign(data: Uint8Array): Buffer
}

export const newKey = (kind: KeyKind): NatsKey => keyOf(kind, randomBytes(rawLength))

/** Throws Fault('bad_message') when the text is no seed. The text is not in the message. */
export function keyFromSeed(text: string): NatsKey {
  const bytes = checkedBytes(text.trim())
  const [first = 0, second = 0] = bytes
  // Five bits "seed", then the eight bits of the kind's prefix, then padding to whole base32 letters.
  const prefix = ((first & 0x07) << 5) | (second >> 3)
  const kind = (Object.keys(publicPrefix) as KeyKind[]).find((it) => publicPrefix[it] === prefix)
  if ((first & 0xf8) !== seedPrefix || kind === undefined || bytes.length !== rawLength + 2)
    throw new Fault('bad_message', 'not a seed of a NATS key')
  return keyOf(kind, bytes.subarray(2))
}

function keyOf(kind: KeyKind, raw: Buffer): NatsKey {
  const prefix = publicPrefix[kind]
  const privateKey = privateKeyOf(raw)
  return {
    kind,
    publicKey: checkedText(Buffer.concat([Buffer.of(prefix), rawPublicKey(privateKey)])),
    seed: checkedText(Buffer.concat([Buffer.of(seedPrefix | (prefix >> 5), (prefix & 31) << 3), raw])),
    sign: (data) => sign(null, data, privateKey),
  }
}

/** The fixed start of a PKCS #8 document with an Ed25519 private key (RFC 8410). */
const pkcs8Start = Buffer.from('302e020100300506032b657004220420', 'hex')

const privateKeyOf = (raw: Buffer): KeyObject =>
  createPrivateKey({ key: Buffer.concat([pkcs8Start, raw]), format: 'der', type: 'pkcs8' })

function rawPublicKey(key: KeyObject): Buffer {
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  return Buffer.from(x ?? '', 'base64url')
}

function checkedText(bytes: Buffer): string {
  const crc = Buffer.alloc(2)
  crc.writeUInt16LE(crc16(bytes))
  return base32(Buffer.concat([bytes, crc]))
}

function checkedBytes(text: string): Buffer {
  const bytes = fromBase32(text)
  const split = bytes.length - 2
  if (split < 1 || crc16(bytes.subarray(0, split)) !== bytes.readUInt16LE(split))
    throw new Fault('bad_message', 'not a NATS key: its checksum is wrong')
  return bytes.subarray(0, split)
}

function crc16(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++)
      crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff
  }
  return crc
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** RFC 4648 without padding. */
export function base32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let held = 0
  for (const byte of bytes) {
    held = (held << 8) | byte
    bits += 8
    for (; bits >= 5; bits -= 5) text += letters[(held >> (bits - 5)) & 31]
    held &= (1 << bits) - 1
  }
  return bits === 0 ? text : text + letters[(held << (5 - bits)) & 31]
}

function fromBase32(text: string): Buffer {
  const bytes: number[] = []
  let bits = 0
  let held = 0
  for (const letter of text) {
    const value = letters.indexOf(letter)
    if (value < 0) throw new Fault('bad_message', 'not a NATS key: a letter is not of base32')
    held = (held << 5) | value
    bits += 5
    if (bits >= 8) bytes.push((held >> (bits -= 8)) & 255)
    held &= (1 << bits) - 1
  }
  // What is left are bits that belong to no byte: zero in the one spelling.
  if (held !== 0) throw new Fault('bad_message', 'not a NATS key: its end is wrong')
  return Buffer.from(bytes)
}
