// What the tests share: stores of each type, and places that are removed.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createStore, openStore } from 'unum-workflows';

export const packageDirectory = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
export const repository = path.join(packageDirectory, '..', '..');

/// A directory until the test ends.
export function scratch(t) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'unum-node-'));
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

let memories = 0;

export const storeTypes = ['fs', 'memory', ...(process.env.UNUM_TEST_REDIS ? ['redis'] : [])];

/// An open store that is closed when the test ends.
export async function openScratch(t, type = 'memory', options = {}) {
  const names = {
    fs: () => path.join(scratch(t), 'store'),
    memory: () => `node-test-${process.pid}-${++memories}`,
    redis: () => process.env.UNUM_TEST_REDIS,
  };
  const name = names[type]();
  await createStore(type, name);
  const store = await openStore(type, name, options);
  t.after(() => store.close().catch(() => {}));
  return store;
}

export function branches(count) {
  return Array.from({ length: count }, (_, i) => `F-unumIndex-${i}`);
}

/// Runs a program in a node of its own. `whenPrinted(line, child)` is called for each line.
export function runNode(program, options = {}) {
  const { args = [], cwd = packageDirectory, whenPrinted = () => {}, nodeArgs = [], env } = options;
  const child = spawn(process.execPath, [...nodeArgs, '--input-type=module', '-e', program, '--', ...args],
    { cwd, env: env || process.env, stdio: ['ignore', 'pipe', 'pipe'] });
  return ended(child, whenPrinted);
}

export function ended(child, whenPrinted = () => {}) {
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    let told = 0;
    child.stdout.on('data', (data) => {
      stdout += data;
      const lines = stdout.split('\n');
      for (; told < lines.length - 1; ++told) whenPrinted(lines[told], child);
    });
    child.stderr.on('data', (data) => { stderr += data; });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}
