/** A REST credential as its owner has it. `id` names it in the store; only a hash of `secret` is kept there. */
export interface TokenParts {
  readonly id: string
  readonly secret: string
}

/** A permission to enrol, with the SHA-256 of the CA certificate that the agent must be given. Hex digits. */
export interface JoinTokenParts extends TokenParts {
  readonly fingerprint: string
}

// Lengths are fixed, for a secret in base64url may itself hold "_": 64 random bits of id, 256 of secret.
const tokenForm = /^firn_([0-9a-f]{16})_([\w-]{43})$/
const joinTokenForm = /^firnjoin_([0-9a-f]{16})_([\w-]{43})_([0-9a-f]{64})$/

export const tokenText = ({ id, secret }: TokenParts): string => `firn_${id}_${secret}`

/** undefined for any other text. */
export function parseToken(text: string): TokenParts | undefined {
  const [, id, secret] = tokenForm.exec(text) ?? []
  return id === undefined || secret === undefined ? undefined : { id, secret }
}

export const joinTokenText = ({ id, secret, fingerprint }: JoinTokenParts): string =>
  `firnjoin_${id}_${secret}_${fingerprint}`

/** undefined for any other text. */
export function parseJoinToken(text: string): JoinTokenParts | undefined {
  const [, id, secret, fingerprint] = joinTokenForm.exec(text) ?? []
  return id === undefined || secret === undefined || fingerprint === undefined
    ? undefined
    : { id, secret, fingerprint }
}
