// unum for Node: types, and what everything does. README.md is the way in.

/** The version of the library, "0.1.0". */
export const version: string;

// --- Errors -----------------------------------------------------------------------------------

/**
 * What a caller can do about an error:
 * `not_found` create it, or correct the name; `conflict` somebody wrote something different;
 * `invalid` correct the input; `denied` change permissions; `throttled` retry later; `timeout`,
 * `disconnected`, `cancelled` it may or may not have taken effect; `corrupt` stored data is
 * damaged; `exhausted` a limit was reached; `bug` a rule was broken (a closed store was used).
 */
export type ErrorKind =
  | 'not_found' | 'conflict' | 'invalid' | 'denied' | 'throttled' | 'timeout' | 'disconnected'
  | 'cancelled' | 'corrupt' | 'exhausted' | 'bug';

/**
 * What becomes of a delivery whose step ended in the error: `final` acknowledge it; `again` deliver
 * it again until the error is gone; `bounded` the same up to a limit, then `Runtime.giveUp`.
 */
export type Delivery = 'final' | 'again' | 'bounded';

/** Every failure of the library. An argument of the wrong type is a TypeError instead. */
export class UnumError extends Error {
  constructor(kind: ErrorKind, message: string,
              details?: { code?: string; origin?: string; delivery?: Delivery; cause?: unknown });
  readonly name: 'UnumError';
  readonly kind: ErrorKind;
  /** Stable, for people and their scripts: "ENOSPC", "Unum.MissingInput". */
  readonly code: string;
  /** Where it comes from: "fs", "ir", "reactor", "stores". */
  readonly origin: string;
  readonly delivery: Delivery;
  /** Of an application that was refused: what the check found. */
  readonly findings?: Finding[];
}

/**
 * To be thrown by a function's code that did not come to its end (its process died, say): the step
 * ends as `disconnected`, to be delivered again a few times. Anything else that is thrown is a
 * failure of the function, by the error's name.
 */
export class CallLost extends Error {}

// --- The loop ---------------------------------------------------------------------------------

/** `helperThreadsMax`: for calls that would block; default 4, started when first needed. */
export interface LoopOptions {
  backend?: 'automatic' | 'uring' | 'epoll';
  helperThreadsMax?: number;
}

/**
 * Each thread (the main one, each worker) has one loop, made at its first use. This says how,
 * before that; afterwards it throws a UnumError of kind `bug`.
 */
export function configureLoop(options: LoopOptions): void;
/** "io_uring (...)" or "epoll: why". */
export function loopBackend(): string;

export interface LogEvent {
  level: string;
  area: string;
  session: string;
  instance: string;
  line: string;
}

/**
 * The log of the whole process. Levels in the form of UNUM_LOG: "warn", "info,redis=trace", "off";
 * undefined leaves them. Events go to the listener, on the thread that set it; without one to
 * stderr. Beyond 4,096 events that wait for the listener, events are dropped.
 */
export function setLog(levels?: string, listener?: (event: LogEvent) => void): void;

// --- Options of calls -------------------------------------------------------------------------

/** How a call begins. */
export interface CallOptions {
  /** Cancels the call: it is rejected with kind `cancelled`, and `cause` is the signal's reason. */
  signal?: AbortSignal;
  /** Rejected with kind `timeout` after so many milliseconds; 0 or nothing: no limit. */
  timeoutMs?: number;
}

/** How values are wanted: as strings (the default), or as the bytes that they are. */
export interface ValueOptions extends CallOptions {
  as?: 'string' | 'buffer';
}
interface BufferOptions extends ValueOptions {
  as: 'buffer';
}

/** A value to write: a string is written as UTF-8. */
export type Value = string | Uint8Array;

// --- Stores -----------------------------------------------------------------------------------

export interface StoreOptions extends CallOptions {
  /** false: `fs` does not wait for the disk. */
  durable?: boolean;
  /** Reads may miss what was just written, and are repeated then. */
  eventualReads?: boolean;
  /** Values in flight while many are read; default 64. */
  inFlightMax?: number;
  /** A request that takes longer is lost, and repeated; default 30,000. */
  requestTimeoutMs?: number;
  /** How long a call goes on while the store is unreachable; default 60,000. */
  patienceMs?: number;
  /** A line for each setting of the server that puts values at risk. */
  onWarning?: (line: string) => void;
  /** A line every few seconds while a call waits for the store. */
  onWaiting?: (line: string) => void;
}

