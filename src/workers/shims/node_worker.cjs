// The worker process for Node functions: reads calls, runs the handler, writes results.
//
// Started by unum, which speaks the frames of src/workers/worker_protocol.hpp on descriptors 3 and 4. Between
// calls the process waits in a read and its event loop stands still, as on AWS Lambda. Node >= 18, no packages.
'use strict';

const fs = require('fs');
const path = require('path');
const { createHash } = require('crypto');
const { pathToFileURL } = require('url');

const REQUESTS = 3;
const RESPONSES = 4;
const MAGIC = Buffer.from('unm1');
const HEADER_BYTES = 12;
const CALL_HEAD_BYTES = 20;
const LOAD = 0x4c;
const CALL = 0x43;
const STREAMED_CALL = 0x53;
const FINAL_DATA = 0x46;
const RESULT = 0x52;
const ERROR = 0x45;
const LAST_ERROR = 0x58;
const CAUSE_CHARACTERS_MAX = 16 * 1024;
const BROKEN = 70; // exit code: the descriptors of the protocol cannot be used

const { exit, hrtime } = process;
const now = () => Number(hrtime.bigint() / 1000000n);
const deadlineIn = (milliseconds) => (milliseconds > 0 ? now() + milliseconds : null);

/// A failure with a name of the runtime's, which is not the name of an error's type.
class Failure extends Error {
  constructor(name, cause, last) {
    super(cause);
    this.failureName = name;
    this.last = last;
  }
}

function broken(error) {
  try {
    fs.writeSync(2, `unum: the worker cannot go on: descriptors ${REQUESTS} and ${RESPONSES} are its own ` +
      `and must stay open: ${error.message}\n`);
  } finally {
    running = null;
    exit(BROKEN);
  }
}

// --- Frames ----------------------------------------------------------------------------------------------

const chunk = Buffer.allocUnsafe(65536);
let pending = Buffer.alloc(0);

function readSome(buffer, offset) {
  for (;;) {
    try {
      const count = fs.readSync(REQUESTS, buffer, offset, buffer.length - offset, null);
      if (count === 0) {
        running = null;
        exit(0);
      }
      return count;
    } catch (error) {
      if (error.code !== 'EINTR' && error.code !== 'EAGAIN') broken(error);
    }
  }
}

function readFrame() {
  while (pending.length < HEADER_BYTES) {
    const count = readSome(chunk, 0);
    pending = Buffer.concat([pending, chunk.subarray(0, count)]);
  }
  if (pending.compare(MAGIC, 0, 4, 0, 4) !== 0) broken(new Error('not a frame'));
  const type = pending[4];
  const end = HEADER_BYTES + pending.readUInt32LE(8);
  let payload;
  if (pending.length >= end) {
    payload = pending.subarray(HEADER_BYTES, end);
    pending = pending.subarray(end);
  } else {
    payload = Buffer.allocUnsafe(end - HEADER_BYTES);
    let filled = pending.copy(payload, 0, HEADER_BYTES);
    while (filled < payload.length) filled += readSome(payload, filled);
    pending = Buffer.alloc(0);
  }
  return { type, payload };
}

/// The event that comes in pieces behind its call, and the time that is left then.
function readPieces(call) {
  const pieces = [];
  try {
    for (;;) {
      const { type, payload } = readFrame();
      if (type === FINAL_DATA) {
        call.deadline = deadlineIn(payload.readUInt32LE(0));
        return Buffer.concat(pieces);
      }
      pieces.push(payload);
    }
  } catch (error) {
    throw new Failure('Runtime.UnmarshalError', `the event of ${fn.name} cannot be held: ${error.message}`, true);
  }
}

function writeFrame(type, sequence, parts) {
  const head = Buffer.alloc(HEADER_BYTES + 4);
  MAGIC.copy(head);
  head[4] = type;
  head.writeUInt32LE(4 + parts.reduce((sum, part) => sum + part.length, 0), 8);
  head.writeUInt32LE(sequence, HEADER_BYTES);
  const frame = Buffer.concat([head, ...parts]);
  for (let written = 0; written < frame.length;) {
    try {
      written += fs.writeSync(RESPONSES, frame, written);
    } catch (error) {
      if (error.code !== 'EINTR' && error.code !== 'EAGAIN') broken(error);
    }
  }
}

// --- What a call sees ------------------------------------------------------------------------------------

