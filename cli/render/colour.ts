// Colours, when they are wanted.

/** What a text is painted with: styles by meaning, so that one place chooses the colours. */
export interface Paint {
  readonly good: (text: string) => string
  readonly warn: (text: string) => string
  readonly bad: (text: string) => string
  /** Under way. */
  readonly active: (text: string) => string
  readonly dim: (text: string) => string
  readonly bold: (text: string) => string
}

const codes = { good: 32, warn: 33, bad: 31, active: 36, dim: 2, bold: 1 } as const

/** A paint that colours, or one that gives every text back as it is. */
export function paint(colour: boolean): Paint {
  const style = (code: number) => (text: string) =>
    colour && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text
  return {
    good: style(codes.good),
    warn: style(codes.warn),
    bad: style(codes.bad),
    active: style(codes.active),
    dim: style(codes.dim),
    bold: style(codes.bold),
  }
}

/** Whether a stream gets colours: it is a terminal that can, and nobody said no (`NO_COLOR`, https://no-color.org). */
export function wantsColour(
  stream: { readonly isTTY?: boolean | undefined },
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  return stream.isTTY === true && env['TERM'] !== 'dumb' && (env['NO_COLOR'] ?? '') === ''
}

/** Whether the locale can show block characters, by the first of the three variables that is set. */
export function wantsUnicode(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || ''
  return /utf-?8/i.test(locale) && env['TERM'] !== 'linux'
}

/** The colour of a state or result. */
export function paintState(state: string, { good, warn, bad, active, dim }: Paint): (text: string) => string {
  switch (state) {
    case 'success':
    case 'up':
    case 'ok':
      return good
    case 'partial':
    case 'unknown':
    case 'cancelling':
    case 'down':
      return warn
    case 'failed':
    case 'fail':
    case 'lost':
    case 'aborted':
      return bad
    case 'running':
    case 'armed':
    case 'started':
      return active
    case 'waiting':
    case 'offered':
    case 'never':
    case 'skipped':
      return dim
    default:
      return (text) => text
  }
}