/**
 * Opens a store: "fs" with a directory, "s3" with a bucket, "dynamodb" with a table, "redis" with
 * HOST:PORT or a redis:// or rediss:// URL, "memory" with any name. Nothing is created: rejected
 * with `not_found` if there is none.
 */
export function openStore(type: string, name: string, options?: StoreOptions): Promise<Store>;
/** Creates a store unless it exists. Resolved with whether it was created. */
export function createStore(type: string, name: string, options?: CallOptions): Promise<boolean>;

/** Whose value: the instance `instance` of the session `session`. */
export interface Context {
  session: string;
  instance: string;
}

export interface Written<T = string> {
  /** false: there was a value already. */
  written: boolean;
  /** That value. */
  stored?: T;
}

/** The kinds of items; session, name and kind are an item's key. */
export type ItemKind =
  | 'outcome' | 'report' | 'input' | 'claim' | 'wanted' | 'garbage' | 'application' | 'delayed'
  | 'invoked';

export interface Item {
  name: string;
  kind: ItemKind;
  bytes: number;
  /** Nanoseconds since 1970, by the store's clock. */
  modifiedNs: bigint;
}

/** All contributors of a fan-in give the same list in the same order; each is in it. */
export interface FanIn {
  aggregator: string;
  instances: Iterable<string>;
}

/**
 * `incomplete` a result is missing; `claimed` complete, and the caller must invoke the aggregator;
 * `taken` complete, and another instance's (`detail`); `mismatch` another instance gave another
 * list (`detail`).
 */
export interface FanInState {
  status: 'incomplete' | 'claimed' | 'taken' | 'mismatch';
  detail: string;
}

export interface Committed<T = string> extends Written<T> {
  /** In the order of the fan-ins; empty if another value is there already. */
  fanIns: FanInState[];
}

export interface StreamOptions extends ValueOptions {
  /** At most two windows of so many values are held; default 32. */
  window?: number;
}

/**
 * An open store. Calls may be made at the same time, and run at the same time. It is closed by
 * `close`, or once nobody holds it and none of its calls runs.
 */
export class Store {
  private constructor();
  readonly type: string;
  /** Without secrets. */
  readonly name: string;

  /** A new session's id. Does no I/O: a session exists once its first value is written. */
  createSessionContext(): string;
  /** Creates the result of the instance, unless there is one. Durable when resolved. */
  writeReturnValue(context: Context, value: Value, options: BufferOptions): Promise<Written<Buffer>>;
  writeReturnValue(context: Context, value: Value, options?: ValueOptions): Promise<Written>;
  /** The values in the order of the names. `not_found`, naming them, if some are missing. */
  readInput(session: string, instances: Iterable<string>, options: BufferOptions): Promise<Buffer[]>;
  readInput(session: string, instances: Iterable<string>, options?: ValueOptions): Promise<string[]>;
  /**
   * The same for inputs that are large together: one after another, while the next ones are read.
   * Leaving the iteration cancels what is being read.
   */
  readInputStream(session: string, instances: Iterable<string>,
                  options: StreamOptions & { as: 'buffer' }): AsyncGenerator<Buffer, void, void>;
  readInputStream(session: string, instances: Iterable<string>,
                  options?: StreamOptions): AsyncGenerator<string, void, void>;
  checkValueExist(session: string, instance: string, options?: CallOptions): Promise<boolean>;
  /** Whether all of them exist. */
  checkValuesExist(session: string, instances: Iterable<string>, options?: CallOptions): Promise<boolean>;

