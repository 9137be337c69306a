import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { troveRoutes } from '../../../api/trove/routes.ts'

it('docs/trove.md tells every operation, and no other', () => {
  const page = readFileSync(path.join(import.meta.dirname, '../../../docs/trove.md'), 'utf8')
  const told = [...page.matchAll(/^\| `([A-Z]+ [^`]+)` \|/gm)].map(([, operation = '']) => operation)
  const there = troveRoutes.map(({ method, path: at }) => `${method} ${at.replace(/:(\w+)/g, '{$1}')}`)
  expect(told.toSorted()).toEqual(there.toSorted())
})
