// The loop in its process: what keeps it alive, how it ends, workers, a server beside it, signals, garbage.
import assert from 'node:assert/strict';
import http from 'node:http';
import { createRequire } from 'node:module';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as unum from 'unum-workflows';
import { runWorkflow } from '../examples/fan_in_1000.mjs';
import { branches, openScratch, runNode, scratch } from './support.mjs';

/// Never answers, so that what waits for it is in flight for certain.
async function silentServer(t) {
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { server, address: `127.0.0.1:${server.address().port}` };
}

const endedWell = (result, stdout) => {
  assert.deepEqual([result.code, result.signal, result.stderr, result.stdout], [0, null, '', stdout]);
};

test('import and require give the same classes, and the loop says how it runs', () => {
  const required = createRequire(import.meta.url)('unum-workflows');
  assert.deepEqual(Object.keys(required).sort(), Object.keys(unum).sort());
  for (const name of Object.keys(required)) assert.equal(required[name], unum[name]);
  const wanted = { uring: /^io_uring/, epoll: /^epoll/ }[process.env.UNUM_REACTOR] || /^(io_uring|epoll)/;
  assert.match(unum.loopBackend(), wanted);
  assert.throws(() => unum.configureLoop({ backend: 'epoll' }), { kind: 'bug', code: 'Unum.LoopRuns' });
  assert.throws(() => unum.configureLoop({ backend: 'kqueue' }), TypeError);
});

test('a loop is configured before its first use', async () => {
  endedWell(await runNode(`
    import { configureLoop, loopBackend } from 'unum-workflows';
    configureLoop({ backend: 'epoll', helperThreadsMax: 1 });
    console.log(loopBackend().slice(0, 5));`), 'epoll\n');
});

test('an open store keeps no process alive; what runs on it does', async (t) => {
  endedWell(await runNode(`
    import { createStore, openStore } from 'unum-workflows';
    const name = process.argv[1];
    await createStore('fs', name);
    const store = await openStore('fs', name);
    const session = store.createSessionContext();
    process.once('beforeExit', () => {
      store.writeReturnValue({ session, instance: 'F' }, '1').then(({ written }) => console.log('written', written));
    });`, { args: [path.join(scratch(t), 'store')] }), 'written true\n');
});

test('a process that exits with calls in flight just exits', async (t) => {
  const { address } = await silentServer(t);
  const begun = `
    import { createStore, openStore } from 'unum-workflows';
    const [directory, address] = process.argv.slice(1);
    await createStore('fs', directory);
    const store = await openStore('fs', directory);
    const session = store.createSessionContext();
    for (let i = 0; i < 100; ++i) store.writeReturnValue({ session, instance: 'F-unumIndex-' + i }, 'x'.repeat(10000));
    openStore('redis', address);`;
  const args = (name) => ({ args: [path.join(scratch(t), name), address] });
  const exits = await runNode(`${begun} setImmediate(() => process.exit(7));`, args('a'));
  assert.deepEqual([exits.code, exits.signal, exits.stderr], [7, null, '']);
  const throws = await runNode(`${begun} setImmediate(() => { throw new RangeError('of its own'); });`, args('b'));
  assert.deepEqual([throws.code, throws.signal], [1, null]);
  assert.match(throws.stderr, /RangeError: of its own/);
});

test('Ctrl-C ends a process that waits for a store', async (t) => {
  const { server, address } = await silentServer(t);
  const connected = new Promise((resolve) => { server.once('connection', resolve); });
  const result = await runNode(`
    import { openStore } from 'unum-workflows';
    console.log('begins');
    await openStore('redis', process.argv[1]);`, {
    args: [address], whenPrinted: (line, child) => { connected.then(() => child.kill('SIGINT')); } });
  assert.deepEqual([result.code, result.signal], [null, 'SIGINT']);
});

test('an unhandled rejection, and a listener that throws, end the process with their texts', async (t) => {
  const rejected = await runNode("import { openStore } from 'unum-workflows'; openStore('fs', process.argv[1]);",
    { args: [path.join(scratch(t), 'none')] });
  assert.equal(rejected.code, 1);
  assert.match(rejected.stderr, /UnumError/);
  const thrown = await runNode(`
    import { setLog, loopBackend } from 'unum-workflows';
    setLog('info', () => { throw new EvalError('mine'); });
    loopBackend();
    setInterval(() => {}, 1000);`);
  assert.deepEqual([thrown.code, thrown.signal], [1, null]);
  assert.match(thrown.stderr, /EvalError: mine/);
});

