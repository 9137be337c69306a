// Programs out of Debian's packages without root and without installing them: apt with its state inside the checkout.
import fs from 'node:fs'
import path from 'node:path'
import { SetupError, run, toolsDir } from './platform.mjs'

/** Whether this machine has apt and dpkg. */
export function hasApt() {
  const options = { env: childEnvironment() }
  return (
    run('apt-get', ['--version'], options).status === 0 &&
    run('dpkg-deb', ['--version'], options).status === 0
  )
}

/**
 * Downloads the packages from the sources that the machine's apt is set up for and unpacks them together.
 * @param {string[]} packages
 * @returns {string} a new folder with their files (`usr/bin/...`), for the caller to remove
 */
export function fetchDebianPackages(packages) {
  removeLeftovers()
  const work = fs.mkdtempSync(path.join(toolsDir, 'apt-'))
  const downloads = path.join(work, 'downloads')
  const unpacked = `${work}-unpacked`
  for (const dir of ['state/lists/partial', 'cache/archives/partial', 'downloads']) {
    fs.mkdirSync(path.join(work, dir), { recursive: true })
  }
  try {
    // A source that cannot be reached makes the update fail though the others were read: the download decides.
    const update = apt(work, ['update'])
    const download = apt(work, ['download', ...packages], downloads)
    if (download.status !== 0) {
      throw new SetupError(
        `apt could not download ${packages.join(', ')}:\n${update.stderr}${download.stderr}`,
      )
    }
    for (const deb of fs.readdirSync(downloads)) {
      const result = run('dpkg-deb', ['-x', path.join(downloads, deb), unpacked], { env: childEnvironment() })
      if (result.status !== 0) throw new SetupError(`${deb} cannot be unpacked: ${result.stderr}`)
    }
    return unpacked
  } catch (error) {
    fs.rmSync(unpacked, { recursive: true, force: true })
    throw error
  } finally {
    fs.rmSync(work, { recursive: true, force: true })
  }
}

/** What a set-up that was killed left behind. The caller holds the lock, so nobody uses it. */
function removeLeftovers() {
  for (const name of fs.readdirSync(toolsDir)) {
    if (name.startsWith('apt-')) fs.rmSync(path.join(toolsDir, name), { recursive: true, force: true })
  }
}

function apt(work, args, cwd = work) {
  const settings = {
    'Dir::State': path.join(work, 'state'),
    'Dir::Cache': path.join(work, 'cache'),
    // As root, apt would otherwise download as a user of its own, who need not be able to enter the checkout.
    'APT::Sandbox::User': 'root',
    'Acquire::Retries': '2',
    'Acquire::http::Timeout': '30',
    'Acquire::https::Timeout': '30',
    'Acquire::Languages': 'none',
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  return run('apt-get', ['-q', ...options, ...args], { cwd, env: childEnvironment(), timeout: 10 * 60_000 })
}

/** dpkg-deb runs tar, which every Debian has in /usr/bin, also when the caller's PATH leaves it out. */
function childEnvironment() {
  const PATH = [process.env.PATH, '/usr/sbin', '/usr/bin', '/sbin', '/bin']
    .filter(Boolean)
    .join(path.delimiter)
  return { ...process.env, PATH, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' }
}
