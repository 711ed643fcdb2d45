//! Stores: the five calls of the data-store document, items, and fan-ins.

use std::any::Any;
use std::ops::ControlFlow;
use std::os::raw::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::rc::Rc;

use crate::core::{Core, OpState};
use crate::error::{bytes_of, panic_text, string_of, text, texts, Error, Kind, Result};
use crate::event_loop::Loop;
use crate::op::Op;
use crate::store_options::StoreOptions;
use crate::sys;

/// What became of a value that may only be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was written.
    New,
    /// This value was there already, and stays.
    Existing(Vec<u8>),
}

impl Written {
    /// Whether it was written by this call.
    pub fn is_written(&self) -> bool {
        matches!(self, Written::New)
    }
}

/// What an item of a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum ItemKind {
    /// An instance's result or caught failure.
    Outcome = sys::UNUM_ITEM_OUTCOME,
    /// A failure that was not caught.
    Report = sys::UNUM_ITEM_REPORT,
    /// What the session was begun with.
    Input = sys::UNUM_ITEM_INPUT,
    /// Who invokes an aggregator.
    Claim = sys::UNUM_ITEM_CLAIM,
    /// A fan-in that was requested, and its list.
    Wanted = sys::UNUM_ITEM_WANTED,
    /// What delivering an instance again needs.
    Garbage = sys::UNUM_ITEM_GARBAGE,
    /// The application that the session belongs to.
    Application = sys::UNUM_ITEM_APPLICATION,
    /// The next attempt of a failed step.
    Delayed = sys::UNUM_ITEM_DELAYED,
    /// Who invoked an aggregator, once that is accepted.
    Invoked = sys::UNUM_ITEM_INVOKED,
}

impl ItemKind {
    const ALL: [ItemKind; 9] = [
        ItemKind::Outcome,
        ItemKind::Report,
        ItemKind::Input,
        ItemKind::Claim,
        ItemKind::Wanted,
        ItemKind::Garbage,
        ItemKind::Application,
        ItemKind::Delayed,
        ItemKind::Invoked,
    ];

    fn of(number: i32) -> Option<ItemKind> {
        ItemKind::ALL.iter().copied().find(|kind| *kind as i32 == number)
    }
}

/// An item of a session, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Item {
    /// Of the instance, usually.
    pub name: String,
    /// `None`: a kind that this version of the crate does not know.
    pub kind: Option<ItemKind>,
    /// Its size.
    pub bytes: u64,
    /// Nanoseconds since 1970, by the store's clock.
    pub modified_ns: i64,
}

/// A fan-in that an instance takes part in. All contributors give the same list in the same order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FanIn {
    /// Who is invoked with the results.
    pub aggregator: String,
    /// The contributors.
    pub instances: Vec<String>,
}

/// What a fan-in is after its contributor's result was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FanInState {
    /// A result is missing; its instance will find the set complete.
    Incomplete,
    /// Complete, and the caller's to go on from: it must invoke the aggregator.
    Claimed,
    /// Complete, and the instance's that is named.
    Taken(String),
    /// Another instance has another list.
    Mismatch(String),
    /// A state that this version of the crate does not know.
    Unknown(i32),
}

/// What [`Store::commit`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Commit {
    /// Whether the result was written.
    pub written: Written,
    /// In the order of the fan-ins; empty if another value was there, which decides then.
    pub fan_ins: Vec<FanInState>,
}

struct StoreHandle {
    core: Rc<Core>,
    raw: std::cell::Cell<*mut sys::unum_store>,
    /// The closures of its options.
    keep: std::cell::RefCell<Option<Box<dyn Any>>>,
}

impl Drop for StoreHandle {
    fn drop(&mut self) {
        let raw = self.raw.get();
        if !raw.is_null() && !self.core.is_closed() {
            self.core.close_store(raw, self.keep.borrow_mut().take());
        }
    }
}

/// An opened store. Clones are the same store. It is closed when the last one is dropped, and the
/// last op and runtime on it.
#[derive(Clone)]
pub struct Store {
    handle: Rc<StoreHandle>,
}

