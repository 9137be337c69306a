import type { RepositoryAccess } from '../../../core/link.ts'

/** Shorter passwords are also ordinary words: taking them out of every line would tell what they are. */
const passwordLengthMin = 6

/** Takes the repository's password, and passwords inside URLs, out of a text. */
export function redactor(access: Pick<RepositoryAccess, 'password'>): (text: string) => string {
  const { password } = access
  return (text) => {
    const whole = password.length >= passwordLengthMin ? text.replaceAll(password, '***') : text
    return whole.replace(/(\/\/[^/\s:@]*):[^/\s@]+@/g, '$1:***@')
  }
}
