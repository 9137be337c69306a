import type { ItemError } from '../../core/run.ts'

/** All item errors of a report together. Bytes; a NATS message holds 1 MB. */
const reportMax = 256 * 1024
/** One message. Characters. */
const messageMax = 4 * 1024
/** What an entry's JSON needs besides its texts. Bytes. */
const frame = 64

/** The errors that a report has room for; the steps of an attempt share it. */
export class ItemErrors {
  #left = reportMax

  /** The error as it goes into the report; undefined once there is no room, which the first too long one decides. */
  take(error: ItemError): ItemError | undefined {
    const cut = { ...error, message: error.message.slice(0, messageMax) }
    const size = frame + Buffer.byteLength(JSON.stringify(cut))
    if (size > this.#left) {
      this.#left = 0
      return undefined
    }
    this.#left -= size
    return cut
  }
}
