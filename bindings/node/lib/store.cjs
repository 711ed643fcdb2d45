// Stores: the five calls, items, fan-ins.
'use strict';

const {
  MAKING, checkMaking, handles, native, receivers, begin, milliseconds, count, listOf, namesOf, asBuffers,
} = require('./native.cjs');
const { readStream } = require('./stream.cjs');

// By the numbers of unum.h.
const ITEM_KINDS = [
  'outcome', 'report', 'input', 'claim', 'wanted', 'garbage', 'application', 'delayed', 'invoked',
];
const FAN_IN_STATES = ['incomplete', 'claimed', 'taken', 'mismatch'];

function kindNumber(kind) {
  const number = ITEM_KINDS.indexOf(kind);
  if (number >= 0) return number;
  throw Object.assign(new TypeError(`kind must be one of ${ITEM_KINDS.join(', ')}; it is ${String(kind)}`),
    { code: 'ERR_INVALID_ARG_VALUE' });
}

/// What the addon takes for a store's options, and the id that the listeners' lines go to (0: none).
function storeOptions(options = {}) {
  const listeners = [options.onWarning, options.onWaiting];
  const listens = listeners.some((listener) => listener !== undefined);
  const id = listens ? receivers.add({ line: (place, text) => listeners[place](text) }) : 0;
  try {
    const numbers = [options.durable === false ? 1 : 0, options.eventualReads ? 1 : 0,
      count(options.inFlightMax, 'inFlightMax', 0xffffffff), milliseconds(options.requestTimeoutMs, 'requestTimeoutMs'),
      milliseconds(options.patienceMs, 'patienceMs'), id, (listeners[0] ? 1 : 0) | (listeners[1] ? 2 : 0)];
    return { numbers, id };
  } catch (error) {
    receivers.remove(id);
    throw error;
  }
}

function fanInPairs(fanIns) {
  return listOf(fanIns, 'fanIns').map((fanIn) => [fanIn.aggregator, listOf(fanIn.instances, 'instances')]);
}

function nameStates(states) {
  return states.map(({ status, detail }) =>
    ({ status: FAN_IN_STATES[status] || String(status), detail: detail || '' }));
}

// A store that nobody holds any more is closed. One with an op in flight is held by the op.
const collected = new FinalizationRegistry(({ handle, lines }) => {
  native.dropStore(undefined, handle);
  receivers.remove(lines);
});

class Store {
  // The receiver of its lines lives as long as it does.
  #lines;

  constructor(token, handle, lines) {
    checkMaking(token, 'Store', 'openStore');
    handles.set(this, handle);
    Object.defineProperty(this, 'type', { value: native.storeType(undefined, handle), enumerable: true });
    Object.defineProperty(this, 'name', { value: native.storeName(undefined, handle), enumerable: true });
    collected.register(this, { handle, lines }, this);
    this.#lines = lines;
  }

  createSessionContext() {
    return native.createSession(undefined, handles.get(this));
  }

  writeReturnValue(context, value, options) {
    return begin(options, (timeoutMs) => native.writeValue(this, handles.get(this), context.session, context.instance,
      value, timeoutMs, asBuffers(options)));
  }

  readInput(session, instances, options) {
    return begin(options, (timeoutMs) => native.readValues(this, handles.get(this), session,
      namesOf(instances, 'instances'), timeoutMs, asBuffers(options)));
  }

  readInputStream(session, instances, options) {
    return readStream(this, handles.get(this), session, listOf(instances, 'instances'), options);
  }

  checkValueExist(session, instance, options) {
    return begin(options, (timeoutMs) => native.checkValue(this, handles.get(this), session, instance, timeoutMs));
  }

  checkValuesExist(session, instances, options) {
    return begin(options, (timeoutMs) => native.checkValues(this, handles.get(this), session,
      namesOf(instances, 'instances'), timeoutMs));
  }

  get(session, name, kind = 'outcome', options = undefined) {
    return begin(options, (timeoutMs) => native.getItem(this, handles.get(this), session, name, kindNumber(kind),
      undefined, 0, timeoutMs, asBuffers(options)));
  }

  getRange(session, name, kind, offset, bytes, options) {
    return begin(options, (timeoutMs) => native.getItem(this, handles.get(this), session, name, kindNumber(kind),
      count(offset, 'offset'), count(bytes, 'bytes'), timeoutMs, asBuffers(options)));
  }

  createItem(session, name, kind, value, options) {
    return begin(options, (timeoutMs) => native.createItem(this, handles.get(this), session, name, kindNumber(kind),
      value, timeoutMs, asBuffers(options)));
  }

  put(session, name, kind, value, options) {
    return begin(options, (timeoutMs) => native.putItem(this, handles.get(this), session, name, kindNumber(kind),
      value, timeoutMs));
  }

  remove(session, name, kind, options) {
    return begin(options, (timeoutMs) => native.removeItem(this, handles.get(this), session, name, kindNumber(kind),
      timeoutMs));
  }

  async list(session, options) {
    const items = await begin(options, (timeoutMs) => native.listItems(this, handles.get(this), session, timeoutMs));
    for (const item of items) item.kind = ITEM_KINDS[item.kind] || String(item.kind);
    return items;
  }

  listSessions(options) {
    return begin(options, (timeoutMs) => native.listSessions(this, handles.get(this), timeoutMs));
  }

  async commit(context, value, fanIns, options) {
    const given = await begin(options, (timeoutMs) => native.commit(this, handles.get(this), context.session,
      context.instance, fanInPairs(fanIns), timeoutMs, requireValue(value), asBuffers(options)));
    return { ...given, fanIns: nameStates(given.fanIns) };
  }

  async join(context, fanIns, options) {
    const states = await begin(options, (timeoutMs) => native.commit(this, handles.get(this), context.session,
      context.instance, fanInPairs(fanIns), timeoutMs));
    return nameStates(states);
  }

  close(options) {
    // What reading a closed store's handle means is the library's to say: it is stale.
    const closed = begin(options, (timeoutMs) => native.closeStore(this, handles.get(this), timeoutMs));
    collected.unregister(this);
    receivers.remove(this.#lines);
    return closed;
  }
}

function requireValue(value) {
  if (value !== undefined && value !== null) return value;
  throw Object.assign(new TypeError('value must be a string or a Uint8Array'), { code: 'ERR_INVALID_ARG_TYPE' });
}

async function openStore(type, name, options) {
  const { numbers, id } = storeOptions(options);
  try {
    const handle = await begin(options, (timeoutMs) => native.openStore(undefined, type, name, numbers, timeoutMs));
    return new Store(MAKING, handle, id);
  } catch (error) {
    receivers.remove(id);
    throw error;
  }
}

function createStore(type, name, options) {
  return begin(options, (timeoutMs) => native.createStore(undefined, type, name, timeoutMs));
}

module.exports = { Store, openStore, createStore, storeOptions };
