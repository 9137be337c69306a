// Folders whose content no tool can make smaller, so that saving them takes as long as it should.
import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** Makes a folder with so many files of a mebibyte each. Answers its path. */
export async function randomTree(folder: string, mebibytes: number): Promise<string> {
  await mkdir(folder, { recursive: true })
  for (let nth = 1; nth <= mebibytes; nth++)
    await writeFile(path.join(folder, `file-${nth}`), randomBytes(2 ** 20))
  return folder
}
