// The packages: laid out, packed, and installed offline into an empty project.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { version } from 'unum-workflows';
import { build } from '../build.mjs';
import { packageDirectory, repository, runNode, scratch } from './support.mjs';

const manifest = JSON.parse(fs.readFileSync(path.join(packageDirectory, 'package.json'), 'utf8'));

test("the package has the project's version and licence, and so have its platforms'", () => {
  const project = fs.readFileSync(path.join(repository, 'meson.build'), 'utf8');
  assert.equal(manifest.version, /^ *version: '([^']+)'/m.exec(project)[1]);
  assert.equal(manifest.version, version);
  assert.equal(manifest.license, 'Apache-2.0');
  for (const wanted of Object.values(manifest.optionalDependencies)) assert.equal(wanted, manifest.version);
});

test('everything that is exported has its type', () => {
  const types = fs.readFileSync(path.join(packageDirectory, 'index.d.ts'), 'utf8');
  const names = /export const \{([^}]*)\}/.exec(fs.readFileSync(path.join(packageDirectory, 'index.mjs'), 'utf8'))[1];
  for (const name of names.split(',').map((part) => part.trim()).filter(Boolean)) {
    assert.match(types, new RegExp(`^export (const|class|function) ${name}\\b`, 'm'));
  }
});

test('the addon builds without uv.h, and without a warning', (t) => {
  const previous = process.env.CFLAGS;
  t.after(() => {
    if (previous === undefined) delete process.env.CFLAGS;
    else process.env.CFLAGS = previous;
  });
  process.env.CFLAGS = '-O0 -Werror -DUNUM_NODE_WITHOUT_UV_H';
  const addon = build({ out: scratch(t) });
  const loaded = execFileSync(process.execPath, ['-p', "require('unum-workflows').loopBackend()"],
    { cwd: packageDirectory, env: { ...process.env, UNUM_NODE_ADDON: addon }, encoding: 'utf8' });
  assert.match(loaded, /io_uring|epoll/);
});

test('the packs install offline into an empty project, for import and for require', async (t) => {
  const directory = scratch(t);
  const flags = ['--offline', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = (cwd, ...args) => execFileSync('npm', [...args, ...flags], {
    cwd, encoding: 'utf8', env: { ...process.env, npm_config_cache: path.join(directory, 'cache') },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const layout = path.join(directory, 'layout');
  const laidOut = execFileSync(process.execPath, [path.join(packageDirectory, 'platform-package.mjs'), '--library',
    process.env.UNUM_LIBRARY, '--addon', process.env.UNUM_NODE_ADDON, '--out', layout], { encoding: 'utf8' }).trim();
  const packs = [packageDirectory, laidOut].map((source) => {
    const [{ filename, files }] = JSON.parse(npm(directory, 'pack', source, '--json', '--pack-destination', directory));
    return { file: path.join(directory, filename), names: files.map((file) => file.path) };
  });
  for (const name of ['index.cjs', 'index.mjs', 'index.d.ts', 'lib/native.cjs', 'src/addon.c', 'README.md']) {
    assert.ok(packs[0].names.includes(name), `${name} is not in the pack`);
  }
  assert.ok(!packs[0].names.some((name) => /\.node$|^test\//.test(name)), packs[0].names.join(' '));
  const project = path.join(directory, 'project');
  fs.mkdirSync(project);
  fs.writeFileSync(path.join(project, 'package.json'), '{"name": "empty", "private": true}\n');
  npm(project, 'install', ...packs.map(({ file }) => file));
  // Only what the packages hold: no path that leads to the build.
  const env = { ...process.env };
  delete env.LD_LIBRARY_PATH;
  delete env.UNUM_NODE_ADDON;
  const program = (first) => `${first}
    (async () => {
      await unum.createStore('fs', process.argv[1]);
      const store = await unum.openStore('fs', process.argv[1]);
      const session = store.createSessionContext();
      console.log(await store.writeReturnValue({ session, instance: 'F' }, '1'));
    })();`;
  const imported = await runNode(program("import * as unum from 'unum-workflows';"),
    { cwd: project, env, args: [path.join(directory, 'a')] });
  assert.deepEqual([imported.stderr, imported.stdout], ['', '{ written: true }\n']);
  const required = await runNode(program("import { createRequire } from 'node:module';\n" +
    "const unum = createRequire(process.cwd() + '/')('unum-workflows');"),
  { cwd: project, env, args: [path.join(directory, 'b')] });
  assert.deepEqual([required.stderr, required.stdout], ['', '{ written: true }\n']);
});

test('a project without its platform says which package is missing', async () => {
  const env = { ...process.env, UNUM_NODE_ADDON: '/nowhere.node' };
  const result = await runNode("import 'unum-workflows';", { env });
  assert.equal(result.code, 1);
  assert.match(result.stderr, /nowhere\.node/);
});
