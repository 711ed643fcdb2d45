// Functions, and runtimes that step them: the code and the platform are async functions.
'use strict';

const { MAKING, checkMaking, handles, handleOf, native, receivers, begin, milliseconds, count } =
  require('./native.cjs');
const { CallLost, UnumError, numberOf } = require('./errors.cjs');
const { Store } = require('./store.cjs');

const STEP_STATES = [undefined, 'succeeded', 'caught', 'failed', 'will_retry'];

const collected = new FinalizationRegistry((free) => free());

/// Frees are for what nobody needs any more: one that comes too late is no error.
function freely(free, handle) {
  try {
    free(handle);
  } catch (error) {
    if (!(error instanceof UnumError && error.kind === 'bug')) throw error;
  }
}

class UnumFunction {
  constructor(token, handle) {
    checkMaking(token, 'UnumFunction', 'parseFunction or an Application');
    handles.set(this, handle);
    Object.defineProperty(this, 'name', { value: native.functionName(handle), enumerable: true });
    collected.register(this, () => freely(native.freeFunction, handle), this);
  }

  get configuration() {
    return native.functionConfiguration(handleOf(this, UnumFunction));
  }

  identifyPayload(payload) {
    return native.identifyPayload(handleOf(this, UnumFunction), payload);
  }

  free() {
    collected.unregister(this);
    freely(native.freeFunction, handleOf(this, UnumFunction));
  }
}

/// What the addon takes for a configuration: text, or the object that it says.
function configurationText(given) {
  return typeof given === 'string' || given instanceof Uint8Array ? given : JSON.stringify(given);
}

function parseFunction(configuration, source = 'unum_config.json') {
  return new UnumFunction(MAKING, native.parseFunction(configurationText(configuration), source));
}

function entryPayload(input, session = '') {
  const text = JSON.stringify(input);
  return native.entryPayload(text === undefined ? 'null' : text, session);
}

// --- Failures -----------------------------------------------------------------------------------

/// A getter of a thrown object may throw in turn.
function safely(read, otherwise) {
  try {
    const value = read();
    return value === undefined || value === null || value === '' ? otherwise : String(value);
  } catch {
    return otherwise;
  }
}

function nameOf(error) {
  const isObject = (typeof error === 'object' && error !== null) || typeof error === 'function';
  return isObject ? safely(() => error.name, 'Error') : 'Error';
}

/// The message, and where in the caller's own code it came from.
function describe(error) {
  if (!(error instanceof Error)) return safely(() => error, 'a value without a text was thrown');
  const message = safely(() => error.message, '');
  const places = safely(() => error.stack, '').split('\n')
    .filter((line) => /^\s+at /.test(line) && !line.includes('node:internal') && !line.includes(__dirname));
  return [message, ...places].join('\n').trim();
}

// --- Code ---------------------------------------------------------------------------------------

/// The calls of one step's code, or of one function's in a run: each is answered once, whatever the code does.
class Calls {
  #run;
  #running = new Map();

