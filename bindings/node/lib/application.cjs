// Whole applications: the check's findings, the linked functions, runs.
'use strict';

const { MAKING, checkMaking, handles, handleOf, native, receivers, begin, count } = require('./native.cjs');
const { UnumFunction, configurationText, receiveCalls, freely, collected } = require('./runtime.cjs');
const { Store, storeOptions } = require('./store.cjs');

const RUN_STATES = [undefined, 'succeeded', 'failed', 'interrupted', 'timed_out'];

class Application {
  constructor(token, handle) {
    checkMaking(token, 'Application', 'loadApplication');
    handles.set(this, handle);
    collected.register(this, () => freely(native.freeApplication, handle), this);
    Object.defineProperty(this, 'name', { value: native.applicationName(handle), enumerable: true });
    Object.defineProperty(this, 'entry', { value: native.applicationEntry(handle), enumerable: true });
    const findings = JSON.parse(native.applicationFindings(handle));
    Object.defineProperty(this, 'findings', { value: findings, enumerable: true });
  }

  functions() {
    return native.applicationFunctions(handleOf(this, Application)).map((handle) => new UnumFunction(MAKING, handle));
  }

  async run(options = {}) {
    const { numbers, id } = storeOptions(options.storeOptions);
    const printed = options.onPrinted === undefined ? undefined
      : receivers.add({ line: (place, line, instance) => options.onPrinted(instance, line) });
    const names = Object.keys(options.code || {});
    const ids = [];
    try {
      for (const name of names) ids.push(receiveCalls(options.code[name], `code of ${name}`));
      const opened = options.openStore === undefined ? undefined : handleOf(options.openStore, Store);
      const input = options.input === undefined ? undefined : JSON.stringify(options.input);
      const run = await begin(options, (timeoutMs) => native.runApplication([this, options.openStore],
        handleOf(this, Application), input, options.session, options.store, numbers,
        count(options.workers, 'workers', 0xffffffff), options.resume ? 1 : 0, options.acceptChanges ? 1 : 0, printed,
        timeoutMs, opened, names, ids));
      run.status = RUN_STATES[run.status] || String(run.status);
      if (run.result === undefined) delete run.result;
      else run.result = JSON.parse(run.result);
      return run;
    } finally {
      receivers.remove(id);
      if (printed !== undefined) receivers.remove(printed);
      for (const each of ids) receivers.remove(each);
    }
  }

  free() {
    collected.unregister(this);
    freely(native.freeApplication, handleOf(this, Application));
  }
}

function findingsOf(handle) {
  try {
    return JSON.parse(native.applicationFindings(handle));
  } catch {
    return [];
  }
}

function loadApplication(directory) {
  return applicationOf(native.loadApplication(directory));
}

function parseApplication(template, configurations, directory) {
  const names = Object.keys(configurations);
  const texts = names.map((name) => configurationText(configurations[name]));
  return applicationOf(native.parseApplication(template, names, texts, directory));
}

/// The application, or why there is none.
function applicationOf({ handle, error }) {
  if (error === undefined) return new Application(MAKING, handle);
  if (handle !== undefined) {
    error.findings = findingsOf(handle);
    native.freeApplication(handle);
  }
  throw error;
}

module.exports = { Application, loadApplication, parseApplication };
