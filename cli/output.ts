// Prints answers: as tables for people, as data for programs.
import { Document, visit } from 'yaml'
import type { Io } from './io.ts'
import { paint, wantsColour, type Paint } from './render/colour.ts'
import { details, table, type Column } from './render/table.ts'
import { visible, visibleJson } from './render/width.ts'

/** What `-o` takes. */
export type Format = 'table' | 'wide' | 'json' | 'jsonl' | 'yaml' | 'name'

/** How a kind of thing is shown to people. */
export interface Shown<Row> {
  /** What `-o name` prints. */
  readonly name: (row: Row) => string
  readonly columns: readonly Column<Row>[]
}

/** A name and a value, of one thing; without a value the line is left out. */
export type Pair = readonly [name: string, value: string | undefined]

/** The output of one command. */
export class Output {
  readonly format: Format
  readonly paint: Paint
  readonly #io: Io
  /** Of standard error, where notes and progress go. */
  readonly notePaint: Paint

  constructor(io: Io, format: Format, colour: boolean) {
    this.#io = io
    this.format = format
    this.paint = paint(colour && wantsColour(io.stdout, io.env))
    this.notePaint = paint(colour && wantsColour(io.stderr, io.env))
  }

  /** Whether tables are wanted, not data. */
  get isForPeople(): boolean {
    return this.format === 'table' || this.format === 'wide'
  }

  /** Things of one kind. With `empty` people are told that there are none. */
  list<Row>(rows: readonly Row[], { name, columns }: Shown<Row>, empty: string): void {
    switch (this.format) {
      case 'json':
        return this.line(json(rows))
      case 'jsonl':
        return this.lines(rows.map((row) => visibleJson(JSON.stringify(row))))
      case 'yaml':
        return this.#io.stdout.write(yaml(rows))
      case 'name':
        return this.lines(rows.map((row) => visible(name(row))))
      case 'table':
      case 'wide':
        if (rows.length === 0) return this.note(empty)
        return this.lines(this.table(rows, columns))
    }
  }

  /** One thing. */
  one<Row>(row: Row, name: (row: Row) => string, forPeople: () => readonly string[]): void {
    switch (this.format) {
      case 'json':
        return this.line(json(row))
      case 'jsonl':
        return this.line(visibleJson(JSON.stringify(row)))
      case 'yaml':
        return this.#io.stdout.write(yaml(row))
      case 'name':
        return this.line(visible(name(row)))
      case 'table':
      case 'wide':
        return this.lines(forPeople())
    }
  }

  /** Something was done: a sentence for people; the id or a document for programs. */
  done(document: object, id: string, sentence: string): void {
    this.one(
      document,
      () => id,
      () => [visible(sentence)],
    )
  }

  /** The lines of a table that fits the terminal. */
  table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string[] {
    const { stdout } = this.#io
    return table(rows, columns, {
      wide: this.format === 'wide',
      width: stdout.isTTY ? (stdout.columns ?? 80) : undefined,
      heading: this.paint.bold,
    })
  }

  /** The lines of some pairs. */
  details(pairs: readonly Pair[]): string[] {
    return details(pairs, this.paint.dim)
  }

  /** A line whose parts have been made visible. */
  line(text: string): void {
    this.#io.stdout.write(`${text}\n`)
  }

  lines(lines: readonly string[]): void {
    if (lines.length > 0) this.#io.stdout.write(`${lines.join('\n')}\n`)
  }

  /** For the person beside the output: on standard error, so that it never mixes with data. */
  note(text: string): void {
    this.#io.stderr.write(`${visible(text)}\n`)
  }
}

const json = (value: unknown): string => visibleJson(JSON.stringify(value ?? null, null, 2))

/** YAML writes as they are most of what a terminal acts on: such texts are quoted, and escaped as in JSON. */
function yaml(value: unknown): string {
  const document = new Document(value ?? null, { aliasDuplicateObjects: false })
  visit(document, {
    Scalar: (_, node) => {
      if (
        typeof node.value === 'string' &&
        visible(node.value.replaceAll('\n', '')) !== node.value.replaceAll('\n', '')
      )
        node.type = 'QUOTE_DOUBLE'
    },
  })
  return visibleJson(document.toString({ lineWidth: 0 }))
}
