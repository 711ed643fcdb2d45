// Stores: the five calls, streams, items, fan-ins, errors, cancelling; on each type of store.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createStore, openStore, Store, UnumError } from 'unum-workflows';
import { branches, openScratch, scratch, storeTypes } from './support.mjs';

const ofKind = (kind, code) => (error) => {
  assert.ok(error instanceof UnumError && error instanceof Error, String(error));
  assert.equal(error.kind, kind, String(error));
  if (code !== undefined) assert.equal(error.code, code);
  return true;
};

for (const type of storeTypes) {
  describe(`on ${type}`, () => {
    test('the five calls do what they do in C', async (t) => {
      const store = await openScratch(t, type);
      assert.equal(store.type, type);
      const session = store.createSessionContext();
      assert.match(session, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      const names = branches(100);
      assert.equal(await store.checkValuesExist(session, names), false);
      await assert.rejects(store.readInput(session, names.slice(0, 2)), (error) => {
        assert.match(error.message, /F-unumIndex-1/);
        assert.equal(error.origin, 'stores');
        assert.equal(error.delivery, 'final');
        return ofKind('not_found', 'Unum.MissingInput')(error);
      });
      const written = await Promise.all(names.map((instance) =>
        store.writeReturnValue({ session, instance }, `"of ${instance}"`)));
      assert.deepEqual(written[7], { written: true });
      assert.deepEqual(await store.writeReturnValue({ session, instance: names[3] }, '2'),
        { written: false, stored: '"of F-unumIndex-3"' });
      const [one, all, values] = await Promise.all([store.checkValueExist(session, names[99]),
        store.checkValuesExist(session, new Set(names)), store.readInput(session, names)]);
      assert.deepEqual([one, all], [true, true]);
      assert.deepEqual(values, names.map((name) => `"of ${name}"`));
    });

    test('values are text of any length, or bytes', async (t) => {
      const store = await openScratch(t, type);
      const session = store.createSessionContext();
      const bytes = Buffer.from([0, 255, 254, 0, 128]);
      const texts = ['', 'ü€𝄞\0x', 'x'.repeat(251), 'x'.repeat(252), 'ü'.repeat(127), 'y'.repeat(300_000)];
      for (const [i, text] of texts.entries()) {
        const instance = `F-unumIndex-${i}`;
        await store.writeReturnValue({ session, instance }, text);
        assert.deepEqual(await store.readInput(session, [instance]), [text]);
      }
      await store.writeReturnValue({ session, instance: 'G' }, new Uint8Array(bytes));
      assert.deepEqual(await store.readInput(session, ['G'], { as: 'buffer' }), [bytes]);
      assert.deepEqual(await store.writeReturnValue({ session, instance: 'G' }, 'other', { as: 'buffer' }),
        { written: false, stored: bytes });
    });

    test('a stream gives the values in order, holds two windows, and ends where its consumer wants', async (t) => {
      const store = await openScratch(t, type);
      const session = store.createSessionContext();
      const names = branches(200);
      await Promise.all(names.map((instance) => store.writeReturnValue({ session, instance }, instance)));
      const read = [];
      for await (const value of store.readInputStream(session, names)) read.push(value);
      assert.deepEqual(read, names);
      const part = [];
      for await (const value of store.readInputStream(session, names, { window: 7, as: 'buffer' })) {
        part.push(value.toString());
        if (part.length === 70) break;
      }
      assert.deepEqual(part, names.slice(0, 70));
      const none = [];
      for await (const value of store.readInputStream(session, [])) none.push(value);
      assert.deepEqual(none, []);
      await assert.rejects(async () => {
        for await (const value of store.readInputStream(session, [...names, 'missing'])) none.push(value);
      }, ofKind('not_found'));
      const controller = new AbortController();
      await assert.rejects(async () => {
        for await (const value of store.readInputStream(session, names, { window: 1, signal: controller.signal })) {
          none.push(value);
          controller.abort(new Error('enough'));
        }
      }, ofKind('cancelled'));
    });

    test('items are created, read, written, listed and removed', async (t) => {
      const store = await openScratch(t, type);
      const session = store.createSessionContext();
      assert.equal(await store.get(session, 'F', 'report'), undefined);
      assert.deepEqual(await store.createItem(session, 'F', 'input', ''), { written: true });
      await store.put(session, 'F', 'report', '012345');
      assert.equal(await store.get(session, 'F', 'input'), '');
      assert.equal(await store.getRange(session, 'F', 'report', 2, 3), '234');
      const items = await store.list(session);
      assert.deepEqual(items.map(({ name, kind, bytes }) => [name, kind, bytes]).sort(),
        [['F', 'input', 0], ['F', 'report', 6]]);
      assert.equal(typeof items[0].modifiedNs, 'bigint');
      assert.ok((await store.listSessions()).includes(session));
      await store.remove(session, 'F', 'input');
      await store.remove(session, 'F', 'input');
      assert.equal(await store.get(session, 'F', 'input'), undefined);
    });

    test('of the contributors to a fan-in one claims it', async (t) => {
      const store = await openScratch(t, type);
      const session = store.createSessionContext();
      const instances = branches(3);
      const states = [];
      for (const instance of instances) {
        const { written, fanIns } = await store.commit({ session, instance }, '1', [{ aggregator: 'Sum', instances }]);
        assert.equal(written, true);
        states.push(fanIns[0].status);
      }
      assert.deepEqual(states, ['incomplete', 'incomplete', 'claimed']);
      const context = { session, instance: instances[0] };
      assert.deepEqual(await store.commit(context, '2', [{ aggregator: 'Sum', instances }]),
        { written: false, stored: '1', fanIns: [] });
      const [taken] = await store.join(context, [{ aggregator: 'Sum', instances }]);
      assert.equal(taken.status, 'taken');
      const [mismatch] = await store.join(context, [{ aggregator: 'Sum', instances: [instances[0]] }]);
      assert.equal(mismatch.status, 'mismatch');
      assert.notEqual(mismatch.detail, '');
      await assert.rejects(store.join({ session, instance: 'X' }, [{ aggregator: 'Sum', instances }]),
        ofKind('invalid'));
    });
  });
}

test('a store is opened if it exists, and created once', async (t) => {
  const directory = scratch(t);
  await assert.rejects(openStore('fs', `${directory}/store`), ofKind('not_found'));
  assert.equal(await createStore('fs', `${directory}/store`), true);
  assert.equal(await createStore('fs', `${directory}/store`), false);
  const store = await openStore('fs', `${directory}/store`, { durable: false, inFlightMax: 8, patienceMs: 1000 });
  assert.equal(store.name, `${directory}/store`);
  await store.close();
  await assert.rejects(openStore('cloud', 'x'), ofKind('invalid'));
});

test('a closed store is a bug, also twice, and what ran on it is cancelled', async (t) => {
  const store = await openScratch(t);
  const closed = store.close();
  await assert.rejects(store.listSessions(), ofKind('bug', 'Unum.StaleHandle'));
  await assert.rejects(store.close(), ofKind('bug'));
  assert.throws(() => store.createSessionContext(), ofKind('bug'));
  await closed;
});

test('what has the wrong type is a TypeError that names it, as a rejection', async (t) => {
  const store = await openScratch(t);
  const wrong = (pattern) => ({ code: /^ERR_/, message: pattern });
  await assert.rejects(store.readInput(1, ['a']), wrong(/session must be/));
  await assert.rejects(store.readInput('s', 'abc'), wrong(/instances must be/));
  await assert.rejects(store.readInput('s', ['a', Symbol('b')]), wrong(/instances must be/));
  await assert.rejects(store.readInput('s', ['a'], { as: 'blob' }), wrong(/as must be/));
  await assert.rejects(store.writeReturnValue({ session: 's', instance: 'i' }, { not: 'text' }), wrong(/value must be/));
  await assert.rejects(store.commit({ session: 's', instance: 'i' }, undefined, []), wrong(/value must be/));
  await assert.rejects(store.get('s', 'a', 'letter'), wrong(/kind must be one of outcome/));
  await assert.rejects(store.list('s', { timeoutMs: -1 }), wrong(/timeoutMs must be/));
  await assert.rejects(store.list('s', { signal: 'stop' }), wrong(/AbortSignal/));
  await assert.rejects(store.writeReturnValue(undefined, 'x'), TypeError);
  await assert.rejects(store.readInput('', ['a']), ofKind('invalid'));
  assert.throws(() => new Store(), TypeError);
  assert.throws(() => Store.prototype.createSessionContext.call({}), TypeError);
});

test('a signal cancels a call before it begins, while it runs, and never after', async (t) => {
  const store = await openScratch(t, 'fs');
  const session = store.createSessionContext();
  const reason = new Error('the user left');
  await assert.rejects(store.listSessions({ signal: AbortSignal.abort(reason) }), (error) => {
    assert.equal(error.cause, reason);
    return ofKind('cancelled')(error);
  });
  const controller = new AbortController();
  const reads = store.writeReturnValue({ session, instance: 'F' }, 'x'.repeat(1 << 20), { signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(reads, (error) => error.cause === reason && ofKind('cancelled')(error));
  const late = new AbortController();
  assert.deepEqual(await store.listSessions({ signal: late.signal }), await store.listSessions());
  late.abort();
});

test('a call whose time is up is rejected as that', async (t) => {
  const silent = (await import('node:net')).createServer(() => {});
  await new Promise((resolve) => { silent.listen(0, '127.0.0.1', resolve); });
  t.after(() => silent.close());
  const address = `127.0.0.1:${silent.address().port}`;
  await assert.rejects(openStore('redis', address, { timeoutMs: 50 }), ofKind('timeout'));
  const controller = new AbortController();
  const opened = openStore('redis', address, { signal: controller.signal });
  silent.once('connection', () => controller.abort());
  await assert.rejects(opened, ofKind('cancelled'));
});
