import { rename, writeFile } from 'node:fs/promises'

/** Writes follow one another, so that the newest wins. */
let written: Promise<void> = Promise.resolve()

/** Replaces a private file as a whole: whoever reads it sees the old one or the new one. Calls are carried out in order. */
export function replaceFile(file: string, text: string): Promise<void> {
  written = written
    .catch(() => {})
    .then(async () => {
      await writeFile(`${file}.new`, text, { mode: 0o600 })
      await rename(`${file}.new`, file)
    })
  return written
}

/** Resolves when all that was begun is done. Never rejects. */
export const allWritten = (): Promise<void> => written.catch(() => {})