  /** An item, or undefined. The default kind is `outcome`. */
  get(session: string, name: string, kind: ItemKind, options: BufferOptions): Promise<Buffer | undefined>;
  get(session: string, name: string, kind?: ItemKind, options?: ValueOptions): Promise<string | undefined>;
  /** The same of the bytes from `offset` on, `bytes` of them at most. */
  getRange(session: string, name: string, kind: ItemKind, offset: number, bytes: number,
           options: BufferOptions): Promise<Buffer | undefined>;
  getRange(session: string, name: string, kind: ItemKind, offset: number, bytes: number,
           options?: ValueOptions): Promise<string | undefined>;
  /** Creates the item unless it exists. */
  createItem(session: string, name: string, kind: ItemKind, value: Value,
             options: BufferOptions): Promise<Written<Buffer>>;
  createItem(session: string, name: string, kind: ItemKind, value: Value,
             options?: ValueOptions): Promise<Written>;
  /** Writes the item, whether or not it exists. */
  put(session: string, name: string, kind: ItemKind, value: Value, options?: CallOptions): Promise<void>;
  /** Removes the item. It is no error if there is none. */
  remove(session: string, name: string, kind: ItemKind, options?: CallOptions): Promise<void>;
  /** The session's items, in no order. */
  list(session: string, options?: CallOptions): Promise<Item[]>;
  /** The ids of the store's sessions, in no order. */
  listSessions(options?: CallOptions): Promise<string[]>;

  /** Writes the result of the instance and joins its fan-ins, in as few round trips as can be. */
  commit(context: Context, value: Value, fanIns: Iterable<FanIn>,
         options: BufferOptions): Promise<Committed<Buffer>>;
  commit(context: Context, value: Value, fanIns: Iterable<FanIn>, options?: ValueOptions): Promise<Committed>;
  /** Joins fan-ins for a result that is stored already. */
  join(context: Context, fanIns: Iterable<FanIn>, options?: CallOptions): Promise<FanInState[]>;

  /** Cancels what the store does and closes its connections. It cannot be used from this call on. */
  close(options?: CallOptions): Promise<void>;
}

// --- Functions and steps ----------------------------------------------------------------------

/** A function's configuration, read: what `unum_config.json` says. */
export class UnumFunction {
  private constructor();
  readonly name: string;
  /** JSON text, linked if it is: what a deployment of this one function needs. `parseFunction` takes it. */
  readonly configuration: string;
  /** The session and the instance that a payload is for. */
  identifyPayload(payload: Value): Context;
  /** Frees it now; otherwise the garbage collector does. */
  free(): void;
}

/** Reads a configuration: JSON text, or the object that it says. `source` names it in errors. */
export function parseFunction(configuration: Value | object, source?: string): UnumFunction;

/** The payload that begins a session: `input` is any value that JSON can say, or a payload already. */
export function entryPayload(input: unknown, session?: string): string;

/** What a runtime asks its platform to deliver. */
export interface Invocation {
  function: string;
  instance: string;
  /** Duplicates of one invocation have the same. */
  origin: string;
  /** What `Runtime.step` takes. */
  payload: string;
  /** Of the function's `Retry`, from 1. */
  attempt: number;
  /** The delivery must not begin before this point of time (milliseconds since 1970). */
  notBefore?: number;
}

export interface RuntimeOptions {
  /**
   * The platform. Returning (or resolving) accepts the invocation: it will be delivered at least
   * once. Throwing refuses it: the step ends in the error, of the UnumError's kind or else
   * `disconnected`, and is delivered again.
   */
  invoke: (invocation: Invocation) => unknown;
  /** Larger results go by reference; 0 or nothing: no limit. */
  payloadBytesMax?: number;
  /** The longest `notBefore` that the platform keeps; 0 or nothing: none. */
  delayMaxMs?: number;
  /** Of one step, at once; default 64. */
  invocationsInFlight?: number;
  /** Sessions that begin here are collected. */
  collectsGarbage?: boolean;
  /**
   * The platform delivers each delivery that began again until it has ended itself, also where another one of the
   * same invocation was acknowledged. Otherwise a fan-in stores an item more.
   */
  keepsEveryDelivery?: boolean;
  /** Sessions of another application are refused. */
  application?: Application;
}

