// What only the campaign of faults needs, out of Debian's packages, unpacked in .tools/campaign: a library that steps the
// clock of one process, and a tracer that has its system calls fail. The machine's own will do as well.
import fs from 'node:fs'
import path from 'node:path'
import { fetchDebianPackages, hasApt } from './debian.mjs'
import { SetupError, say, toolsDir } from './platform.mjs'

const FOLDER = path.join(toolsDir, 'campaign')

/** Each with where it lies in its package, and the packages that bring it and its libraries. */
const TOOLS = [
  { file: 'usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1', packages: ['libfaketime'] },
  { file: 'usr/bin/strace', packages: ['strace', 'libunwind8', 'liblzma5'] },
]

/** Those that are neither in .tools nor on the machine. */
export function missingCampaignTools() {
  return TOOLS.filter(({ file }) => [FOLDER, '/'].every((root) => !fs.existsSync(path.join(root, file))))
}

/** Fetches what is missing. The caller holds the lock. */
export async function fetchCampaignTools() {
  const missing = missingCampaignTools()
  if (missing.length === 0) return
  const packages = missing.flatMap((tool) => tool.packages)
  if (!hasApt()) throw new SetupError(`${packages.join(', ')}: not there, and no apt-get to fetch them`)
  say(`fetching ${packages.join(', ')} from Debian's packages ...`)
  const unpacked = fetchDebianPackages(packages)
  try {
    fs.cpSync(unpacked, FOLDER, { recursive: true, verbatimSymlinks: true })
  } finally {
    fs.rmSync(unpacked, { recursive: true, force: true })
  }
}
