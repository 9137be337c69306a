// Numbers as people read them.

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB']

/** Bytes with a binary unit and three significant digits: `999 B`, `1.25 GiB`. */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes)) return '-'
  let value = Math.max(0, bytes)
  let unit = 0
  // 999.5 would round to four digits.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? Math.round(value) : significant(value)} ${UNITS[unit]}`
}

function significant(value: number): string {
  return value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2)
}

/** Bytes a second. */
export const formatRate = (bytesPerSecond: number): string => `${formatBytes(bytesPerSecond)}/s`

/** Counts in groups of three digits: `12,345`. */
export const formatCount = (count: number): string => Math.round(count).toLocaleString('en-US')

/** A duration in milliseconds, in its two largest units: `85 ms`, `4.2 s`, `3:07`, `2 h 05 m`, `3 d 04 h`. */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) return '-'
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return clock(seconds)
  const minutes = Math.round(seconds / 60)
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} m`
  const hours = Math.round(minutes / 60)
  return `${Math.floor(hours / 24)} d ${two(hours % 24)} h`
}

/** Time left, in seconds: `0:09`, `12:40`, `3 h 05 m`. */
export function formatSecondsLeft(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '-'
  return seconds < 3600 ? clock(Math.ceil(seconds)) : formatDuration(seconds * 1000)
}

/** Microseconds, for skews: `85 µs`, `3.52 ms`, `1.20 s`. */
export function formatMicroseconds(us: number): string {
  if (!Number.isFinite(us)) return '-'
  if (us < 1000) return `${Math.round(us)} µs`
  if (us < 1_000_000) return `${(us / 1000).toFixed(2)} ms`
  return `${(us / 1_000_000).toFixed(2)} s`
}

/** An ISO 8601 text or Unix seconds as UTC to the second; `-` for neither and for Freezer's -1 ("never"). */
export function formatInstant(at: unknown): string {
  const ms = typeof at === 'number' && at > 0 ? at * 1000 : typeof at === 'string' ? Date.parse(at) : NaN
  if (!(Math.abs(ms) <= 8.64e15)) return '-'
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

const clock = (seconds: number): string => `${Math.floor(seconds / 60)}:${two(seconds % 60)}`
const two = (value: number): string => String(value).padStart(2, '0')