/** A call of a function's code. */
export interface Call {
  readonly function: string;
  readonly instance: string;
  readonly session: string;
  /** W3C trace context; may be empty. */
  readonly traceparent: string;
  /** From 1; above 1 if the code may have run for this step before. */
  readonly attempt: number;
  /** `TimeoutSeconds` of the function, counted by the library; 0: none. */
  readonly timeoutMs: number;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** A function's code. What it returns or resolves with is the result, as JSON. */
export type Code = (input: any, call: Call) => unknown;

export interface StepOptions extends CallOptions {
  /** Which delivery of the payload this is, from 1 (the default). */
  attempt?: number;
}

/** What became of a step that ended: acknowledge its delivery. */
export interface Report {
  status: 'succeeded' | 'caught' | 'failed' | 'will_retry';
  /** Of the function's `Retry`, from 1. */
  attempt: number;
  session: string;
  instance: string;
  /** Of a step that failed: its name, message and traceback. */
  error?: string;
  cause?: string;
  /** If it invoked nothing, and no fan-in is known to need it. */
  result?: any;
  resultBytes: number;
  /** Instances that this step invoked. */
  invocations: number;
  /** If it will be retried: when (milliseconds since 1970). */
  notBefore?: number;
  /** The outcome is another delivery's. */
  adopted: boolean;
  userCodeRan: boolean;
  /** Contributors of a fan-in with different lists: the run as a whole has failed then. */
  disagreements?: string[];
}

/**
 * Steps functions on a store. Free it when it is not needed any more: its platform usually refers
 * to it, and the garbage collector does not see through that.
 */
export class Runtime {
  constructor(store: Store, options: RuntimeOptions);
  /**
   * Processes a delivery of a payload to a function. Rejected with a UnumError whose `delivery` says
   * what becomes of the delivery.
   */
  step(fn: UnumFunction, payload: Value, code: Code, options?: StepOptions): Promise<Report>;
  /** Ends a step whose deliveries all ended in `bounded` errors. */
  giveUp(fn: UnumFunction, payload: Value, failure: { error: string; cause?: string },
         options?: StepOptions): Promise<Report>;
  /** Its steps go on to their end. */
  free(): void;
}

// --- Applications -----------------------------------------------------------------------------

export interface Finding {
  severity: 'error' | 'warning' | string;
  rule: string;
  file: string;
  line: number;
  message: string;
}

export interface RunOptions extends CallOptions {
  /** Any value that JSON can say, or a payload; default {}. */
  input?: unknown;
  /** An existing one is continued; default: a new one, or the payload's. */
  session?: string;
  /** TYPE:NAME; default: the template's, else .unum/store in the directory. */
  store?: string;
  storeOptions?: StoreOptions;
  /** Calls of user code at once; default: one per core. */
  workers?: number;
  /** Go on with `session`, with its own input. */
  resume?: boolean;
  /** Also if functions have changed since it was begun. */
  acceptChanges?: boolean;
  /** A line that user code printed. */
  onPrinted?: (instance: string, line: string) => void;
  /** Instead of `store`: an open one, which stays open. */
  openStore?: Store;
  /** The functions that are the program's own, by name; the others run in worker processes. */
  code?: { [name: string]: Code };
}

export interface Run {
  status: 'succeeded' | 'failed' | 'interrupted' | 'timed_out';
  session: string;
  /** If it succeeded. */
  result?: any;
  instances: number;
  userCodeRuns: number;
  /** Sorted by instance; that of the run as a whole has an empty one. */
  failures: { instance: string; error: string; cause: string }[];
}

/** An application that was checked and accepted. */
export class Application {
  private constructor();
  readonly name: string;
  /** The function that a session begins with. */
  readonly entry: string;
  /** What the check has to say all the same, sorted by file and line. */
  readonly findings: Finding[];
  /** Its functions, sorted by name, linked: each knows what depends on the others' edges. */
  functions(): UnumFunction[];
  /**
   * Runs it in one session to its end, as `unum run` does; its functions run in worker processes, but
   * for those in `code`. A workflow that fails is a result, not an error.
   */
  run(options?: RunOptions): Promise<Run>;
  /** Frees it now; otherwise the garbage collector does. */
  free(): void;
}

/**
 * Reads and checks an application's directory, as `unum check` does; blocks while it reads files.
 * One that is refused throws a UnumError of kind `invalid` with `findings`.
 */
export function loadApplication(directory: string): Application;

/**
 * The same for an application that is text in memory: what is in its unum-template.yaml, and each
 * function's configuration by its name, as JSON text or the object that it says. Reads no file.
 * `directory` is where a relative CodeUri or data store begins in a run; default: nowhere.
 */
export function parseApplication(template: Value, configurations: { [name: string]: Value | object },
                                 directory?: string): Application;