  constructor(run) { this.#run = run; }

  call(handle, { input, ...details }) {
    const controller = new AbortController();
    this.#running.set(handle, controller);
    const context = Object.freeze({ ...details, signal: controller.signal });
    new Promise((resolve) => { resolve(this.#run(JSON.parse(input), context)); })
      .then((result) => this.#succeed(handle, result), (error) => this.#fail(handle, error))
      .finally(() => this.#running.delete(handle));
  }

  cancel(handle) {
    const controller = this.#running.get(handle);
    if (controller) controller.abort(new UnumError('cancelled', 'nobody waits for this call any more'));
  }

  #succeed(handle, result) {
    let text;
    try {
      text = JSON.stringify(result);
    } catch (error) {
      return native.callFail(handle, 'Runtime.MarshalError', `the result is not JSON: ${describe(error)}`);
    }
    return native.callSucceed(handle, text === undefined ? 'null' : text);
  }

  #fail(handle, error) {
    if (error instanceof CallLost) return native.callLost(handle, error.message || 'the call was lost');
    return native.callFail(handle, nameOf(error), describe(error));
  }
}

/// The number of a new receiver of calls.
function receiveCalls(code, name) {
  if (typeof code === 'function') return receivers.add(new Calls(code));
  throw Object.assign(new TypeError(`${name} must be a function`), { code: 'ERR_INVALID_ARG_TYPE' });
}

// --- The platform -------------------------------------------------------------------------------

class Platform {
  #invoke;

  constructor(invoke) { this.#invoke = invoke; }

  invoke(handle, details) {
    if (details.notBefore === 0) delete details.notBefore;
    new Promise((resolve) => { resolve(this.#invoke(details)); })
      .then(() => native.invocationAccepted(handle), (error) => {
        const kind = error instanceof UnumError ? error.kind : 'disconnected';
        native.invocationRefused(handle, numberOf(kind, 'disconnected'), describe(error).split('\n')[0]);
      });
  }
}

function reportOf(report) {
  report.status = STEP_STATES[report.status] || String(report.status);
  if (report.result !== undefined) report.result = JSON.parse(report.result);
  if (report.notBefore === 0) delete report.notBefore;
  if (report.disagreements !== undefined) report.disagreements = report.disagreements.split('\n').filter(Boolean);
  for (const key of Object.keys(report)) {
    if (report[key] === undefined || (report[key] === '' && (key === 'error' || key === 'cause'))) delete report[key];
  }
  return report;
}

class Runtime {
  // What its steps need, and nothing that is collected may take away.
  #store;
  #application;
  // Its platform is asked until the last step has ended, also after `free`.
  #platform;
  #steps = 0;
  #isFreed = false;

  constructor(store, options = {}) {
    if (typeof options.invoke !== 'function') {
      throw Object.assign(new TypeError('invoke must be a function'), { code: 'ERR_INVALID_ARG_TYPE' });
    }
    this.#store = store;
    this.#application = options.application;
    const application = options.application === undefined ? undefined : handles.get(options.application);
    const id = receivers.add(new Platform(options.invoke));
    let handle;
    try {
      handle = native.newRuntime(handleOf(store, Store), id, count(options.payloadBytesMax, 'payloadBytesMax'),
        milliseconds(options.delayMaxMs, 'delayMaxMs'),
        count(options.invocationsInFlight, 'invocationsInFlight', 0xffffffff), options.collectsGarbage ? 1 : 0,
        application, options.keepsEveryDelivery ? 1 : 0);
    } catch (error) {
      receivers.remove(id);
      throw error;
    }
    handles.set(this, handle);
    this.#platform = id;
    // A step that runs holds this object, and so the platform that it asks.
    collected.register(this, () => {
      freely(native.freeRuntime, handle);
      receivers.remove(id);
    }, this);
  }

  async step(fn, payload, code, options = {}) {
    const id = receiveCalls(code, 'code');
    ++this.#steps;
    try {
      return reportOf(await begin(options, (timeoutMs) => native.step(this, handleOf(this, Runtime),
        handleOf(fn, UnumFunction), payload, attemptOf(options), id, timeoutMs)));
    } finally {
      receivers.remove(id);
      this.#ended();
    }
  }

  async giveUp(fn, payload, failure, options = {}) {
    const { error, cause = '' } = failure;
    ++this.#steps;
    try {
      return reportOf(await begin(options, (timeoutMs) => native.giveUp(this, handleOf(this, Runtime),
        handleOf(fn, UnumFunction), payload, attemptOf(options), error, cause, timeoutMs)));
    } finally {
      this.#ended();
    }
  }

  #ended() {
    if (--this.#steps === 0 && this.#isFreed) receivers.remove(this.#platform);
  }

  free() {
    const handle = handleOf(this, Runtime);
    collected.unregister(this);
    freely(native.freeRuntime, handle);
    this.#isFreed = true;
    if (this.#steps === 0) receivers.remove(this.#platform);
  }
}

function attemptOf(options) {
  return options.attempt === undefined ? 1 : count(options.attempt, 'attempt', 0x7fffffff);
}

module.exports = {
  UnumFunction, parseFunction, configurationText, entryPayload, Runtime, receiveCalls, freely, collected,
};
