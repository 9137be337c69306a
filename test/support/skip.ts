// Skipping a test, always with a reason that is printed. With CI=true a skip fails, unless the test has proved that
// the kernel cannot do what it needs: a test that silently no longer runs protects nothing.
import type { TestContext } from 'vitest'

/** Name of the mark on a skipped test that scripts/test.ts accepts in CI. */
export const PROVEN_SKIP = 'firnProvenSkip'

/**
 * Skips the running test when `condition` holds, for a reason that CI machines do not have ("needs root").
 * With CI=true it throws an Error instead.
 */
export function skipWhen(context: TestContext, reason: string, condition: boolean): void {
  if (!condition) return
  if (process.env['CI'] === 'true') throw new Error(`skipped in CI, where it must run: ${reason}`)
  skip(context, reason)
}

/**
 * Skips the running test when `proof` shows that this machine's kernel cannot do what it needs; then CI accepts it too.
 * `proof` tries the thing itself and answers what the kernel said, or undefined when it can do it.
 */
export async function skipWhenKernelCannot(
  context: TestContext,
  reason: string,
  proof: () => string | undefined | Promise<string | undefined>,
): Promise<void> {
  const evidence = await proof()
  if (evidence === undefined) return
  Object.assign(context.task.meta, { [PROVEN_SKIP]: evidence })
  skip(context, `${reason} (${evidence})`)
}

function skip(context: TestContext, reason: string): never {
  process.stdout.write(`skipped: ${reason}\n`)
  return context.skip(reason)
}
