// Lays out this platform's package, as it would be published: the addon, and the library beside it.
//
//   node platform-package.mjs --library FILE [--include DIRECTORY] [--addon FILE] --out DIRECTORY
//
// The library is to be one that was built with -Dprefer_static=true, which needs no other than glibc's. --addon: one
// that was built before. Prints the package's directory.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    library: { type: 'string' }, include: { type: 'string' }, addon: { type: 'string' }, out: { type: 'string' },
  },
});
if (values.out === undefined || values.library === undefined) {
  console.error('usage: node platform-package.mjs --library FILE [--include DIRECTORY] [--addon FILE] --out DIRECTORY');
  process.exit(2);
}

const main = JSON.parse(fs.readFileSync(path.join(here, 'package.json'), 'utf8'));
const name = `unum-workflows-${process.platform}-${process.arch}`;
if (!(name in main.optionalDependencies)) {
  console.error(`package.json lists no optional dependency ${name}: this platform is not one that packages are made for`);
  process.exit(1);
}
const directory = path.join(values.out, name);
fs.mkdirSync(directory, { recursive: true });
const addon = path.join(directory, 'unum.node');
if (values.addon !== undefined) fs.copyFileSync(values.addon, addon);
else build({ library: values.library, include: values.include, out: directory });
fs.copyFileSync(values.library, path.join(directory, 'libunum.so.1'));
const { glibcVersionRuntime } = process.report.getReport().header;
fs.writeFileSync(path.join(directory, 'package.json'), `${JSON.stringify({
  name,
  version: main.version,
  description: `The addon and the library of unum-workflows for ${process.platform} on ${process.arch}`,
  license: main.license,
  os: [process.platform],
  cpu: [process.arch],
  libc: [glibcVersionRuntime === undefined ? 'musl' : 'glibc'],
  engines: main.engines,
  files: ['unum.node', 'libunum.so.1'],
}, null, 2)}\n`);
fs.writeFileSync(path.join(directory, 'README.md'), `# ${name}\n\nThe binary part of unum-workflows, which installs it ` +
  'where it fits.\n');
console.log(directory);