impl Loop {
    /// Opens a store with the default options: `"fs"` with a directory, `"s3"` with a bucket,
    /// `"dynamodb"` with a table, `"redis"` with HOST:PORT or a URL, `"memory"` with any name. Ends
    /// with [`Kind::NotFound`] if there is none: nothing is created.
    pub fn open_store(&self, kind: &str, name: &str) -> Op<Store> {
        self.open_store_with(kind, name, StoreOptions::default())
    }

    /// Opens a store.
    pub fn open_store_with(&self, kind: &str, name: &str, options: StoreOptions) -> Op<Store> {
        let core = &self.core;
        let (options, keep) = options.into_c(core);
        // SAFETY: arguments are copied before the call returns; the closures are kept.
        let state = core.begin(Some(keep), |start| unsafe {
            sys::unum_store_open(
                core.raw(),
                text(kind.as_bytes()),
                text(name.as_bytes()),
                &options,
                start,
            )
        });
        Op::new(core, state, |core, state, op| {
            // SAFETY: the op has ended.
            let raw = std::cell::Cell::new(unsafe { sys::unum_op_store(op) });
            let keep = std::cell::RefCell::new(state.keep.borrow_mut().take());
            Ok(Store { handle: Rc::new(StoreHandle { core: Rc::clone(core), raw, keep }) })
        })
    }

    /// Creates a store unless it exists. True if it was created.
    pub fn create_store(&self, kind: &str, name: &str) -> Op<bool> {
        let core = &self.core;
        // SAFETY: arguments are copied before the call returns.
        let state = core.begin(None, |start| unsafe {
            sys::unum_store_create(core.raw(), text(kind.as_bytes()), text(name.as_bytes()), start)
        });
        Op::new(core, state, yes)
    }
}

fn yes(_: &Rc<Core>, _: &OpState, op: *mut sys::unum_op) -> Result<bool> {
    // SAFETY: a handle that is none is refused.
    Ok(unsafe { sys::unum_op_number(op) } == 1)
}

fn nothing(_: &Rc<Core>, _: &OpState, _: *mut sys::unum_op) -> Result<()> {
    Ok(())
}

fn value_at(op: *mut sys::unum_op, place: usize) -> Option<Vec<u8>> {
    // SAFETY: valid until the op is freed.
    unsafe { bytes_of(sys::unum_op_value(op, place)).map(<[u8]>::to_vec) }
}

fn written(_: &Rc<Core>, _: &OpState, op: *mut sys::unum_op) -> Result<Written> {
    // SAFETY: a handle that is none is refused.
    if unsafe { sys::unum_op_number(op) } == 1 {
        return Ok(Written::New);
    }
    Ok(Written::Existing(value_at(op, 0).unwrap_or_default()))
}

fn values(_: &Rc<Core>, _: &OpState, op: *mut sys::unum_op) -> Result<Vec<Vec<u8>>> {
    // SAFETY: as above.
    let count = unsafe { sys::unum_op_count(op) };
    Ok((0..count).map(|place| value_at(op, place).unwrap_or_default()).collect())
}

fn fan_in_states(op: *mut sys::unum_op) -> Vec<FanInState> {
    // SAFETY: each struct is valid until the next call.
    let state_at = |place| unsafe {
        let state = sys::unum_op_fan_in(op, place).as_ref()?;
        Some(match state.status {
            sys::UNUM_FAN_IN_INCOMPLETE => FanInState::Incomplete,
            sys::UNUM_FAN_IN_CLAIMED => FanInState::Claimed,
            sys::UNUM_FAN_IN_TAKEN => FanInState::Taken(string_of(state.detail)),
            sys::UNUM_FAN_IN_MISMATCH => FanInState::Mismatch(string_of(state.detail)),
            other => FanInState::Unknown(other),
        })
    };
    // SAFETY: a handle that is none is refused.
    (0..unsafe { sys::unum_op_count(op) }).filter_map(state_at).collect()
}

/// A caller's fan-ins as C has them.
struct CFanIns {
    _instances: Vec<Vec<sys::unum_text>>,
    fan_ins: Vec<sys::unum_fan_in>,
}

