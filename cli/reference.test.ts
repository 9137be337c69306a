import { expect, it } from 'vitest'
import { reference } from './reference.ts'

// When it differs: node_modules/.bin/vitest run cli/reference.test.ts -u
it('docs/cli.md says what the table of commands says', async () => {
  await expect(reference()).toMatchFileSnapshot('../docs/cli.md')
})
