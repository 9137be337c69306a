// The examples of docs/api.md, sent in their order: each answer has the status and the fields that the page shows.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { projectId } from '../../core/ids.ts'
import { startApi } from './harness.ts'

const page = readFileSync(path.join(import.meta.dirname, '../../docs/api.md'), 'utf8')
const blocks = [...page.matchAll(/^```http\n([\s\S]+?)^```/gm)].map(([, text = '']) => text)

interface Message {
  /** `GET /v1/runs`, or the status of an answer. */
  readonly first: string
  readonly headers: Record<string, string>
  readonly body: string
}

function messageOf(block: string): Message {
  const [head = '', ...body] = block.trimEnd().split('\n\n')
  const [first = '', ...headers] = head.split('\n')
  const pairs = headers.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])
  return { first, headers: Object.fromEntries(pairs) as Record<string, string>, body: body.join('\n\n') }
}

/** A document with each value replaced by its kind; lists by their first item. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf)
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shapeOf(item)]))
}

it('are what the API takes and answers', async () => {
  const project = projectId('main')
  const api = await startApi()
  const admin = await api.token('admin', 'admin', project)
  await api.enrolled('node-1', project)
  const job = {
    client_id: 'node-1',
    job_actions: [{ freezer_action: { backup_name: 'docs', path_to_backup: '/srv/docs' } }],
  }
  for (const id of ['docs-1', 'docs-2'])
    expect((await api.ask('POST', `/v1/jobs/${id}`, job, admin)).status).toBe(201)
  const made = await api.ask('POST', '/v1/sessions', { schedule: {} }, admin)
  const known = new Map<string, string>([['session_id', made.json.session_id]])
  await api.ask('PUT', `/v1/sessions/${made.json.session_id}/jobs/docs-2`, undefined, admin)
  const filled = (text: string): string => text.replace(/\{(\w+)\}/g, (as, name) => known.get(name) ?? as)

  expect(blocks.length).toBeGreaterThan(10)
  for (let at = 0; at < blocks.length; at += 2) {
    const request = messageOf(blocks[at] ?? '')
    const shown = messageOf(blocks[at + 1] ?? '')
    const [method = '', target = ''] = request.first.split(' ')
    const body = request.body === '' ? undefined : filled(request.body)
    const answer = await api.ask(method, filled(target), body, admin, request.headers)
    expect(`${request.first}: ${answer.status}`, answer.text).toBe(`${request.first}: ${shown.first}`)
    if (shown.body !== '') expect(shapeOf(answer.json)).toEqual(shapeOf(JSON.parse(shown.body)))
    const run = answer.json?.runs?.[0]?.run_id as string | undefined
    if (run !== undefined) known.set('run_id', run)
  }
})
