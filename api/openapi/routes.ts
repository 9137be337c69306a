import { createHash } from 'node:crypto'
import { z } from 'zod'
import { operation } from '../operation.ts'
import type { Ask, Route } from '../route.ts'
import { openApiOf } from './document.ts'
import { referencePage } from './page.ts'

interface Text {
  readonly body: string
  readonly etag: string
}

const textOf = (body: string): Text => ({
  body,
  etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
})

async function textsOf(routes: readonly Route[], version: string) {
  const document = await openApiOf(routes, version)
  return { document: textOf(JSON.stringify(document)), page: textOf(referencePage(document)) }
}

/** Nothing from elsewhere, and nothing that runs. */
const policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

/**
 * The reference of all routes, itself among them, as an OpenAPI document and as a page. Nobody needs a token for it: it says nothing
 * but what every installation of this version can do.
 */
export function referenceRoutes(all: () => readonly Route[]): readonly Route[] {
  // Made when it is first asked for: most servers never are.
  let made: Promise<{ readonly document: Text; readonly page: Text }> | undefined
  const madeFor = (ask: Ask) => (made ??= textsOf(all(), ask.served.version))
  const doc = {
    tag: 'Server',
    headers: { 'If-None-Match': 'The ETag of an earlier answer: 304 if it is the same' },
  }
  return [
    operation({
      ...{ method: 'GET', path: '/openapi.json', role: 'nobody', errors: 'problem' },
      ...{ ...doc, id: 'getOpenApi', summary: 'Read this reference as OpenAPI 3.1' },
      answers: { 200: z.looseObject({ openapi: z.string() }), 304: 'nothing' },
      answer: async (ask) =>
        answerWith(ask, (await madeFor(ask)).document, { 'content-type': 'application/json' }),
    }),
    operation({
      ...{ method: 'GET', path: '/reference', role: 'nobody', errors: 'problem', gives: 'text/html' },
      ...{ ...doc, id: 'getReference', summary: 'Read this reference as a page' },
      answers: { 200: 'text', 304: 'nothing' },
      answer: async (ask) =>
        answerWith(ask, (await madeFor(ask)).page, {
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': policy,
          'x-content-type-options': 'nosniff',
        }),
    }),
  ]
}

function answerWith(ask: Ask, { body, etag }: Text, headers: Readonly<Record<string, string>>): Response {
  const about = { ...ask.headers(), ...headers, etag, 'cache-control': 'no-cache' }
  const known =
    ask
      .header('if-none-match')
      ?.split(',')
      .map((tag) => tag.trim().replace(/^W\//, '')) ?? []
  if (known.includes(etag)) return new Response(null, { status: 304, headers: about })
  return new Response(body, { headers: about })
}
