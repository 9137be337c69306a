import { expect, it } from 'vitest'
import { reference } from './reference.ts'

// When it differs: node_modules/.bin/vitest run -u cli/reference.test.ts
it('docs/cli.md says what the table of commands says', async () => {
  await expect(reference()).toMatchFileSnapshot('../docs/cli.md')
})
