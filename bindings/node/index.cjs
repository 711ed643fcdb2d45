// unum for Node: stores, steps and applications as promises on the process' own loop.
'use strict';

const { native, count } = require('./lib/native.cjs');
const { UnumError, CallLost } = require('./lib/errors.cjs');
const { Store, openStore, createStore } = require('./lib/store.cjs');
const { UnumFunction, Runtime, parseFunction, entryPayload } = require('./lib/runtime.cjs');
const { Application, loadApplication, parseApplication } = require('./lib/application.cjs');

const BACKENDS = ['automatic', 'uring', 'epoll'];

function configureLoop({ backend = 'automatic', helperThreadsMax } = {}) {
  const number = BACKENDS.indexOf(backend);
  if (number < 0) {
    throw Object.assign(new TypeError(`backend must be one of ${BACKENDS.join(', ')}; it is ${String(backend)}`),
      { code: 'ERR_INVALID_ARG_VALUE' });
  }
  if (!native.configure(number, count(helperThreadsMax, 'helperThreadsMax', 0xffffffff))) {
    throw new UnumError('bug', "this thread's loop runs already; configure it before the first call",
      { code: 'Unum.LoopRuns' });
  }
}

function loopBackend() {
  return native.backend();
}

function setLog(levels, listener) {
  if (listener === undefined || listener === null) return native.setLog(levels);
  if (typeof listener !== 'function') {
    throw Object.assign(new TypeError('listener must be a function'), { code: 'ERR_INVALID_ARG_TYPE' });
  }
  return native.setLog(levels, (level, area, session, instance, line) =>
    listener({ level, area, session, instance, line }));
}

exports.version = native.version();
exports.UnumError = UnumError;
exports.CallLost = CallLost;
exports.Store = Store;
exports.openStore = openStore;
exports.createStore = createStore;
exports.UnumFunction = UnumFunction;
exports.Runtime = Runtime;
exports.parseFunction = parseFunction;
exports.entryPayload = entryPayload;
exports.Application = Application;
exports.loadApplication = loadApplication;
exports.parseApplication = parseApplication;
exports.configureLoop = configureLoop;
exports.loopBackend = loopBackend;
exports.setLog = setLog;
