// Applies the table of architecture-rules.ts to sources. Pure, so that a test can plant a violation.
import { TEST_FILES_MAY_IMPORT, WORDINGS, ZONES, type Zone } from '../architecture-rules.ts'
import { importsOf, withoutComments, type Import, type SourceFile } from './sources.ts'

/** Everything in these sources that the rules forbid, each as one line that names the file. */
export function violations(files: SourceFile[]): string[] {
  return [...files.flatMap(forbiddenImports), ...files.flatMap(forbiddenWords), ...cycles(files)]
}

function forbiddenImports(file: SourceFile): string[] {
  const zone = zoneOf(file.path)
  if (zone === undefined) return [`${file.path} is in no zone of the table`]
  return importsOf(file)
    .filter((it) => !isAllowed(file.path, zone, it))
    .map((it) => `${file.path} imports ${it.target}, which ${zone.path} may not`)
}

function isAllowed(path: string, zone: Zone, { target, kind, dynamic }: Import): boolean {
  const isTest = path.endsWith('.test.ts')
  if (kind === 'package') {
    return zone.packages === 'any' || zone.packages.includes(target) || (isTest && isTestPackage(target))
  }
  if (kind === 'node') return zone.node === 'any' || zone.node.includes(target) || isTest
  const allowed = [zone.path, ...zone.mayImport]
  if (isTest) allowed.push(...TEST_FILES_MAY_IMPORT)
  if (dynamic) allowed.push(...(zone.mayLoad ?? []))
  return allowed.some((folder) => isWithin(target, folder))
}

function isTestPackage(name: string): boolean {
  return name === 'vitest' || name === 'fast-check'
}

function forbiddenWords(file: SourceFile): string[] {
  if (file.path.endsWith('.test.ts')) return []
  const code = withoutComments(file.text)
  const isIn = (folders: string[]) => folders.some((folder) => isWithin(file.path, folder))
  return WORDINGS.filter(
    ({ within, except, pattern }) => isIn(within) && !isIn(except) && pattern.test(code),
  ).map(({ rule, pattern }) => `${file.path} says ${pattern.exec(code)?.[0]}: ${rule}`)
}

/** Circles of files that import each other; imports of types count, since they tie as tightly for a reader. */
function cycles(files: SourceFile[]): string[] {
  const known = new Set(files.map(({ path }) => path))
  const targets = new Map(
    files.map((file) => {
      const imports = importsOf(file).filter(
        ({ kind, dynamic, target }) => kind === 'file' && !dynamic && known.has(target),
      )
      return [file.path, imports.map(({ target }) => target)]
    }),
  )
  const done = new Set<string>()
  const found: string[] = []
  const visit = (path: string, trail: string[]): void => {
    const start = trail.indexOf(path)
    if (start >= 0) found.push(`cycle: ${[...trail.slice(start), path].join(' -> ')}`)
    if (start >= 0 || done.has(path)) return
    for (const target of targets.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const { path } of files) visit(path, [])
  return found
}

function zoneOf(path: string): Zone | undefined {
  // A test lies in the zone of what it tests.
  const tested = path.replace(/\.test\.ts$/, '.ts')
  return ZONES.filter((zone) => isWithin(tested, zone.path)).toSorted(
    (a, b) => b.path.length - a.path.length,
  )[0]
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}