fn fan_ins_of(fan_ins: &[FanIn]) -> CFanIns {
    let instances: Vec<_> = fan_ins.iter().map(|fan_in| texts(&fan_in.instances)).collect();
    let of = |(fan_in, names): (&FanIn, &Vec<sys::unum_text>)| sys::unum_fan_in {
        struct_bytes: std::mem::size_of::<sys::unum_fan_in>(),
        aggregator: text(fan_in.aggregator.as_bytes()),
        instances: names.as_ptr(),
        count: names.len(),
    };
    let fan_ins = fan_ins.iter().zip(&instances).map(of).collect();
    CFanIns { _instances: instances, fan_ins }
}

fn context(session: &str, instance: &str) -> sys::unum_context {
    sys::unum_context { session: text(session.as_bytes()), instance: text(instance.as_bytes()) }
}

// SAFETY of all calls below: arguments are copied before a call returns, and a handle that was
// closed is refused by the library.
impl Store {
    pub(crate) fn core(&self) -> &Rc<Core> {
        &self.handle.core
    }

    pub(crate) fn raw(&self) -> *mut sys::unum_store {
        self.handle.raw.get()
    }

    /// Where NULL means that there is none: a store that was closed is no handle, and refused.
    pub(crate) fn raw_or_refused(&self) -> *mut sys::unum_store {
        let raw = self.raw();
        if raw.is_null() {
            return std::ptr::NonNull::dangling().as_ptr();
        }
        raw
    }

