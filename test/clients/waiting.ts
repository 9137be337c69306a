// Waiting for what the servers do by themselves, through a Python client: a command line would cost a second for each look.
import { expect } from 'vitest'
import { eventually } from '../support/eventually.ts'
import type { Loose } from '../support/stack.ts'
import type { PythonClient } from './programs.ts'

/** Generous: it only costs time when the test fails anyway. */
const waiting = { withinMs: 90_000, everyMs: 100 }

/** Waits until `call(id)` answers a document with these fields. Answers it. */
export function until(client: PythonClient, call: string, id: string, fields: object): Promise<Loose> {
  return eventually(async () => {
    const found = await client.call(call, [id])
    expect(found).toMatchObject(fields)
    return found
  }, waiting)
}

/** Waits until `call(id)` is 404. */
export async function untilGone(client: PythonClient, call: string, id: string): Promise<void> {
  await eventually(async () => {
    await expect(client.call(call, [id])).rejects.toMatchObject({ status: 404 })
    return true
  }, waiting)
}
