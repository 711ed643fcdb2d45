// Whole applications, and the log.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  Application, createStore, loadApplication, openStore, parseApplication, parseFunction, setLog, UnumError,
} from 'unum-workflows';
import { openScratch, repository, scratch } from './support.mjs';

/// An application of one function.
function write(directory, source, runtime = 'nodejs20.x') {
  fs.mkdirSync(path.join(directory, 'f'), { recursive: true });
  fs.writeFileSync(path.join(directory, 'unum-template.yaml'), 'Globals: {ApplicationName: small}\nFunctions:\n' +
    `  F: {Properties: {CodeUri: f/, Runtime: ${runtime}, Handler: index.handler, Start: true}}\n`);
  fs.writeFileSync(path.join(directory, 'f', 'unum_config.json'), '{"Name": "F"}');
  fs.writeFileSync(path.join(directory, 'f', 'index.mjs'), source);
  return directory;
}

test('an application runs to its result, and is continued without running its code again', async (t) => {
  const directory = write(scratch(t),
    "export const handler = async (n) => { console.log('a line'); return n + 1; };\n");
  const application = loadApplication(directory);
  assert.deepEqual([application.name, application.entry], ['small', 'F']);
  assert.ok(Array.isArray(application.findings));
  assert.deepEqual(application.functions().map((fn) => fn.name), ['F']);
  const name = path.join(scratch(t), 'store');
  await createStore('fs', name);
  const printed = [];
  const options = { input: 41, session: 'once', store: `fs:${name}`, onPrinted: (...line) => printed.push(line) };
  const run = await application.run(options);
  assert.deepEqual([run.status, run.session, run.result, run.instances, run.userCodeRuns, run.failures],
    ['succeeded', 'once', 42, 1, 1, []]);
  assert.deepEqual(printed, [['F', 'a line']]);
  assert.equal((await application.run(options)).userCodeRuns, 0);
  const store = await openStore('fs', name);
  assert.deepEqual(await store.listSessions(), ['once']);
  await store.close();
  application.free();
  application.free();
  await assert.rejects(application.run(), { kind: 'bug' });
});

test('a workflow that fails is a result with its failures; one whose signal aborts is interrupted', async (t) => {
  const directory = write(scratch(t), 'export const handler = async (event) => {\n' +
    "  if (event.hang) { console.log('hangs'); await new Promise(() => setInterval(() => {}, 1000)); }\n" +
    "  throw new RangeError('no');\n};\n");
  const application = loadApplication(directory);
  const failed = await application.run();
  assert.equal(failed.status, 'failed');
  assert.equal('result' in failed, false);
  assert.deepEqual(failed.failures.map(({ instance, error }) => [instance, error]), [['F', 'RangeError']]);
  const controller = new AbortController();
  const interrupted = await application.run({ input: { hang: true }, signal: controller.signal,
    onPrinted: () => controller.abort() });
  assert.equal(interrupted.status, 'interrupted');
});

test('workers get the environment as it is when they start', async (t) => {
  const application = loadApplication(write(scratch(t), 'export const handler = async () =>\n' +
    '  [process.env.PATH, process.env.UNUM_NODE_TEST];\n'));
  for (let round = 0; round < 100; ++round) process.env[`UNUM_NODE_TEST_${round}`] = 'x'.repeat(round);
  process.env.UNUM_NODE_TEST = 'a variable';
  t.after(() => { delete process.env.UNUM_NODE_TEST; });
  assert.deepEqual((await application.run()).result, [process.env.PATH, 'a variable']);
});

test('an application that is refused says why', async (t) => {
  const directory = scratch(t);
  fs.writeFileSync(path.join(directory, 'unum-template.yaml'),
    'Globals: {ApplicationName: broken}\nFunctions:\n  F: {Properties: {CodeUri: no/}}\n');
  assert.throws(() => loadApplication(directory), (error) => {
    assert.ok(error instanceof UnumError);
    assert.deepEqual([error.kind, error.code], ['invalid', 'Unum.Refused']);
    assert.ok(error.findings.some((found) => found.severity === 'error' && found.file === 'unum-template.yaml'));
    return true;
  });
  assert.throws(() => loadApplication(path.join(directory, 'nowhere')), { kind: 'invalid' });
  assert.throws(() => new Application(), TypeError);
});

