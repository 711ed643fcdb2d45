//! Logging, for the whole process.

use std::os::raw::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Mutex};

use crate::error::{string_of, text, Error, Result};
use crate::sys;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogEvent {
    /// `"warn"`, `"info"`, ...
    pub level: String,
    /// `"redis"`, `"reactor"`, ...
    pub area: String,
    /// The session, if it belongs to one.
    pub session: String,
    /// The instance, if it belongs to one.
    pub instance: String,
    /// What happened.
    pub line: String,
}

type Sink = Arc<dyn Fn(LogEvent) + Send + Sync>;

/// One place for the process: no closure is freed while another thread may be in it.
static SINK: Mutex<Option<Sink>> = Mutex::new(None);

/// Sets levels in the form of the environment variable `UNUM_LOG`: `"warn"`, `"info,redis=trace"`,
/// `"off"`.
pub fn set_log_levels(levels: &str) -> Result<()> {
    // A NULL callback would take events back to stderr.
    let has_sink = SINK.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).is_some();
    set(text(levels.as_bytes()), has_sink)
}

/// Where events go: to a closure, which is called on the thread where they occur, one at a time,
/// and must not call the library; or, for `None`, to stderr.
///
/// ```
/// unum_workflows::set_log(Some(std::sync::Arc::new(|event| eprintln!("{}", event.line))))?;
/// unum_workflows::set_log_levels("info,redis=trace")?;
/// # unum_workflows::set_log_levels("off")?;
/// # Ok::<(), unum_workflows::Error>(())
/// ```
pub fn set_log(sink: Option<Sink>) -> Result<()> {
    let has_sink = sink.is_some();
    let before = {
        let mut place = SINK.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        std::mem::replace(&mut *place, sink)
    };
    drop(before);
    set(sys::UNUM_ABSENT, has_sink)
}

fn set(levels: sys::unum_text, has_sink: bool) -> Result<()> {
    let log: sys::unum_log = if has_sink { Some(on_event) } else { None };
    // SAFETY: the callback is a function of its own, and the levels are copied.
    Error::check(unsafe { sys::unum_set_log(levels, log, std::ptr::null_mut()) })
}

unsafe extern "C" fn on_event(
    level: sys::unum_text,
    area: sys::unum_text,
    session: sys::unum_text,
    instance: sys::unum_text,
    line: sys::unum_text,
    _user: *mut c_void,
) {
    let sink = SINK.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
    if let Some(sink) = sink {
        let event = LogEvent {
            level: string_of(level),
            area: string_of(area),
            session: string_of(session),
            instance: string_of(instance),
            line: string_of(line),
        };
        // A line that cannot be logged is no reason to end the program.
        let _ = catch_unwind(AssertUnwindSafe(|| sink(event)));
    }
}