function makeContext(fn, call, done) {
  return {
    functionName: fn.name,
    functionVersion: '$LATEST',
    invokedFunctionArn:
      `arn:aws:lambda:${process.env.AWS_REGION || 'us-east-1'}:000000000000:function:${fn.name}`,
    memoryLimitInMB: String(fn.memoryMb),
    // The same for every delivery of one instance, so that it can serve as an idempotency key.
    get awsRequestId() {
      const hex = createHash('sha256').update(`${call.session}/${call.instance}`).digest('hex');
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
    },
    logGroupName: `/aws/lambda/${fn.name}`,
    logStreamName: `${new Date().toISOString().slice(0, 10).replace(/-/g, '/')}/[$LATEST]${process.pid}`,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () =>
      (call.deadline === null ? 2 ** 31 - 1 : Math.max(0, Math.floor(call.deadline - now()))),
    done,
    succeed: (result) => done(null, result),
    fail: (error) => done(error === undefined ? new Error('handled') : error),
    unum_session: call.session,
    unum_instance: call.instance,
    unum_attempt: call.attempt,
    unum_traceparent: call.traceparent,
  };
}

function parseCall(payload) {
  const ends = [12, 14, 16].map((at) => payload.readUInt16LE(at));
  let at = CALL_HEAD_BYTES;
  const [instance, session, traceparent] = ends.map((length) => {
    at += length;
    return payload.toString('utf8', at - length, at);
  });
  return {
    sequence: payload.readUInt32LE(0),
    deadline: deadlineIn(payload.readUInt32LE(4)),
    attempt: payload.readUInt32LE(8),
    instance,
    session,
    traceparent,
    event: payload.subarray(at),
  };
}

