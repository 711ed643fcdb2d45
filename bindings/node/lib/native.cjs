// The addon: where it is found, and who gets the events of its turns.
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { errorOf, cancelledBy } = require('./errors.cjs');

function candidates() {
  const found = [path.join(__dirname, '..', 'build', 'unum.node')];
  try {
    found.push(require.resolve(`unum-workflows-${process.platform}-${process.arch}/unum.node`));
  } catch {
    // This platform's package is not installed; the message below says so.
  }
  return found;
}

function load() {
  const file = process.env.UNUM_NODE_ADDON || candidates().find((candidate) => fs.existsSync(candidate));
  if (file === undefined) {
    const platform = `${process.platform}-${process.arch}`;
    throw new Error(`there is no addon of unum-workflows for ${platform}: install the package ` +
      `unum-workflows-${platform}, or build it with build.mjs`);
  }
  const loaded = { exports: {} };
  // Node exports what is linked into it, OpenSSL and simdjson among them. A libunum that is linked with the system's
  // must not get those in their place: its own libraries come first. (src/environment.c has what else that needs.)
  const { RTLD_NOW, RTLD_DEEPBIND = 0 } = os.constants.dlopen;
  process.dlopen(loaded, path.resolve(file), RTLD_NOW | RTLD_DEEPBIND);
  return loaded.exports;
}

const native = load();

/// Who gets what: by a number that goes through C as the callbacks' `user`.
class Receivers {
  #byId = new Map();
  #last = 0;

  add(receiver) {
    do {
      this.#last = this.#last === 0xffffffff ? 1 : this.#last + 1;
    } while (this.#byId.has(this.#last));
    this.#byId.set(this.#last, receiver);
    return this.#last;
  }
  get(id) { return this.#byId.get(id); }
  remove(id) { this.#byId.delete(id); }
}

const receivers = new Receivers();

// By the numbers of src/addon.h.
const LINE = 1;
const VALUE = 2;
const CALL = 3;
const CANCEL = 4;

function receive(kind, id, place, handle, value, instance) {
  const receiver = receivers.get(id);
  switch (kind) {
    case LINE: return receiver && receiver.line(place, value, instance);
    case VALUE: return receiver && receiver.value(place, value);
    case CALL: return receiver ? receiver.call(handle, value) : native.callLost(handle, 'its code is gone');
    case CANCEL: return receiver && receiver.cancel(handle);
    default: return receiver ? receiver.invoke(handle, value)
      : native.invocationRefused(handle, 7, 'its platform is gone');
  }
}

native.attach(errorOf, receive);

/// A time limit in whole milliseconds, for the addon.
function milliseconds(value, name) {
  if (value === undefined || value === null) return 0;
  if (typeof value !== 'number' || !(value >= 0)) {
    throw Object.assign(new RangeError(`${name} must be a number of milliseconds, 0 or more; it is ${String(value)}`),
      { code: 'ERR_OUT_OF_RANGE' });
  }
  return Math.min(Math.ceil(value), Number.MAX_SAFE_INTEGER);
}

function count(value, name, most = Number.MAX_SAFE_INTEGER) {
  if (value === undefined || value === null) return 0;
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw Object.assign(new RangeError(`${name} must be an integer from 0 to ${most}; it is ${String(value)}`),
      { code: 'ERR_OUT_OF_RANGE' });
  }
  return value;
}

/// Begins an op: `begin(timeoutMs)` returns its promise. The signal cancels it.
function begin(options, start) {
  try {
    const timeoutMs = options === undefined ? 0 : milliseconds(options.timeoutMs, 'timeoutMs');
    const signal = options === undefined ? undefined : options.signal;
    if (signal === undefined || signal === null) return start(timeoutMs);
    if (typeof signal.addEventListener !== 'function') {
      throw Object.assign(new TypeError('signal must be an AbortSignal'), { code: 'ERR_INVALID_ARG_TYPE' });
    }
    if (signal.aborted) return Promise.reject(cancelledBy(signal));
    const promise = start(timeoutMs);
    const op = native.lastOp();
    const cancel = () => native.cancelOp(op);
    signal.addEventListener('abort', cancel, { once: true });
    const stopListening = () => signal.removeEventListener('abort', cancel);
    return promise.then((value) => {
      stopListening();
      return value;
    }, (error) => {
      stopListening();
      throw error.kind === 'cancelled' && signal.aborted ? cancelledBy(signal) : error;
    });
  } catch (error) {
    return Promise.reject(error);
  }
}

/// An array that nobody else changes or answers for.
function listOf(values, name) {
  if (Array.isArray(values)) return values.slice();
  if (values === null || values === undefined || typeof values === 'string' ||
      typeof values[Symbol.iterator] !== 'function') {
    throw Object.assign(new TypeError(`${name} must be an array or another iterable`),
      { code: 'ERR_INVALID_ARG_TYPE' });
  }
  return Array.from(values);
}

/// Names for the addon: many go as one text, between zero bytes, which takes a third of the time of an array.
function namesOf(values, name) {
  const names = listOf(values, name);
  for (let i = 0; i < names.length; ++i) {
    if (typeof names[i] !== 'string') {
      throw Object.assign(new TypeError(`${name} must be strings; at ${i} there is ${typeof names[i]}`),
        { code: 'ERR_INVALID_ARG_TYPE' });
    }
  }
  return packed(names);
}

function packed(names) {
  if (names.length < 8) return names;
  const text = names.join('\0');
  let separators = 0;
  for (let at = text.indexOf('\0'); at >= 0; at = text.indexOf('\0', at + 1)) ++separators;
  // A name with a zero byte of its own is the library's to refuse.
  return separators === names.length - 1 ? text : names;
}

function asBuffers(options) {
  const as = options === undefined ? undefined : options.as;
  if (as === undefined || as === 'string') return 0;
  if (as === 'buffer') return 1;
  throw Object.assign(new TypeError(`as must be 'string' or 'buffer'; it is ${String(as)}`),
    { code: 'ERR_INVALID_ARG_VALUE' });
}

// The handles of the library's objects, by the objects of ours.
const handles = new WeakMap();

/// Only this package makes objects of its classes.
const MAKING = Symbol('made by unum-workflows');

function checkMaking(token, name, from) {
  if (token !== MAKING) throw new TypeError(`a ${name} comes from ${from}`);
}

function handleOf(object, type) {
  const handle = object instanceof type ? handles.get(object) : undefined;
  if (handle !== undefined) return handle;
  throw Object.assign(new TypeError(`a ${type.name} is needed here; it is ${typeof object}`),
    { code: 'ERR_INVALID_ARG_TYPE' });
}

module.exports = {
  MAKING, checkMaking, handles, handleOf, native, receivers, begin, milliseconds, count, listOf, namesOf, asBuffers,
};
