/** Does all at once. When one fails the others are told to give up, and the first failure is thrown once they have. */
export async function together(
  starts: readonly ((signal: AbortSignal) => Promise<void>)[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const failed = new AbortController()
  const either = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal
  await Promise.all(
    starts.map((start) =>
      start(either).catch((error: unknown) => {
        if (!either.aborted) failed.abort(error)
      }),
    ),
  )
  either.throwIfAborted()
}
