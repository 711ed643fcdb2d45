// Steps: code and platform as async functions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CallLost, entryPayload, parseFunction, Runtime, UnumError, UnumFunction } from 'unum-workflows';
import { runWorkflow } from '../examples/fan_in_1000.mjs';
import { openScratch, storeTypes } from './support.mjs';

/// A runtime whose invocations are kept.
function keeper(store, options = {}) {
  const invocations = [];
  const runtime = new Runtime(store, { invoke: (invocation) => { invocations.push(invocation); }, ...options });
  return { runtime, invocations };
}

/// A deferred answer.
function later() {
  const answer = {};
  answer.promise = new Promise((resolve, reject) => Object.assign(answer, { resolve, reject }));
  return answer;
}

for (const type of storeTypes) {
  test(`a map over 1,000 elements fans in to its sum on ${type}`, async (t) => {
    const store = await openScratch(t, type, { durable: false });
    assert.equal(await runWorkflow(store, 1000), 332833500);
  });
}

test('a step says what it did, and what it invoked names its payload', async (t) => {
  const store = await openScratch(t);
  const { runtime, invocations } = keeper(store);
  const a = parseFunction({ Name: 'A', Start: true, Next: { Name: 'B', InputType: 'Scalar' } });
  const b = parseFunction('{"Name": "B"}', 'b.json');
  assert.equal(b.name, 'B');
  const payload = entryPayload({ n: 7 }, 's');
  let seen;
  const report = await runtime.step(a, Buffer.from(payload), async (input, call) => {
    seen = { input, ...call };
    return { n: input.n + 1 };
  });
  assert.equal(report.status, 'succeeded');
  assert.deepEqual([report.session, report.instance, report.invocations, report.userCodeRan, report.adopted],
    ['s', 'A', 1, true, false]);
  assert.deepEqual([seen.input, seen.function, seen.instance, seen.session, seen.attempt, seen.timeoutMs],
    [{ n: 7 }, 'A', 'A', 's', 1, 0]);
  assert.ok(seen.signal instanceof AbortSignal && !seen.signal.aborted);
  const [invocation] = invocations;
  assert.deepEqual([invocation.function, invocation.attempt, 'notBefore' in invocation], ['B', 1, false]);
  assert.deepEqual(b.identifyPayload(invocation.payload), { session: 's', instance: invocation.instance });
  const last = await runtime.step(b, invocation.payload, (input) => input);
  assert.deepEqual(last.result, { n: 8 });
  const again = await runtime.step(a, payload, () => assert.fail('it has a result'), { attempt: 2 });
  assert.deepEqual([again.adopted, again.userCodeRan], [true, false]);
});

test("an exception becomes a failure with the error's name and place, whatever was thrown", async (t) => {
  const store = await openScratch(t);
  const { runtime } = keeper(store);
  const fn = parseFunction({ Name: 'F', Start: true });
  class NoSuchCity extends Error {
    get name() { return 'NoSuchCity'; }
  }
  const hostile = { get name() { throw new Error('no name'); }, toString() { throw new Error('no text'); } };
  const cyclic = {};
  cyclic.self = cyclic;
  const cases = [
    [() => { throw new TypeError('no such value'); }, 'TypeError', /^no such value\n\s+at .*runtime\.test\.mjs/],
    [async () => { throw new NoSuchCity('Atlantis'); }, 'NoSuchCity', /^Atlantis/],
    [() => Promise.reject('a text'), 'Error', /^a text$/],
    [() => { throw undefined; }, 'Error', /without a text/],
    [() => { throw hostile; }, 'Error', /without a text/],
    [() => cyclic, 'Runtime.MarshalError', /not JSON/],
    [() => 7n, 'Runtime.MarshalError', /not JSON/],
  ];
  for (const [i, [code, error, cause]] of cases.entries()) {
    const report = await runtime.step(fn, entryPayload(1, `s${i}`), code);
    assert.deepEqual([report.status, report.error], ['failed', error]);
    assert.match(report.cause, cause);
  }
  const nothing = await runtime.step(fn, entryPayload(undefined, 'nothing'), (input) => assert.equal(input, null));
  assert.equal(nothing.result, null);
});

test('a call that is lost is delivered again, and given up in the end', async (t) => {
  const store = await openScratch(t);
  const { runtime } = keeper(store);
  const fn = parseFunction({ Name: 'F', Start: true });
  const payload = entryPayload(1, 's');
  await assert.rejects(runtime.step(fn, payload, () => { throw new CallLost('its process died'); }), (error) => {
    assert.ok(error instanceof UnumError);
    assert.deepEqual([error.kind, error.delivery], ['disconnected', 'bounded']);
    return true;
  });
  const report = await runtime.giveUp(fn, payload, { error: 'Crashed', cause: 'three times' }, { attempt: 3 });
  assert.deepEqual([report.status, report.error, report.cause], ['failed', 'Crashed', 'three times']);
});

