// Functions for the tests of Qinling's clients, which cannot make any: saved actions, made by Freezer's API.
import { expect, inject } from 'vitest'

/** A saved action that runs a command. Answers its id as Qinling shows it. */
export async function functionOf(
  command: readonly string[],
  action: object = {},
  document: object = {},
): Promise<string> {
  const { url, token } = inject('world')
  const response = await fetch(`${url}/v1/actions`, {
    method: 'POST',
    headers: { 'x-auth-token': token, 'content-type': 'application/json' },
    body: JSON.stringify({ freezer_action: { action: 'exec', command, ...action }, ...document }),
  })
  const { action_id } = (await response.json()) as { action_id: string }
  expect(action_id).toMatch(/^[0-9a-f]{32}$/)
  return action_id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
