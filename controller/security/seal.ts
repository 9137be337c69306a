import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { Fault } from '../../core/fault.ts'
import { privateFile } from './files.ts'

/**
 * Seals secret fields of stored documents: AES-256-GCM, as `s1:<key id>:<nonce, ciphertext, tag in base64url>`. `place`
 * says where the secret belongs (e.g. `repository/<project>/<id>/password`): sealed text moved elsewhere does not open.
 */
export interface Sealer {
  seal(secret: string, place: string): string
  /** Throws Fault('forbidden') for text that is damaged, belongs elsewhere, or was sealed with a key not in the file. */
  open(sealed: string, place: string): string
}

const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16
const keyForm = /^([0-9a-f]{8}) ([\w-]{43})$/
const sealedForm = /^s1:([0-9a-f]{8}):([\w-]+)$/

/**
 * The sealer with the keys of a file, which is made (0600) when it does not exist. It has one key a line, `<id> <32 bytes
 * in base64url>`: the first one seals, all of them open, so a new key is put on top. Throws Fault('forbidden') when others
 * may read the file, and Fault('bad_request') when it has not this form.
 */
export async function openSealer(file: string): Promise<Sealer> {
  const text = await privateFile(file, newKeyLine)
  const keys = new Map(
    text
      .trim()
      .split('\n')
      .map((line) => parseKeyLine(file, line)),
  )
  const [current] = keys.keys()
  if (current === undefined) throw new Fault('bad_request', `${file} has no key`)
  return sealerWith(keys, current)
}

function newKeyLine(): string {
  const key = randomBytes(keyBytes)
  return `${idOfKey(key)} ${key.toString('base64url')}\n`
}

/** Tells keys apart without telling anything about them. */
const idOfKey = (key: Buffer): string =>
  createHash('sha256').update('firn key').update(key).digest('hex').slice(0, 8)

function parseKeyLine(file: string, line: string): [id: string, key: Buffer] {
  const [, id, text] = keyForm.exec(line) ?? []
  const key = Buffer.from(text ?? '', 'base64url')
  if (id === undefined || key.length !== keyBytes || idOfKey(key) !== id)
    throw new Fault('bad_request', `${file} is not a file of sealing keys`)
  return [id, key]
}

function sealerWith(keys: ReadonlyMap<string, Buffer>, current: string): Sealer {
  const keyOf = (id: string): Buffer => {
    const key = keys.get(id)
    if (key === undefined) throw new Fault('forbidden', `sealed with a key that is not here: ${id}`)
    return key
  }
  return {
    seal(secret, place) {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', keyOf(current), nonce).setAAD(Buffer.from(place))
      const sealed = [nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]
      return `s1:${current}:${Buffer.concat(sealed).toString('base64url')}`
    },
    open(sealed, place) {
      const [, id, text] = sealedForm.exec(sealed) ?? []
      if (id === undefined || text === undefined) throw new Fault('forbidden', 'not a sealed secret')
      return unseal(keyOf(id), Buffer.from(text, 'base64url'), place)
    },
  }
}

function unseal(key: Buffer, bytes: Buffer, place: string): string {
  try {
    const nonce = bytes.subarray(0, nonceBytes)
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
    decipher.setAAD(Buffer.from(place)).setAuthTag(bytes.subarray(-tagBytes))
    const secret = decipher.update(bytes.subarray(nonceBytes, -tagBytes))
    return Buffer.concat([secret, decipher.final()]).toString('utf8')
  } catch (cause) {
    throw new Fault('forbidden', 'a sealed secret does not open: damaged, or not of this place', { cause })
  }
}
