import { badField } from '../../core/fault.ts'
import type { Json, JsonObject } from '../../core/action.ts'
import type { Sealer } from './context.ts'

/** What a secret is shown as. Sent back, it keeps what is stored. */
export const mask = '***'

/** The key of the object that stands for a sealed secret in a stored document: `{"$sealed": TEXT}`. */
const sealedKey = '$sealed'

/**
 * Keys whose values are secrets: the passwords and keys of Freezer's options, the configurations that hold some, and what
 * is named like one. `ssh_key`, `ftp_keyfile` and `encrypt_pass_file` are names of files on the node.
 */
const secretName =
  /(^|[_-])(pass|passwd|password|passphrase|secret|token|credentials?)$|^(access|secret|private|api)_key$|^(mysql|sql_server)_conf$/i

/** Whether the value of a key is kept sealed. */
export const isSecretName = (key: string): boolean => secretName.test(key)

/** Where secrets of an action are sealed for; `path` is the dotted path inside the action. */
export const placeOf = (project: string, action: string, path: string): string =>
  `${project}/action/${action}/${path}`

/**
 * The document as it is stored: each secret sealed for its place. `***` keeps the secret that `before` has at the same path,
 * sealed for the new place. Throws Fault('bad_request') naming the field when there is none.
 */
export function sealed(
  sealer: Sealer,
  document: JsonObject,
  place: (path: string) => string,
  before?: { readonly document: JsonObject; readonly place: (path: string) => string },
): JsonObject {
  return mapped(document, '', (value, path) => {
    const kept = before && sealedAt(before.document, path)
    if (value === mask) {
      if (kept === undefined || before === undefined)
        throw badField(path, `'${mask}' stands for a stored secret, and there is none`)
      if (place(path) === before.place(path)) return { [sealedKey]: kept }
      return { [sealedKey]: sealer.seal(sealer.open(kept, before.place(path)), place(path)) }
    }
    const secret = JSON.stringify(value)
    // The same secret again stays as it is, so that sending a whole document back changes nothing.
    if (kept !== undefined && before && place(path) === before.place(path))
      if (sealer.open(kept, before.place(path)) === secret) return { [sealedKey]: kept }
    return { [sealedKey]: sealer.seal(secret, place(path)) }
  })
}

/** The document as it is shown. */
export const masked = (document: JsonObject): JsonObject =>
  holdsSecret(document) ? mapped(document, '', () => mask) : document

function holdsSecret(value: Json): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some(holdsSecret)
  for (const key in value) {
    const item = value[key]
    if (item === undefined || item === null) continue
    if (isSecretName(key) || (typeof item === 'object' && holdsSecret(item))) return true
  }
  return false
}

/** An empty secret is none: options are often sent with empty values. */
const isSecret = (key: string, value: Json): boolean => isSecretName(key) && value !== null && value !== ''

function mapped(document: JsonObject, path: string, secret: (value: Json, path: string) => Json): JsonObject {
  const one = (value: Json, at: string): Json => {
    if (Array.isArray(value)) return value.map((item, index) => one(item, `${at}.${index}`))
    return typeof value === 'object' && value !== null ? mapped(value, at, secret) : value
  }
  return Object.fromEntries(
    Object.entries(document).map(([key, value]) => {
      const at = path === '' ? key : `${path}.${key}`
      return [key, isSecret(key, value) ? secret(value, at) : one(value, at)]
    }),
  )
}

function sealedAt(document: JsonObject, path: string): string | undefined {
  let here: Json | undefined = document
  for (const key of path.split('.')) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, key)) return undefined
    here = (here as JsonObject)[key]
  }
  const text = typeof here === 'object' && here !== null ? (here as JsonObject)[sealedKey] : undefined
  return typeof text === 'string' ? text : undefined
}
