// Documents from files and standard input.
import { readFileSync } from 'node:fs'
import { parseAllDocuments } from 'yaml'
import { usage } from './failure.ts'
import type { Io } from './io.ts'
import type { Document } from './json.ts'

/** The server takes documents of at most 1 MB; a file may hold some of them. */
const INPUT_MAX = 16 * 1024 * 1024

/** All of a stream as text. Throws Failure when it is longer than 16 MiB. */
export async function readAll(stream: Io['stdin']): Promise<string> {
  const decoder = new TextDecoder()
  let content = ''
  for await (const chunk of stream) {
    content += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
    if (content.length > INPUT_MAX) throw usage(`standard input holds more than ${INPUT_MAX} characters`)
  }
  return content
}

/**
 * The documents in a file (`-`: standard input): JSON, or YAML with one or more documents; a list holds one each. Throws
 * Failure that names file and line.
 */
export async function readDocuments(file: string, io: Io): Promise<Document[]> {
  const name = file === '-' ? 'standard input' : file
  const content = file === '-' ? await readAll(io.stdin) : contentOf(file)
  const found = parseAll(content, name).flatMap((it) => (Array.isArray(it) ? (it as unknown[]) : [it]))
  if (found.length === 0) throw usage(`${name} is empty`)
  return found.map((value, at) => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Document
    throw usage(
      `${name}: ${found.length > 1 ? `document ${at + 1}` : 'this'} is no object with names and values`,
    )
  })
}

function contentOf(file: string): string {
  try {
    const content = readFileSync(file, 'utf8')
    if (content.length > INPUT_MAX) throw new Error(`it has more than ${INPUT_MAX} characters`)
    return content
  } catch (cause) {
    throw usage(`${file} cannot be read (${(cause as Error).message})`)
  }
}

function parseAll(content: string, name: string): unknown[] {
  // JSON is YAML too, but its own parser keeps to it and is quicker.
  if (/^\s*[[{]/.test(content)) {
    try {
      return [JSON.parse(content)]
    } catch {
      // Perhaps YAML in flow style; its parser says where the mistake is.
    }
  }
  const parsed = parseAllDocuments(content)
  if (!Array.isArray(parsed)) return []
  return parsed.flatMap((document) => {
    const [problem] = document.errors
    if (problem !== undefined) {
      const line = problem.linePos?.[0]?.line
      throw usage(`${name}${line === undefined ? '' : `, line ${line}`}: ${problem.message.split('\n')[0]}`)
    }
    try {
      const value: unknown = document.toJS({ maxAliasCount: 100 })
      return value === null ? [] : [value]
    } catch (cause) {
      throw usage(`${name}: ${(cause as Error).message}`)
    }
  })
}