const sums = {
  Map: { Name: 'Map', Start: true, Next: { Name: 'Branch', InputType: 'Map' } },
  Branch: JSON.stringify({ Name: 'Branch', Next: { Name: 'Sum',
    InputType: { 'Fan-in': { Values: ['Branch-unumIndex-*'] } }, 'Payload Modifiers': ['Pop'] } }),
  Sum: Buffer.from('{"Name": "Sum"}'),
};
const template = JSON.stringify({
  Globals: { ApplicationName: 'sums' },
  Functions: Object.fromEntries(Object.keys(sums).map((name) =>
    [name, { Properties: { CodeUri: `${name}/`, Runtime: 'nodejs20.x', Start: name === 'Map' } }])),
});

test("an application in memory runs by the program's own code in a store that is open", async (t) => {
  const store = await openScratch(t);
  const application = parseApplication(template, sums);
  for (const fn of application.functions()) {
    assert.equal(JSON.parse(fn.configuration).Name, fn.name);
    assert.equal(parseFunction(fn.configuration).configuration, fn.configuration);
  }
  const code = {
    Map: (list) => list,
    Branch: async (number, call) => {
      assert.equal(call.function, 'Branch');
      await createStore('memory', 'branches');
      return 2 * number;
    },
    Sum: (numbers) => numbers.reduce((sum, number) => sum + number, 0),
  };
  const input = Array.from({ length: 100 }, (_, i) => i);
  const run = await application.run({ input, openStore: store, code });
  assert.deepEqual([run.status, run.result, run.instances, run.userCodeRuns], ['succeeded', 9900, 102, 102]);
  assert.deepEqual(await store.listSessions(), [run.session]);
  const failing = { ...code, Sum: () => { throw new RangeError('no'); } };
  const failed = await application.run({ input, openStore: store, code: failing });
  assert.deepEqual(failed.failures.map(({ instance, error }) => [instance, error]), [['Sum', 'RangeError']]);
  await assert.rejects(application.run({ code: { Map: 7 } }), TypeError);
  await assert.rejects(application.run({ openStore: 'memory:x', code }), TypeError);
  await store.close();
  await assert.rejects(application.run({ input, openStore: store, code }), { kind: 'bug' });
});

test('an application in memory that lacks a configuration is refused', () => {
  assert.throws(() => parseApplication(template, { Map: sums.Map }), (error) => {
    assert.deepEqual([error.kind, error.code], ['invalid', 'Unum.Refused']);
    return error.findings.some((found) => found.severity === 'error');
  });
  assert.throws(() => parseApplication(7, sums), TypeError);
});

test('the functions of an example are linked and named', () => {
  const application = loadApplication(path.join(repository, 'examples', 'word-count'));
  const names = application.functions().map((fn) => fn.name);
  assert.deepEqual(names, [...names].sort());
  assert.ok(names.includes(application.entry));
});

test('the log goes where it is told, until it is told otherwise', async (t) => {
  assert.throws(() => setLog('loud'), { kind: 'invalid' });
  assert.throws(() => setLog('info', 'a file'), TypeError);
  assert.throws(() => setLog(7), TypeError);
  const name = path.join(scratch(t), 'store');
  await createStore('fs', name);
  const first = await new Promise((resolve, reject) => {
    setLog('trace', resolve);
    openStore('fs', name).then((store) => store.close()).catch(reject);
    // Events keep no process alive.
    t.after(() => clearInterval(alive));
    const alive = setInterval(() => {}, 1000);
  });
  assert.deepEqual(Object.keys(first), ['level', 'area', 'session', 'instance', 'line']);
  assert.match(first.level, /^(trace|debug|info|warn|error)$/);
  setLog('off');
});
