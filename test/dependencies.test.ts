import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'

const root = path.join(import.meta.dirname, '..')
const page = readFileSync(path.join(root, 'docs/dependencies.md'), 'utf8')

interface Manifest {
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
  devDependencies?: Record<string, string>
}

const dependencies = ['package.json', 'tools/package.json'].flatMap((file) => {
  const manifest = JSON.parse(readFileSync(path.join(root, file), 'utf8')) as Manifest
  const { dependencies, optionalDependencies, devDependencies } = manifest
  return Object.entries({ ...dependencies, ...optionalDependencies, ...devDependencies })
})

describe('every dependency', () => {
  it.each(dependencies)('%s has an exact version (%s) and a line that says why', (name, version) => {
    expect(version).toMatch(/^\d+\.\d+\.\d+$/)
    expect(page).toContain(`| \`${name}\` | ${version} |`)
  })

  it('on the page is one that is installed', () => {
    const listed = [...page.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name)
    expect(new Set(listed)).toEqual(new Set(dependencies.map(([name]) => name)))
  })
})
