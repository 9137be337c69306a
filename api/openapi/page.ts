import { faultRows } from '../faults.ts'
import { fieldTable, row } from './fields.ts'
import { html, prose, words, type Html } from './html.ts'
import type { Part } from './schemas.ts'
import { style } from './style.ts'
import { faultTexts } from './texts.ts'

interface Operation {
  readonly method: string
  readonly path: string
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly description: string
  readonly parameters: readonly {
    readonly name: string
    readonly in: string
    readonly required?: boolean
    readonly description?: string
    readonly schema: Part
  }[]
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<
    Record<string, { readonly $ref?: string; readonly description: string; readonly content?: Content }>
  >
}

type Content = Readonly<Record<string, { readonly schema: Part }>>

interface Document {
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly tags: readonly { readonly name: string; readonly description?: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Omit<Operation, 'method' | 'path'>>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Part>> }
}

/** The reference as one page without scripts, for people: made of the OpenAPI document, and saying no more than that. */
export function referencePage(part: Part): string {
  const document = part as unknown as Document
  const { info, tags, components } = document
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, one]): Operation => ({ ...one, method, path })),
  )
  const of = (tag: string) => operations.filter((one) => one.tags.includes(tag))
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${info.title} ${info.version}: REST API</title>
        <style>
          ${style}
        </style>
      </head>
      <body>
        <nav>
          <a href="#top">${info.title} ${info.version}</a>
          ${tags.map(({ name }) => menuOf(name, of(name)))}
          <h2>More</h2>
          <ul>
            <li><a href="#faults">Problems</a></li>
            <li><a href="#schemas">Documents</a></li>
          </ul>
        </nav>
        <main id="top">
          <h1>${info.title}: REST API</h1>
          ${prose(info.description)}
          <p>The same for programs: <a href="/openapi.json">/openapi.json</a></p>
          ${tags.map(
            ({ name, description }) =>
              html`<h2 id="${slug(name)}">${name}</h2>
                ${description === undefined ? undefined : prose(description)} ${of(name).map(sectionOf)}`,
          )}
          ${faults()}
          <h2 id="schemas">Documents</h2>
          ${Object.entries(components.schemas).map(schemaSection)}
        </main>
      </body>
    </html> `
  return page.text
}

const slug = (name: string): string => `tag-${name.replace(/\W+/g, '-')}`

const menuOf = (tag: string, operations: readonly Operation[]): Html =>
  html`<h2><a href="#${slug(tag)}">${tag}</a></h2>
    <ul>
      ${operations.map((one) => html`<li><a href="#${one.operationId}">${one.summary}</a></li>`)}
    </ul>`

function sectionOf(one: Operation): Html {
  return html`<section id="${one.operationId}">
    <h3>${one.summary}</h3>
    <p class="call"><b class="${one.method}">${one.method.toUpperCase()}</b> <code>${one.path}</code></p>
    ${prose(one.description)} ${parametersOf(one)} ${bodyOf(one)}
    ${Object.entries(one.responses).map(answerOf)}
  </section>`
}

function parametersOf({ parameters }: Operation): Html | undefined {
  if (parameters.length === 0) return undefined
  return html`<table>
    <thead>
      <tr>
        <th>parameter</th>
        <th>type</th>
        <th>meaning</th>
      </tr>
    </thead>
    <tbody>
      ${parameters.map((one) =>
        row(
          one.in === 'header' ? `${one.name}:` : one.in === 'path' ? `{${one.name}}` : `?${one.name}`,
          ...([one.schema, one.required ?? false, one.description] as const),
        ),
      )}
    </tbody>
  </table>`
}

const bodyOf = ({ requestBody }: Operation): Html | undefined =>
  requestBody &&
  html`<h4>Body</h4>
    ${Object.values(requestBody.content).map(({ schema }) => fieldTable(schema))}`

/** Errors are told once for all. */
function answerOf([status, answer]: [string, Operation['responses'][string]]): Html | undefined {
  if (answer.$ref !== undefined) return undefined
  return html`<h4>${status} ${answer.description}</h4>
    ${Object.entries(answer.content ?? {}).map(([type, { schema }]) =>
      type === 'application/json' ? fieldTable(schema) : html`<p class="type">${type}</p>`,
    )}`
}

const schemaSection = ([name, schema]: [string, Part]): Html =>
  html`<section id="schema-${name}">
    <h3>${name}</h3>
    ${typeof schema['description'] === 'string' ? prose(schema['description']) : undefined}
    ${fieldTable(schema)}
  </section>`

const faults = (): Html =>
  html`<h2 id="faults">Problems</h2>
    <p>
      What the <code>type</code> of a problem refers to. The published APIs tell the same in their own forms.
    </p>
    <table>
      <thead>
        <tr>
          <th>code</th>
          <th>status</th>
          <th>meaning</th>
        </tr>
      </thead>
      <tbody>
        ${Object.entries(faultRows).map(
          ([code, { status, title }]) =>
            html`<tr id="fault-${code}">
              <td><code>${code}</code></td>
              <td>${status} ${title}</td>
              <td>${words(faultTexts[code as keyof typeof faultTexts])}</td>
            </tr> `,
        )}
      </tbody>
    </table>`