test('an invocation that the platform refuses leaves the delivery to be made again', async (t) => {
  const store = await openScratch(t);
  const answers = [
    async () => { throw new Error('the queue is gone'); },
    () => { throw new UnumError('throttled', 'too many'); },
    async () => {},
  ];
  const runtime = new Runtime(store, { invoke: () => answers.shift()() });
  const fn = parseFunction({ Name: 'A', Start: true, Next: { Name: 'B', InputType: 'Scalar' } });
  const payload = entryPayload(7, 's');
  await assert.rejects(runtime.step(fn, payload, () => 7),
    { kind: 'disconnected', delivery: 'again', message: 'the queue is gone' });
  await assert.rejects(runtime.step(fn, payload, () => 7, { attempt: 2 }), { kind: 'throttled', message: 'too many' });
  assert.equal((await runtime.step(fn, payload, () => 7, { attempt: 3 })).adopted, true);
});

test('a call that nobody waits for any more is told, and answered all the same', async (t) => {
  const store = await openScratch(t);
  const { runtime } = keeper(store);
  const fn = parseFunction({ Name: 'Slow', Start: true, TimeoutSeconds: 1 });
  const controller = new AbortController();
  const told = later();
  const step = runtime.step(fn, entryPayload(7, 's'), (input, call) => {
    assert.equal(call.timeoutMs, 1000);
    controller.abort(new Error('shutting down'));
    return new Promise((resolve) => {
      call.signal.addEventListener('abort', () => {
        resolve('too late');
        told.resolve(call.signal.reason.kind);
      });
    });
  }, { signal: controller.signal });
  await assert.rejects(step, (error) => error.kind === 'cancelled' && error.cause.message === 'shutting down');
  assert.equal(await told.promise, 'cancelled');
  const slow = later();
  await assert.rejects(runtime.step(fn, entryPayload(7, 't'), () => slow.promise),
    { kind: 'timeout', code: 'States.Timeout', delivery: 'bounded' });
  slow.resolve(1);
  await slow.promise;
});

test('freed in any order, a runtime ends its steps and refuses others', async (t) => {
  const store = await openScratch(t);
  const { runtime, invocations } = keeper(store);
  const fn = parseFunction({ Name: 'A', Start: true, Next: { Name: 'B', InputType: 'Scalar' } });
  const payload = entryPayload(7, 's');
  const step = runtime.step(fn, payload, async () => {
    runtime.free();
    fn.free();
    return 7;
  });
  assert.equal((await step).status, 'succeeded');
  assert.equal(invocations.length, 1);
  runtime.free();
  fn.free();
  await assert.rejects(runtime.step(fn, payload, () => 7), { kind: 'bug', code: 'Unum.StaleHandle' });
  assert.throws(() => fn.identifyPayload(payload), { kind: 'bug' });
});

test('a store that is closed while its code runs ends the step', async (t) => {
  const store = await openScratch(t);
  const { runtime } = keeper(store);
  const fn = parseFunction({ Name: 'A', Start: true });
  const answer = later();
  const step = runtime.step(fn, entryPayload(7, 's'), async () => {
    answer.closed = store.close();
    await answer.closed;
    return 7;
  });
  await assert.rejects(step, UnumError);
  await answer.closed;
});

test('what is no payload, no function or no platform is refused', async (t) => {
  const store = await openScratch(t);
  const { runtime } = keeper(store);
  const fn = parseFunction({ Name: 'A', Start: true });
  await assert.rejects(runtime.step(fn, '{"Data": 1', () => 1), { kind: 'invalid', delivery: 'final' });
  await assert.rejects(runtime.step(fn, '{}', () => 1, { attempt: 0 }), { kind: 'invalid' });
  await assert.rejects(runtime.step(fn, '{}', 'code'), { code: 'ERR_INVALID_ARG_TYPE' });
  await assert.rejects(runtime.step({}, '{}', () => 1), { code: 'ERR_INVALID_ARG_TYPE' });
  await assert.rejects(runtime.step(fn, 5, () => 1), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(() => parseFunction({ Nme: 'A' }, 'a.json'), (error) => /a\.json/.test(error.message) &&
    error.kind === 'invalid');
  assert.throws(() => new Runtime(store), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(() => new Runtime({}, { invoke() {} }), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(() => new UnumFunction(), TypeError);
  assert.throws(() => entryPayload(1n), TypeError);
});
