/** Text that is HTML already. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

const signs: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

const escaped = (text: string): string => text.replace(/[&<>"']/g, (sign) => signs[sign] ?? sign)

type Filling = string | number | Html | undefined | readonly Filling[]

function filled(value: Filling): string {
  if (value === undefined) return ''
  if (value instanceof Html) return value.text
  return typeof value === 'object' ? value.map(filled).join('') : escaped(String(value))
}

/** A template whose values are escaped, unless they are HTML; undefined is left out, lists are joined. */
export const html = (parts: TemplateStringsArray, ...values: readonly Filling[]): Html =>
  new Html(parts.reduce((text, part, at) => text + filled(values[at - 1]) + part))

/** What there is of Markdown in descriptions: paragraphs, and words in backticks. */
export const prose = (text: string): Html =>
  html`${text.split(/\n{2,}/).map((paragraph) => html`<p>${words(paragraph)}</p>`)}`

/** As `prose`, within a line. */
export const words = (text: string): Html =>
  html`${text.split('`').map((piece, at) => (at % 2 === 1 ? html`<code>${piece}</code>` : piece))}`
