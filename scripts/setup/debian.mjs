// Programs out of Debian's packages without root and without installing them: apt with its state inside the checkout.
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { SetupError, run, say, toolsDir } from './platform.mjs'

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
  const work = makeWorkFolder()
  const downloads = path.join(work, 'downloads')
  const unpacked = `${work}-unpacked`
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

/**
 * Downloads the packages and everything that they need, down to the C library, and unpacks all of it together: what is
 * there runs by itself, whatever the machine has installed. Maintainer scripts do not run.
 * @param {string[]} packages
 * @param {string} target where to put the files (`usr/bin/...`); made by this
 * @returns {Promise<Record<string, string>>} version by package
 */
export async function fetchDebianClosure(packages, target) {
  const work = makeWorkFolder()
  try {
    const update = apt(work, ['update'])
    say(`downloading ${packages.join(', ')} and what they need ...`)
    const options = ['--yes', '--no-install-recommends', '--download-only']
    const download = apt(work, ['install', ...options, ...packages])
    if (download.status !== 0) throw new SetupError(closureProblem(packages, update, download))
    const archives = path.join(work, 'cache/archives')
    const debs = fs.readdirSync(archives).filter((name) => name.endsWith('.deb'))
    say(`unpacking ${debs.length} packages ...`)
    fs.mkdirSync(target, { recursive: true })
    await unpackAll(
      debs.map((name) => path.join(archives, name)),
      target,
    )
    return Object.fromEntries(debs.toSorted().map(nameAndVersion))
  } finally {
    fs.rmSync(work, { recursive: true, force: true })
  }
}

/** apt says "Unable to locate package" both for another distribution and for one whose lists could not be read. */
function closureProblem(packages, update, download) {
  const unreached = /^(?:Err:|W: Failed to fetch|E: Failed to fetch).*$/m.exec(
    `${update.stdout}${update.stderr}${download.stderr}`,
  )?.[0]
  const why = unreached
    ? 'a package source cannot be reached (network, proxy?)'
    : 'the distribution that apt is set up for may have no such packages: Debian 12 has them'
  return `apt could not download ${packages.join(', ')}: ${why}\n${unreached ?? ''}\n${download.stderr}`.trimEnd()
}

async function unpackAll(debs, target) {
  const rest = debs.values()
  const worker = async () => {
    for (const deb of rest) {
      try {
        await promisify(execFile)('dpkg-deb', ['-x', deb, target], { env: childEnvironment() })
      } catch (error) {
        throw new SetupError(`${path.basename(deb)} cannot be unpacked: ${error.stderr || error.message}`)
      }
    }
  }
  await Promise.all(Array.from({ length: os.availableParallelism() }, worker))
}

/** `python3-six_1.16.0-4_all.deb`; apt writes the colon of an epoch as `%3a`. */
function nameAndVersion(deb) {
  const [name, version] = deb.split('_')
  return [name, decodeURIComponent(version)]
}

/** A folder for apt's state, downloads and cache, in which nothing is installed. */
function makeWorkFolder() {
  removeLeftovers()
  const work = fs.mkdtempSync(path.join(toolsDir, 'apt-'))
  for (const dir of ['state/lists/partial', 'cache/archives/partial', 'downloads', 'log']) {
    fs.mkdirSync(path.join(work, dir), { recursive: true })
  }
  fs.writeFileSync(path.join(work, 'state/status'), '')
  return work
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
    // No package counts as installed, so that "what they need" is everything.
    'Dir::State::status': path.join(work, 'state/status'),
    'Dir::Cache': path.join(work, 'cache'),
    'Dir::Log': path.join(work, 'log'),
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
