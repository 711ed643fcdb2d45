// The same for import: one set of classes, whichever way they are had.
import unum from './index.cjs';

export const {
  version, UnumError, CallLost, Store, openStore, createStore, UnumFunction, Runtime, parseFunction, entryPayload,
  Application, loadApplication, parseApplication, configureLoop, loopBackend, setLog,
} = unum;