function describe(error) {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : safely(() => JSON.stringify(error));
  const ours = (line) => line.includes(__filename) || /\(?node:internal/.test(line);
  const lines = String(safely(() => error.stack) || '').split('\n').filter((line) => !ours(line));
  const message = String(safely(() => error.message)).split('\n').filter((line) => !ours(line));
  // A stack begins with the message, or (a syntax error's) with the place in the source.
  const places = lines.filter((line) => /^ +at /.test(line));
  return (error instanceof SyntaxError ? lines : [...message, ...places]).join('\n').trim();
}

function safely(get) {
  try {
    return get();
  } catch {
    return '(it cannot be shown)';
  }
}

function nameOf(error) {
  if (error instanceof Failure) return error.failureName;
  if (error instanceof Error) return String(safely(() => error.name) || 'Error');
  return typeof error === 'string' ? 'Error' : String(safely(() => (error && error.name) || 'Error'));
}

function shorten(text) {
  if (text.length <= CAUSE_CHARACTERS_MAX) return text;
  const half = CAUSE_CHARACTERS_MAX / 2 - 32;
  return `${text.slice(0, half)}\n... ${text.length - 2 * half} characters left out ...\n${text.slice(-half)}`;
}

// --- The function ------------------------------------------------------------------------------------------

let fn = null;

function prepareFunction(load) {
  process.chdir(load.directory);
  fn = {
    name: load.function,
    handlerName: load.handler,
    directory: load.directory,
    memoryMb: load.memory_mb,
    resultBytesMax: load.result_bytes_max,
    handler: null,
  };
}

/// `dir/module.name` or `dir/module.object.name`.
async function loadHandler() {
  const directory = path.dirname(fn.handlerName);
  const base = path.basename(fn.handlerName);
  const dot = base.indexOf('.');
  if (dot <= 0 || dot === base.length - 1) {
    throw new Failure('Runtime.MalformedHandlerName',
      `Handler "${fn.handlerName}" of ${fn.name}: it must be MODULE.FUNCTION, for example index.handler`, true);
  }
  const name = path.join(directory, base.slice(0, dot));
  const exported = await importModule(name);
  let handler = exported;
  let owner = null;
  for (const part of base.slice(dot + 1).split('.')) {
    owner = handler;
    handler = handler === undefined || handler === null ? undefined : handler[part];
  }
  if (typeof handler !== 'function') {
    throw new Failure('Runtime.HandlerNotFound',
      `${name} of ${fn.name} exports no function "${base.slice(dot + 1)}" (Handler: ${fn.handlerName})`, true);
  }
  fn.handler = owner === exported ? handler : handler.bind(owner);
}

async function importModule(name) {
  const stem = path.resolve(fn.directory, name);
  const file = ['', '.js', '.mjs', '.cjs'].map((ending) => stem + ending)
    .find((candidate) => fs.existsSync(candidate) && fs.statSync(candidate).isFile());
  try {
    if (file !== undefined && file.endsWith('.mjs')) return await import(pathToFileURL(file).href);
    try {
      return require(file || stem);
    } catch (error) {
      if (error.code !== 'ERR_REQUIRE_ESM' && error.code !== 'ERR_REQUIRE_ASYNC_MODULE') throw error;
      return await import(pathToFileURL(file || stem).href);
    }
  } catch (error) {
    const isSyntax = error instanceof SyntaxError;
    throw new Failure(isSyntax ? 'Runtime.UserCodeSyntaxError' : 'Runtime.ImportModuleError',
      `cannot import "${name}" of ${fn.name} (Handler: ${fn.handlerName}): ${nameOf(error)}: ${describe(error)}`,
      true);
  }
}

// --- Calls ------------------------------------------------------------------------------------------------

let running = null; // the call that has no answer yet

function answer(call, error, result) {
  if (running !== call) return; // answered already: a callback after the promise, or twice
  running = null;
  let last = false;
  if (error === null || error === undefined) {
    try {
      const text = JSON.stringify(result);
      const data = Buffer.from(text === undefined ? 'null' : text);
      if (data.length > fn.resultBytesMax) {
        throw new Failure('Unum.ResultTooLarge', `the result of ${fn.name} has ${data.length} bytes of JSON; ` +
          `the limit is ${fn.resultBytesMax}`, false);
      }
      writeFrame(RESULT, call.sequence, [data]);
    } catch (problem) {
      const failure = problem instanceof Failure ? problem : new Failure('Runtime.MarshalError',
        `the result of ${fn.name} is not JSON: ${nameOf(problem)}: ${safely(() => problem.message)}`, false);
      writeFailure(call, failure);
    }
  } else {
    last = error instanceof Failure && error.last;
    writeFailure(call, error);
  }
  if (last) exit(0);
  setImmediate(next);
}

function writeFailure(call, error) {
  const last = error instanceof Failure && error.last;
  const name = Buffer.from(nameOf(error));
  const cause = Buffer.from(shorten(error instanceof Failure ? error.message : describe(error)));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(name.length);
  writeFrame(last ? LAST_ERROR : ERROR, call.sequence, [size, name, cause]);
}

async function run(call) {
  if (fn.handler === null) await loadHandler();
  if (call.isStreamed) call.event = readPieces(call);
  let event;
  try {
    event = JSON.parse(call.event.toString('utf8'));
  } catch (error) {
    throw new Failure('Runtime.UnmarshalError', `the event of ${fn.name} cannot be decoded: ${error.message}`, false);
  }
  call.event = null;
  const done = (error, result) => answer(call, error, result);
  const context = makeContext(fn, call, done);
  const returned = fn.handler(event, context, done);
  if (returned !== null && typeof returned === 'object' && typeof returned.then === 'function') {
    return { result: await returned };
  }
  // Without a promise: a value that was returned, or a callback that is called now or later.
  if (returned !== undefined || fn.handler.length < 3) return { result: returned };
  return null;
}

function next() {
  for (;;) {
    const { type, payload } = readFrame();
    if (type === LOAD) {
      prepareFunction(JSON.parse(payload.toString('utf8')));
    } else if (type === CALL || type === STREAMED_CALL) {
      const call = parseCall(payload);
      call.isStreamed = type === STREAMED_CALL;
      running = call;
      run(call).then(
        (ended) => ended !== null && answer(call, null, ended.result),
        (error) => answer(call, error === null || error === undefined ? new Error(String(error)) : error));
      return;
    }
  }
}

/// Ends the call, and the process: code that threw out of nowhere leaves it in an unknown state.
function fail(name, cause) {
  const call = running;
  running = null;
  if (call !== null) writeFailure(call, new Failure(name, cause, true));
}

process.on('uncaughtException', (error, origin) => {
  const rejected = origin === 'unhandledRejection';
  const name = rejected ? 'Runtime.UnhandledPromiseRejection' : nameOf(error);
  if (running === null) process.stderr.write(`${describe(error)}\n`);
  fail(name, describe(error));
  exit(1);
});
process.on('exit', (code) => {
  fail('Runtime.ExitError', `the handler of ${fn && fn.name} called exit (${code})`);
});
process.on('beforeExit', () => {
  if (running === null) return;
  fail('Runtime.NoAnswer', `the handler of ${fn.name} has nothing left to wait for and has neither returned a value ` +
    'nor settled its promise nor called back');
  exit(0);
});

if (Number(process.versions.node.split('.')[0]) < 18) {
  broken(new Error(`Node 18 or newer is needed, this is ${process.version}`));
}
next();
