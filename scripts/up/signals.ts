/** A second signal within this time is the same Ctrl-C: npm passes on what the terminal has sent to both. Milliseconds. */
const sameMs = 500

/**
 * Aborts at the first SIGINT, SIGTERM or SIGHUP; a second one, from somebody who does not want to wait, calls `hurry`.
 * Listens until disposed.
 */
export function stopOnSignals(stop: AbortController, hurry: () => void): Disposable {
  let firstAt = -Infinity
  const handler = (name: NodeJS.Signals): void => {
    if (!stop.signal.aborted) {
      firstAt = performance.now()
      // After the ^C that a terminal shows.
      process.stderr.write('\n')
      stop.abort(new Error(name))
    } else if (performance.now() - firstAt > sameMs) hurry()
  }
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of names) process.on(name, handler)
  return {
    [Symbol.dispose]: () => {
      for (const name of names) process.off(name, handler)
    },
  }
}
