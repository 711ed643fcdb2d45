// Inputs read as a stream: values come in order, and no more of them than two windows are held.
'use strict';

const { native, receivers, begin, count, namesOf, asBuffers } = require('./native.cjs');
const { UnumError, cancelledBy } = require('./errors.cjs');

const WINDOW = 32;

/// One op that reads a part of the names. Its values are taken while it goes on.
class Window {
  #values = [];
  #taken = 0;
  #left;
  #ended = false;
  #error;
  #wake = () => {};

  constructor(store, handle, session, names, options) {
    this.#left = names.length;
    const id = receivers.add({ value: (place, value) => this.#add(value) });
    begin(options, (timeoutMs) => native.streamValues(store, handle, session, namesOf(names, 'instances'), timeoutMs,
      asBuffers(options), id))
      .catch((error) => { this.#error = error; })
      .then(() => {
        receivers.remove(id);
        this.#ended = true;
        this.#wake();
      });
  }

  #add(value) {
    this.#values.push(value);
    this.#wake();
  }

  get isTaken() { return this.#left === 0; }

  /// The next value.
  async take() {
    while (this.#taken === this.#values.length && !this.#ended) {
      await new Promise((resolve) => { this.#wake = resolve; });
    }
    if (this.#taken === this.#values.length) {
      throw this.#error || new UnumError('bug', 'a stream ended before its last value', { code: 'Unum.ShortStream' });
    }
    const value = this.#values[this.#taken];
    this.#values[this.#taken++] = undefined;
    --this.#left;
    if (value !== undefined) return value;
    throw new UnumError('exhausted', "a value is longer than a string can be; ask for buffers ({ as: 'buffer' })",
      { code: 'Unum.StringTooLong', delivery: 'bounded' });
  }
}

/// Ends the windows' ops when the consumer leaves, or when the caller's signal says so.
async function* readStream(store, handle, session, names, options = {}) {
  const most = count(options.window, 'window', 1 << 20) || WINDOW;
  const { signal } = options;
  const left = new AbortController();
  const cancel = () => left.abort(signal.reason);
  if (signal && signal.aborted) throw cancelledBy(signal);
  if (signal) signal.addEventListener('abort', cancel, { once: true });
  let next = 0;
  const open = () => {
    const part = names.slice(next, next + most);
    next += part.length;
    return new Window(store, handle, session, part, { ...options, signal: left.signal });
  };
  try {
    const windows = [];
    while (next < names.length || windows.length > 0) {
      while (windows.length < 2 && next < names.length) windows.push(open());
      while (!windows[0].isTaken) yield await windows[0].take();
      windows.shift();
    }
  } finally {
    if (signal) signal.removeEventListener('abort', cancel);
    left.abort();
  }
}

module.exports = { readStream };
