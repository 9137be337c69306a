import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, inject, it } from 'vitest'
import { run } from './programs.ts'

const root = path.join(import.meta.dirname, '../..')
const { environments } = inject('world')

const { packages } = JSON.parse(readFileSync(path.join(root, '.tools/clients/packages.json'), 'utf8')) as {
  packages: Record<string, string>
}

it("run on the packages' own Python and libraries, whatever the machine has", async () => {
  const program = `
import lxml.etree, sqlite3, ssl, sys
files = {line.split()[-1] for line in open('/proc/self/maps') if '.so' in line}
print(sys.executable, sys.prefix, *files, sep='\\n')`
  const strange = { ...environments.operator, PYTHONPATH: '/nowhere', LD_LIBRARY_PATH: '/nowhere' }
  const { code, stdout } = await run('python3', ['-c', program], strange)
  const files = stdout.trim().split('\n')
  expect([code, files.length > 10]).toEqual([0, true])
  expect(files.filter((file) => !file.includes('/.tools/clients/root/'))).toEqual([])
})

it('are of the versions that docs/clients.md tells', () => {
  const page = readFileSync(path.join(root, 'docs/clients.md'), 'utf8')
  const rows = [...page.matchAll(/^\| .+ \| (python3-\w+) \| ([\d.]+) \|/gm)]
  expect(rows).toHaveLength(3)
  // Without Debian's epoch and revision.
  for (const [, name = '', version] of rows)
    expect([name, packages[name]?.replace(/^\d+:|-[^-]*$/g, '')]).toEqual([name, version])
})
