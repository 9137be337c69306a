import type { Clock } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import { expiryIn } from './answers.ts'
import { request } from './wire.ts'

/** Whom the server asks Keystone as. */
export interface ServiceUser {
  readonly user: string
  readonly password: string
  readonly project: string
  readonly userDomain: string
  readonly projectDomain: string
}

/** How long a password that was refused is not tried again: Keystone may lock the user out. Milliseconds. */
const refusedMs = 5_000

/** A new one is asked for so long before the old one ends. Milliseconds. */
const earlyMs = 30_000

interface Held {
  readonly text: string
  /** Milliseconds of the monotonic clock. */
  readonly until: number
}

/** The token that the server itself asks with. Asked for when it is needed, once for all who wait. */
export class ServiceToken {
  readonly #url: string
  readonly #as: ServiceUser
  readonly #clock: Clock
  readonly #deadlineMs: number
  #held: Held | undefined
  #underWay: Promise<string> | undefined
  #refused: { readonly fault: Fault; readonly until: number } | undefined

  constructor(url: string, as: ServiceUser, clock: Clock, deadlineMs: number) {
    this.#url = url
    this.#as = as
    this.#clock = clock
    this.#deadlineMs = deadlineMs
  }

  /** Throws Fault 'identity_down' or 'bad_message'. */
  async get(): Promise<string> {
    const now = this.#clock.monotonic()
    if (this.#held && now < this.#held.until) return this.#held.text
    if (this.#refused && now < this.#refused.until) throw this.#refused.fault
    this.#underWay ??= this.#ask().finally(() => {
      this.#underWay = undefined
    })
    return this.#underWay
  }

  /** Keystone does not take it any more. */
  drop(text: string): void {
    if (this.#held?.text === text) this.#held = undefined
  }

  async #ask(): Promise<string> {
    const { status, headers, document } = await request(
      `${this.#url}/auth/tokens?nocatalog`,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(loginOf(this.#as)),
      },
      AbortSignal.timeout(this.#deadlineMs),
    )
    const text = headers.get('x-subject-token')
    if (status === 201 && text !== null) {
      const lastsMs = expiryIn(document) - this.#clock.now() - earlyMs
      this.#held = { text, until: this.#clock.monotonic() + lastsMs }
      return text
    }
    const fault = new Fault(
      'identity_down',
      `Keystone does not let the server itself in: it answers ${status}`,
    )
    if (status < 500) this.#refused = { fault, until: this.#clock.monotonic() + refusedMs }
    throw fault
  }
}

const loginOf = ({ user, password, project, userDomain, projectDomain }: ServiceUser): object => ({
  auth: {
    identity: {
      methods: ['password'],
      password: { user: { name: user, password, domain: { name: userDomain } } },
    },
    scope: { project: { name: project, domain: { name: projectDomain } } },
  },
})
