// Reads the project's sources and finds what they import, for tests about the sources themselves.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** One TypeScript source file. */
export interface SourceFile {
  /** From the root of the checkout, with `/`. */
  path: string
  text: string
}

/** One import in a source file. */
export interface Import {
  /** The imported file from the root of the checkout, or the name of a package or Node module. */
  target: string
  kind: 'file' | 'package' | 'node'
  /** `import()` as an expression. */
  dynamic: boolean
}

/** All TypeScript sources under these folders of `root`. Folders that do not exist have none. */
export function readSources(root: string, folders: string[]): SourceFile[] {
  const names = folders.flatMap((folder) =>
    listFiles(path.join(root, folder)).map((name) => path.join(folder, name)),
  )
  const sources = names.filter((name) => name.endsWith('.ts') && !name.includes('node_modules'))
  return sources.map((name) => ({ path: name, text: readFileSync(path.join(root, name), 'utf8') }))
}

function listFiles(dir: string): string[] {
  try {
    return readdirSync(dir, { recursive: true, encoding: 'utf8' })
  } catch {
    return []
  }
}

// A specifier with quotes after `from`, after `import` alone, or in `import(...)`, which also is how types are named in
// place. What stands between `import` and `from` is names, braces, commas and stars only.
const STATIC_IMPORT = /\b(?:import|export)\s+(?:[\w$*{},\s]+?\s*from\s*)?(['"])([^'"\n]+)\1/g
const DYNAMIC_IMPORT = /\bimport\s*\(\s*(['"`])([^'"`\n]+)\1/g

/** The imports of a file, also those of types only and those in `export ... from`. */
export function importsOf(file: SourceFile): Import[] {
  const code = withoutComments(file.text)
  const found = (pattern: RegExp, dynamic: boolean) =>
    [...code.matchAll(pattern)].map(([, , specifier = '']) => ({ ...resolve(file.path, specifier), dynamic }))
  return [...found(STATIC_IMPORT, false), ...found(DYNAMIC_IMPORT, true)]
}

function resolve(from: string, specifier: string): Pick<Import, 'target' | 'kind'> {
  if (specifier.startsWith('.'))
    return { kind: 'file', target: path.posix.join(path.posix.dirname(from), specifier) }
  if (specifier.startsWith('node:')) return { kind: 'node', target: specifier }
  const names = specifier.split('/')
  return { kind: 'package', target: names.slice(0, specifier.startsWith('@') ? 2 : 1).join('/') }
}

/** The code without comments; strings stay as they are. */
export function withoutComments(text: string): string {
  const stringOrComment = /(['"])(?:\\.|(?!\1)[^\\\n])*\1|`(?:\\.|[^\\`])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g
  return text.replace(stringOrComment, (found) => (found.startsWith('/') ? ' ' : found))
}