    fn begin<T: 'static>(
        &self,
        begin: impl FnOnce(*const sys::unum_start) -> *mut sys::unum_op,
        take: impl FnOnce(&Rc<Core>, &OpState, *mut sys::unum_op) -> Result<T> + 'static,
    ) -> Op<T> {
        Op::new(self.core(), self.core().begin(None, begin), take).needing(self.handle.clone())
    }

    /// `"fs"`, `"redis"`, ...; empty after it was closed.
    pub fn kind(&self) -> String {
        unsafe { string_of(sys::unum_store_type(self.raw())) }
    }

    /// The name without secrets; empty after it was closed.
    pub fn name(&self) -> String {
        unsafe { string_of(sys::unum_store_name(self.raw())) }
    }

    /// Cancels what the store does and closes its connections, whoever else holds it.
    pub fn close(&self) -> Op<()> {
        let raw = self.handle.raw.replace(std::ptr::null_mut());
        let keep = self.handle.keep.borrow_mut().take();
        let state = self.core().begin(keep, |start| unsafe { sys::unum_store_close(raw, start) });
        Op::new(self.core(), state, nothing)
    }

    /// A new session's id. Does no I/O: a session exists once its first value is written.
    pub fn create_session_context(&self) -> Result<String> {
        let mut session = [0u8; sys::UNUM_SESSION_BYTES];
        let written = session.as_mut_ptr().cast();
        Error::check(unsafe { sys::unum_create_session_context(self.raw(), written) })?;
        Ok(String::from_utf8_lossy(&session).into_owned())
    }

    /// Creates the result of an instance, unless there is one. Durable when the op ends.
    pub fn write_return_value(
        &self,
        session: &str,
        instance: &str,
        value: impl AsRef<[u8]>,
    ) -> Op<Written> {
        let (raw, context, value) = (self.raw(), context(session, instance), text(value.as_ref()));
        self.begin(
            |start| unsafe { sys::unum_write_return_value(raw, context, value, start) },
            written,
        )
    }

    /// The values, in the order of the names. Ends with [`Kind::NotFound`], naming them all, if
    /// some are missing.
    pub fn read_input<S: AsRef<str>>(&self, session: &str, instances: &[S]) -> Op<Vec<Vec<u8>>> {
        let (raw, session, names) = (self.raw(), text(session.as_bytes()), texts(instances));
        self.begin(
            |start| unsafe {
                sys::unum_read_input(raw, session, names.as_ptr(), names.len(), start)
            },
            values,
        )
    }

    /// Whether the value exists.
    pub fn check_value_exist(&self, session: &str, instance: &str) -> Op<bool> {
        let (raw, session) = (self.raw(), text(session.as_bytes()));
        let instance = text(instance.as_bytes());
        self.begin(
            |start| unsafe { sys::unum_check_value_exist(raw, session, instance, start) },
            yes,
        )
    }

    /// Whether all values exist.
    pub fn check_values_exist<S: AsRef<str>>(&self, session: &str, instances: &[S]) -> Op<bool> {
        let (raw, session, names) = (self.raw(), text(session.as_bytes()), texts(instances));
        self.begin(
            |start| unsafe {
                sys::unum_check_values_exist(raw, session, names.as_ptr(), names.len(), start)
            },
            yes,
        )
    }

    /// As [`Store::read_input`] for inputs that are large together: holds 64 values at most, and
    /// calls `consume` with each, in order, in turns of the loop. `Break` ends the op with
    /// [`Kind::Cancelled`]; a panic is its error, `Panic`.
    pub fn read_input_stream<S: AsRef<str>>(
        &self,
        session: &str,
        instances: &[S],
        consume: impl FnMut(usize, &[u8]) -> ControlFlow<()> + 'static,
    ) -> Op<()> {
        let (raw, session, names) = (self.raw(), text(session.as_bytes()), texts(instances));
        let core: *const Core = &**self.core();
        let panicked = Rc::new(std::cell::RefCell::new(None));
        let consume: Consume = Box::new(consume);
        let stream = Stream { core, consume, panicked: Rc::clone(&panicked) };
        // In a cell: `keep` is borrowed as shared while the library calls it.
        let keep = Box::new(std::cell::RefCell::new(stream));
        let user = &*keep as *const std::cell::RefCell<Stream> as *mut c_void;
        let state = self.core().begin(Some(keep), |start| unsafe {
            let consume: sys::unum_consume = Some(on_value);
            sys::unum_read_input_stream(
                raw,
                session,
                names.as_ptr(),
                names.len(),
                consume,
                user,
                start,
            )
        });
        Op::new(self.core(), state, nothing).needing(self.handle.clone()).explain(move || {
            let text: String = panicked.borrow_mut().take()?;
            Some(Error::new(Kind::Bug, "Panic", text))
        })
    }

    /// The item, if there is one.
    pub fn get(&self, session: &str, name: &str, kind: ItemKind) -> Op<Option<Vec<u8>>> {
        let (raw, session, name) = (self.raw(), text(session.as_bytes()), text(name.as_bytes()));
        self.begin(
            |start| unsafe { sys::unum_store_get(raw, session, name, kind as i32, start) },
            |_, _, op| Ok(value_at(op, 0)),
        )
    }

    /// The same of the bytes from `offset` on, `bytes` of them at most.
    pub fn get_range(
        &self,
        session: &str,
        name: &str,
        kind: ItemKind,
        offset: u64,
        bytes: usize,
    ) -> Op<Option<Vec<u8>>> {
        let (raw, session, name) = (self.raw(), text(session.as_bytes()), text(name.as_bytes()));
        self.begin(
            |start| unsafe {
                sys::unum_store_get_range(raw, session, name, kind as i32, offset, bytes, start)
            },
            |_, _, op| Ok(value_at(op, 0)),
        )
    }

    /// Creates the item unless it exists.
    pub fn create_item(
        &self,
        session: &str,
        name: &str,
        kind: ItemKind,
        value: impl AsRef<[u8]>,
    ) -> Op<Written> {
        let (raw, session, name) = (self.raw(), text(session.as_bytes()), text(name.as_bytes()));
        let value = text(value.as_ref());
        self.begin(
            |start| unsafe {
                sys::unum_store_create_item(raw, session, name, kind as i32, value, start)
            },
            written,
        )
    }

    /// Writes the item, whether or not it exists.
    pub fn put(
        &self,
        session: &str,
        name: &str,
        kind: ItemKind,
        value: impl AsRef<[u8]>,
    ) -> Op<()> {
        let (raw, session, name) = (self.raw(), text(session.as_bytes()), text(name.as_bytes()));
        let value = text(value.as_ref());
        self.begin(
            |start| unsafe { sys::unum_store_put(raw, session, name, kind as i32, value, start) },
            nothing,
        )
    }

    /// Removes the item. It is no error if there is none.
    pub fn remove(&self, session: &str, name: &str, kind: ItemKind) -> Op<()> {
        let (raw, session, name) = (self.raw(), text(session.as_bytes()), text(name.as_bytes()));
        self.begin(
            |start| unsafe { sys::unum_store_remove(raw, session, name, kind as i32, start) },
            nothing,
        )
    }

    /// The session's items, in no order.
    pub fn list(&self, session: &str) -> Op<Vec<Item>> {
        let (raw, session) = (self.raw(), text(session.as_bytes()));
        self.begin(
            |start| unsafe { sys::unum_store_list(raw, session, start) },
            |_, _, op| {
                let item_at = |place| unsafe {
                    let item = sys::unum_op_item(op, place).as_ref()?;
                    Some(Item {
                        name: string_of(item.name),
                        kind: ItemKind::of(item.kind),
                        bytes: item.bytes,
                        modified_ns: item.modified_ns,
                    })
                };
                Ok((0..unsafe { sys::unum_op_count(op) }).filter_map(item_at).collect())
            },
        )
    }

    /// The ids of the store's sessions, in no order.
    pub fn list_sessions(&self) -> Op<Vec<String>> {
        let raw = self.raw();
        self.begin(
            |start| unsafe { sys::unum_store_list_sessions(raw, start) },
            |core, state, op| {
                let ids = values(core, state, op)?;
                Ok(ids.iter().map(|id| String::from_utf8_lossy(id).into_owned()).collect())
            },
        )
    }

    /// Writes the result of an instance and joins its fan-ins, in as few round trips as the store
    /// can.
    pub fn commit(
        &self,
        session: &str,
        instance: &str,
        value: impl AsRef<[u8]>,
        fan_ins: &[FanIn],
    ) -> Op<Commit> {
        let (raw, context, value) = (self.raw(), context(session, instance), text(value.as_ref()));
        let given = fan_ins_of(fan_ins);
        let (first, count) = (given.fan_ins.as_ptr(), given.fan_ins.len());
        self.begin(
            |start| unsafe { sys::unum_store_commit(raw, context, value, first, count, start) },
            |core, state, op| {
                let written = written(core, state, op)?;
                Ok(Commit { written, fan_ins: fan_in_states(op) })
            },
        )
    }

    /// Joins fan-ins for a result that is stored already. Their states, in their order.
    pub fn join(&self, session: &str, instance: &str, fan_ins: &[FanIn]) -> Op<Vec<FanInState>> {
        let (raw, context, given) = (self.raw(), context(session, instance), fan_ins_of(fan_ins));
        let (first, count) = (given.fan_ins.as_ptr(), given.fan_ins.len());
        self.begin(
            |start| unsafe { sys::unum_store_join(raw, context, first, count, start) },
            |_, _, op| Ok(fan_in_states(op)),
        )
    }
}

type Consume = Box<dyn FnMut(usize, &[u8]) -> ControlFlow<()>>;

struct Stream {
    core: *const Core,
    consume: Consume,
    panicked: Rc<std::cell::RefCell<Option<String>>>,
}

unsafe extern "C" fn on_value(
    place: usize,
    value: sys::unum_text,
    user: *mut c_void,
) -> sys::unum_status {
    let mut stream = (*(user as *const std::cell::RefCell<Stream>)).borrow_mut();
    let stream = &mut *stream;
    if (*stream.core).is_closing.get() {
        return sys::UNUM_CANCELLED;
    }
    let consume = &mut stream.consume;
    let value = bytes_of(value).unwrap_or_default();
    match catch_unwind(AssertUnwindSafe(|| consume(place, value))) {
        Ok(ControlFlow::Continue(())) => sys::UNUM_OK,
        Ok(ControlFlow::Break(())) => sys::UNUM_CANCELLED,
        Err(panic) => {
            *stream.panicked.borrow_mut() = Some(panic_text(&*panic));
            sys::UNUM_BUG
        }
    }
}
