// Builds the addon with one call of the C compiler.
//
//   node build.mjs [--library FILE] [--include DIRECTORY] [--out DIRECTORY]
//
// --library: libunum.so.1 (default: $UNUM_LIBRARY, else what the linker finds); --include: where unum.h is (default:
// the repository's, else what pkg-config says); --out: default build. $CC and $CFLAGS are heeded.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const here = path.dirname(fileURLToPath(import.meta.url));

/// The headers of the node that runs this, else the package's, which any node can do with.
function nodeHeaders() {
  const beside = path.join(path.dirname(process.execPath), '..', 'include', 'node');
  const found = [beside, '/usr/include/node'].find((place) => fs.existsSync(path.join(place, 'node_api.h')));
  if (found !== undefined) return found;
  try {
    return createRequire(import.meta.url)('node-api-headers').include_dir;
  } catch {
    throw new Error(`there is no node_api.h in ${beside} or /usr/include/node: install the headers of this node, or ` +
      'the package node-api-headers');
  }
}

function unumFlags(include, library) {
  const own = path.join(here, '..', '..', 'include');
  const place = include || (fs.existsSync(path.join(own, 'unum.h')) ? own : undefined);
  const flags = place === undefined
    ? execFileSync('pkg-config', ['--cflags', 'unum'], { encoding: 'utf8' }).trim().split(/\s+/).filter(Boolean)
    : [`-I${place}`];
  // The file itself, whatever it is called; what is recorded is its soname.
  return { flags, link: library ? [path.resolve(library)] : ['-lunum'] };
}

/// Returns the addon's path.
export function build({ include, library = process.env.UNUM_LIBRARY, out = path.join(here, 'build') } = {}) {
  const sources = fs.readdirSync(path.join(here, 'src')).filter((name) => name.endsWith('.c')).sort();
  const { flags, link } = unumFlags(include, library);
  const target = path.join(out, 'unum.node');
  fs.mkdirSync(out, { recursive: true });
  const own = (process.env.CFLAGS || '').split(/\s+/).filter(Boolean);
  execFileSync(process.env.CC || 'cc', [
    '-std=c11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-fPIC', '-fvisibility=hidden', '-shared', ...own, ...flags,
    `-I${nodeHeaders()}`, ...sources.map((name) => path.join(here, 'src', name)),
    // libunum lies beside it in the platform's package. It stays loaded when a worker that loaded it ends.
    '-Wl,-rpath,$ORIGIN', '-Wl,-z,nodelete', ...link, '-o', target,
  ], { stdio: 'inherit', env: { ...process.env, TMPDIR: process.env.TMPDIR || os.tmpdir() } });
  return target;
}

if (process.argv[1] && import.meta.url === pathToFileURL(fs.realpathSync(process.argv[1])).href) {
  const { values } = parseArgs({
    options: { include: { type: 'string' }, library: { type: 'string' }, out: { type: 'string' } },
  });
  console.log(build(values));
}
