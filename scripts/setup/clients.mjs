// The real clients of the published APIs and a real Keystone, with a Python of their own: Debian's packages with all that
// they need, unpacked in .tools/clients and run from there. The system is neither asked nor touched.
import fs from 'node:fs'
import path from 'node:path'
import { fetchDebianClosure, hasApt } from './debian.mjs'
import { SetupError, run, say, toolsDir } from './platform.mjs'

const CLIENTS_DIR = path.join(toolsDir, 'clients')

/** What is there, by package; written last. */
const MARKER = path.join(CLIENTS_DIR, 'packages.json')

const PACKAGES = [
  'python3-openstackclient',
  'python3-freezerclient',
  'python3-troveclient',
  'python3-qinlingclient',
  'freezer-scheduler',
  'keystone',
]

/** Programs that the packages must have brought. */
const PROGRAMS = [
  'openstack',
  'freezer',
  'freezer-scheduler',
  'trove',
  'keystone-manage',
  'keystone-wsgi-public',
]

/** Raised when what is made here changes, so that an older folder is made anew. */
const FORMAT = 1

/** What a download of 90 MB and 700 MB unpacked need for a while, and some more. Bytes. */
const NEEDED_BYTES = 1_500_000_000

/** Whether all of it is there. */
export function clientsAreThere() {
  try {
    const marker = JSON.parse(fs.readFileSync(MARKER, 'utf8'))
    return marker.format === FORMAT && PACKAGES.every((name) => name in marker.packages)
  } catch {
    return false
  }
}

/** Fetches what is missing. The caller holds the lock. */
export async function installClients() {
  if (clientsAreThere()) return
  const problem = whyNot()
  if (problem) throw new SetupError(`the clients cannot be installed: ${problem}`)
  fs.rmSync(CLIENTS_DIR, { recursive: true, force: true })
  const packages = await fetchDebianClosure(PACKAGES, path.join(CLIENTS_DIR, 'root'))
  const root = path.join(CLIENTS_DIR, 'root')
  keepLinksInside(root)
  writeWrappers(root)
  say('compiling their Python ...')
  const python = path.join(CLIENTS_DIR, 'bin/python3')
  // A few files are of another Python and cannot be compiled: nobody loads them.
  run(python, ['-m', 'compileall', '-q', '-j', '0', ...pythonFolders(root)])
  for (const name of PROGRAMS) mustRun(name)
  fs.writeFileSync(MARKER, `${JSON.stringify({ format: FORMAT, packages }, null, 2)}\n`)
}

/** Why this machine cannot have them, or undefined. */
function whyNot() {
  if (process.platform !== 'linux') return `they are packages of Debian, and this is ${process.platform}`
  if (!hasApt()) return 'apt-get and dpkg-deb are not there; they come as packages of Debian 12'
  const { bavail, bsize } = fs.statfsSync(toolsDir)
  if (bavail * bsize >= NEEDED_BYTES) return undefined
  return `${toolsDir} has ${Math.round((bavail * bsize) / 1e6)} MB left, and they need ${NEEDED_BYTES / 1e6} MB`
}

/** Packages link to absolute paths of an installed system, which must not be the machine's here. Follows no link. */
function keepLinksInside(root, folder = root) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name)
    if (entry.isDirectory()) keepLinksInside(root, file)
    if (!entry.isSymbolicLink()) continue
    const target = fs.readlinkSync(file)
    if (!target.startsWith('/')) continue
    fs.rmSync(file)
    fs.symlinkSync(path.relative(folder, path.join(root, target)), file)
  }
}

/** A program in `bin` for Python itself and for every Python program of the packages. */
function writeWrappers(root) {
  const bin = path.join(CLIENTS_DIR, 'bin')
  fs.mkdirSync(bin)
  writeProgram(path.join(bin, 'python3'), pythonWrapper(root))
  const from = path.join(root, 'usr/bin')
  for (const name of fs.readdirSync(from).filter((it) => isPythonProgram(path.join(from, it)))) {
    writeProgram(
      path.join(bin, name),
      `${HERE}\nexec "$here/bin/python3" "$here/root/usr/bin/${name}" "$@"\n`,
    )
  }
}

const HERE = '#!/bin/sh\nhere=$(cd "${0%/*}/.." && pwd)'

/**
 * The packages' own loader finds the packages' own libraries: nothing of another C library gets in, and no environment
 * variable about libraries reaches the programs that Python starts.
 */
function pythonWrapper(root) {
  const libraries = librariesOf(root)
  const loader = fs.readdirSync(path.join(root, libraries)).find((it) => /^ld-linux.*\.so\.\d+$/.test(it))
  const python = fs.readlinkSync(path.join(root, 'usr/bin/python3'))
  if (!loader) throw new SetupError(`no loader in ${libraries}`)
  return `${HERE}
root=$here/root
unset PYTHONPATH PYTHONSTARTUP LD_LIBRARY_PATH LD_PRELOAD
export PYTHONHOME="$root/usr" PYTHONNOUSERSITE=1 PYTHONDONTWRITEBYTECODE=1 PYTHONTZPATH="$root/usr/share/zoneinfo"
export SASL_PATH="$root/usr/${libraries}/sasl2" OPENSSL_CONF="$root/etc/ssl/openssl.cnf"
exec "$root/${libraries}/${loader}" --library-path "$root/${libraries}:$root/usr/${libraries}" \\
  "$root/usr/bin/${python}" "$@"
`
}

/** `lib/x86_64-linux-gnu`. */
function librariesOf(root) {
  const name = fs.readdirSync(path.join(root, 'lib')).find((it) => it.endsWith('-linux-gnu'))
  if (!name) throw new SetupError('the packages brought no C library')
  return path.join('lib', name)
}

function isPythonProgram(file) {
  if (!fs.statSync(file, { throwIfNoEntry: false })?.isFile()) return false
  const first = Buffer.alloc(64)
  const fd = fs.openSync(file, 'r')
  fs.readSync(fd, first)
  fs.closeSync(fd)
  return /^#! ?\/usr\/bin\/python3\b/.test(first.toString('latin1'))
}

function writeProgram(file, text) {
  fs.writeFileSync(file, text, { mode: 0o755 })
}

function pythonFolders(root) {
  return ['usr/lib/python3', `usr/lib/${fs.readlinkSync(path.join(root, 'usr/bin/python3'))}`].map((it) =>
    path.join(root, it),
  )
}

function mustRun(name) {
  const result = run(path.join(CLIENTS_DIR, 'bin', name), ['--help'], { timeout: 120_000 })
  if (result.status !== 0) {
    throw new SetupError(`${name} of the Debian packages does not run:\n${result.stderr}${result.stdout}`)
  }
}
