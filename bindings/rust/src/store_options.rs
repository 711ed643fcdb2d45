//! How a store is opened, and the closures that it may call.

use std::os::raw::c_void;
use std::time::Duration;

use crate::core::{milliseconds, Core};
use crate::error::string_of;
use crate::sys;

/// Told a line for people.
pub type Line = Box<dyn Fn(&str)>;

/// How a store is opened. Zero and `None` are the library's defaults.
#[derive(Default)]
pub struct StoreOptions {
    /// `fs` does not wait for the disk.
    pub not_durable: bool,
    /// Reads may miss what was just written, and are repeated then.
    pub eventual_reads: bool,
    /// Values in flight while many are read. 0: 64.
    pub in_flight_max: u32,
    /// A request that takes longer is lost, and repeated. `None`: 30 s.
    pub request_timeout: Option<Duration>,
    /// How long a call goes on while the store is unreachable. `None`: 60 s.
    pub patience: Option<Duration>,
    /// Called with a line for each setting of the server that puts values at risk.
    pub warn: Option<Line>,
    /// Called with a line every few seconds while a call waits for the store.
    pub waiting: Option<Line>,
}

/// The options as C has them, with the closures that they point to.
pub(crate) struct StoreCallbacks {
    core: *const Core,
    warn: Option<Line>,
    waiting: Option<Line>,
}

impl StoreOptions {
    pub(crate) fn into_c(self, core: &Core) -> (sys::unum_store_options, Box<StoreCallbacks>) {
        let limit =
            |duration: Option<Duration>| duration.map_or(0, |time| milliseconds(time).max(1));
        let (has_warn, has_waiting) = (self.warn.is_some(), self.waiting.is_some());
        let callbacks = Box::new(StoreCallbacks { core, warn: self.warn, waiting: self.waiting });
        let options = sys::unum_store_options {
            struct_bytes: std::mem::size_of::<sys::unum_store_options>(),
            not_durable: self.not_durable.into(),
            eventual_reads: self.eventual_reads.into(),
            in_flight_max: self.in_flight_max,
            reserved: 0,
            request_timeout_ms: limit(self.request_timeout),
            patience_ms: limit(self.patience),
            warn: if has_warn { Some(on_warning) } else { None },
            waiting: if has_waiting { Some(on_waiting) } else { None },
            user: &*callbacks as *const StoreCallbacks as *mut c_void,
        };
        (options, callbacks)
    }
}

unsafe fn tell(callbacks: &StoreCallbacks, told: &Option<Line>, line: sys::unum_text) {
    let core = &*callbacks.core;
    if let (Some(told), false) = (told, core.is_closing.get()) {
        core.guard(|| told(&string_of(line)));
    }
}

unsafe extern "C" fn on_warning(line: sys::unum_text, user: *mut c_void) {
    let callbacks = &*(user as *const StoreCallbacks);
    tell(callbacks, &callbacks.warn, line);
}

unsafe extern "C" fn on_waiting(line: sys::unum_text, user: *mut c_void) {
    let callbacks = &*(user as *const StoreCallbacks);
    tell(callbacks, &callbacks.waiting, line);
}
