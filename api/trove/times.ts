import { isoOf, type Instant } from '../../core/clock.ts'

/** Trove's times: UTC without a zone and without fractions. */
export const troveTime = (at: Instant): string => isoOf(at).slice(0, 'YYYY-MM-DDThh:mm:ss'.length)

const gigabyte = 2 ** 30

/** Less than a byte makes of a hundredth of a gigabyte: by so much a quotient may be too large. */
const inexact = 1e-9

/** Bytes as gigabytes with two decimals, rounded up: what is there is never shown as nothing. */
export const gigabytes = (bytes: number): number => Math.ceil((bytes / gigabyte) * 100 - inexact) / 100

/** Gigabytes, with decimals, as whole bytes. */
export const bytesOf = (gigabytes: number): number => Math.floor(gigabytes * gigabyte)
