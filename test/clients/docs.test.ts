// The commands and programs of docs/clients.md, as they stand there.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, inject, it } from 'vitest'
import { clientProgram } from './programs.ts'

const { environments, url, token, project } = inject('world')
const page = readFileSync(path.join(import.meta.dirname, '../../docs/clients.md'), 'utf8')
const { PATH = '', HOME = '', ...keystone } = environments.operator
const alone = { PATH, HOME, LC_ALL: 'C.UTF-8' }

/** Whose variables the reader has, by heading. */
const environmentBy: Record<string, Record<string, string>> = {
  'Register Firn in Keystone': environments.keystone,
  'With Keystone': { ...alone, ...keystone },
  'Without Keystone': alone,
}

const blocks = page.split(/^## /m).flatMap((section) => {
  const heading = section.slice(0, section.indexOf('\n'))
  return [...section.matchAll(/^```(sh|python)\n([\s\S]+?)^```/gm)].map(
    ([, language = '', text = '']) => [heading, language, text] as const,
  )
})

it.each(blocks)('%s: its %s', async (heading, language, text) => {
  const env = { ...environmentBy[heading], FIRN: url, TOKEN: token, PROJECT: project }
  const cwd = await mkdtemp(path.join(HOME, 'docs-'))
  const [program, ...words] =
    language === 'sh' ? ['/bin/sh', '-eu', '-c', text] : [clientProgram('python3'), '-c', text]
  const { stdout } = await promisify(execFile)(program, words, { env, cwd, timeout: 120_000 })
  expect([language, stdout.length > 0]).toEqual([language, language === 'sh'])
})

it('are found', () => {
  expect(blocks).toHaveLength(5)
})