test('an HTTP server answers from a store, and goes on while a workflow runs', async (t) => {
  const store = await openScratch(t, 'fs', { durable: false });
  const server = http.createServer(async (request, response) => {
    const url = new URL(request.url, 'http://localhost');
    const context = { session: 'http', instance: url.pathname.slice(1) };
    if (request.method === 'POST') {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const { written } = await store.writeReturnValue(context, Buffer.concat(chunks));
      response.writeHead(written ? 201 : 409).end();
    } else {
      const value = await store.get(context.session, context.instance, 'outcome', { as: 'buffer' });
      response.writeHead(value === undefined ? 404 : 200).end(value);
    }
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.after(() => server.close());
  const base = `http://127.0.0.1:${server.address().port}`;
  const workflow = runWorkflow(store, 300);
  const post = (name, body) => fetch(`${base}/${name}`, { method: 'POST', body });
  const statuses = await Promise.all(branches(50).map(async (name) => {
    const first = await post(name, name);
    const second = await post(name, 'again');
    const read = await fetch(`${base}/${name}`);
    return [first.status, second.status, await read.text()];
  }));
  assert.deepEqual(statuses, branches(50).map((name) => [201, 409, name]));
  assert.equal((await fetch(`${base}/missing`)).status, 404);
  assert.equal(await workflow, 8955050);
});

const inWorker = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { createStore, openStore, setLog } = require('unum-workflows');
  (async () => {
    await createStore('fs', workerData.name);
    const store = await openStore('fs', workerData.name);
    const session = workerData.session;
    const instance = 'F-unumIndex-' + workerData.place;
    const { written } = await store.writeReturnValue({ session, instance }, instance);
    if (workerData.logs) setLog('off', () => {});
    parentPort.postMessage(written);
    if (workerData.address) await openStore('redis', workerData.address);
  })();`;

/// A worker; resolves with its first message or its error.
function startWorker(workerData) {
  const worker = new Worker(inWorker, { eval: true, workerData });
  const exited = new Promise((resolve) => { worker.once('exit', resolve); });
  const said = new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  return { worker, said, exited };
}

test('workers each have a loop of their own, and end by themselves', async (t) => {
  const store = await openScratch(t, 'fs');
  const session = store.createSessionContext();
  const workers = [0, 1, 2, 3].map((place) => startWorker({ name: store.name, session, place, logs: true }));
  assert.deepEqual(await Promise.all(workers.map(({ said }) => said)), [true, true, true, true]);
  assert.deepEqual(await Promise.all(workers.map(({ exited }) => exited)), [0, 0, 0, 0]);
  assert.deepEqual(await store.readInput(session, branches(4)), branches(4));
});

test('a worker that is terminated with calls in flight is gone, and the others go on', async (t) => {
  const { server, address } = await silentServer(t);
  const store = await openScratch(t, 'fs');
  const session = store.createSessionContext();
  for (let place = 0; place < 4; ++place) {
    const connected = new Promise((resolve) => { server.once('connection', resolve); });
    const { worker, said, exited } = startWorker({ name: store.name, session, place, address });
    await said;
    const socket = await connected;
    const closed = new Promise((resolve) => { socket.once('close', resolve); });
    socket.resume();
    await worker.terminate();
    assert.equal(await exited, 1);
    await closed;
    assert.equal(await store.checkValueExist(session, `F-unumIndex-${place}`), true);
  }
});

test("another thread's store is refused there", async (t) => {
  const store = await openScratch(t);
  assert.throws(() => structuredClone(unum.openStore), /could not be cloned/);
  const copied = structuredClone(store);
  assert.equal(copied.createSessionContext, undefined);
});

test('what nobody holds is freed, and what runs is held by it', async (t) => {
  endedWell(await runNode(`
    import fs from 'node:fs';
    import { createStore, entryPayload, openStore, parseFunction, Runtime } from 'unum-workflows';
    const name = process.argv[1];
    await createStore('fs', name);
    const collect = async () => {
      for (let round = 0; round < 3; ++round) {
        globalThis.gc();
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    async function use() {
      const store = await openStore('fs', name);
      const session = store.createSessionContext();
      const write = store.writeReturnValue({ session, instance: 'F' }, '1');
      const runtime = new Runtime(store, { invoke() {} });
      const step = runtime.step(parseFunction({ Name: 'F', Start: true }), entryPayload(1), async (n) => {
        await collect();
        return n + 1;
      });
      return { work: Promise.all([write, step]), seen: new WeakRef(store) };
    }
    const held = await use();
    await collect();
    const [{ written }, { result }] = await held.work;
    for (let round = 0; round < 20; ++round) await (await use()).work;
    for (let round = 0; held.seen.deref() !== undefined && round < 50; ++round) await collect();
    console.log(written, result, held.seen.deref());`,
  { args: [path.join(scratch(t), 'store')], nodeArgs: ['--expose-gc'] }), 'true 2 undefined\n');
});
