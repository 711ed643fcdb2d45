//! Errors as the library gives them, and texts on their way across the border.

use std::ffi::CStr;
use std::fmt;

use crate::sys;

/// What an error means for the caller: what can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// What was named does not exist: create it, or correct the name.
    NotFound,
    /// Someone wrote something different: do not retry unchanged.
    Conflict,
    /// The input is wrong: correct it.
    Invalid,
    /// Not permitted: change credentials or permissions.
    Denied,
    /// The service asks for fewer requests: retry later.
    Throttled,
    /// The time is up; it may or may not have taken effect.
    Timeout,
    /// The peer is lost; it may or may not have taken effect.
    Disconnected,
    /// The op was cancelled; it may or may not have taken effect.
    Cancelled,
    /// Stored or received data is damaged.
    Corrupt,
    /// A limit was reached, or disk, memory or descriptors ran out.
    Exhausted,
    /// The library or its caller broke a rule of the interface.
    Bug,
    /// A number that this version of the crate does not know.
    Unknown(i32),
}

const KINDS: [Kind; 11] = [
    Kind::NotFound,
    Kind::Conflict,
    Kind::Invalid,
    Kind::Denied,
    Kind::Throttled,
    Kind::Timeout,
    Kind::Disconnected,
    Kind::Cancelled,
    Kind::Corrupt,
    Kind::Exhausted,
    Kind::Bug,
];

impl Kind {
    pub(crate) fn of(status: sys::unum_status) -> Kind {
        let place = usize::try_from(status).ok().and_then(|status| status.checked_sub(1));
        place.and_then(|place| KINDS.get(place).copied()).unwrap_or(Kind::Unknown(status))
    }

    /// The number that `unum.h` has for it.
    pub fn number(self) -> i32 {
        match self {
            Kind::Unknown(number) => number,
            known => KINDS.iter().position(|kind| *kind == known).map_or(0, |at| at as i32 + 1),
        }
    }

    /// Its name: `"not_found"`.
    pub fn name(self) -> &'static str {
        // SAFETY: the library returns a literal.
        unsafe { literal(sys::unum_status_name(self.number())) }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// What becomes of a delivery whose step ended in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Delivery {
    /// Acknowledge it: another one would fail the same way.
    Final,
    /// Do not acknowledge it; deliver again until the error is gone.
    Again,
    /// The same, up to a limit of the host's; then [`Runtime::give_up`](crate::Runtime::give_up).
    Bounded,
}

/// Why a call or an op failed. No text contains a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Error {
    /// What the caller can do about it.
    pub kind: Kind,
    /// Of an op that ended in it: what becomes of the delivery.
    pub delivery: Option<Delivery>,
    /// Where it comes from: `"fs"`, `"ir"`, `"reactor"`, `"capi"`, `"rust"`, ...
    pub origin: String,
    /// Stable, for people and their scripts: `"ENOSPC"`, `"Unum.MissingInput"`, ...
    pub code: String,
    /// What happened, and what is involved.
    pub message: String,
}

/// A result whose error is the library's.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of an invoker's or of this crate's own.
    pub fn new(kind: Kind, code: impl Into<String>, message: impl Into<String>) -> Error {
        let (code, message) = (code.into(), message.into());
        Error { kind, delivery: None, origin: "rust".into(), code, message }
    }

    /// The error of the thread's last call.
    pub(crate) fn last() -> Error {
        // SAFETY: never NULL, and valid until the thread's next failure.
        unsafe { Error::of(sys::unum_last_error()) }
    }

    /// # Safety
    /// `error` is NULL or valid.
    pub(crate) unsafe fn of(error: *const sys::unum_error) -> Error {
        if error.is_null() {
            return Error::new(Kind::Bug, "Unum.NoError", "the library gave no error");
        }
        let error = &*error;
        Error {
            kind: Kind::of(error.status),
            delivery: match error.delivery {
                sys::UNUM_DELIVERY_FINAL => Some(Delivery::Final),
                sys::UNUM_DELIVERY_AGAIN => Some(Delivery::Again),
                sys::UNUM_DELIVERY_BOUNDED => Some(Delivery::Bounded),
                _ => None,
            },
            origin: string_of(error.origin),
            code: string_of(error.code),
            message: string_of(error.message),
        }
    }

    /// The status of a call: an error unless it is `UNUM_OK`.
    pub(crate) fn check(status: sys::unum_status) -> Result<()> {
        if status == sys::UNUM_OK {
            Ok(())
        } else {
            Err(Error::last())
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {} ({} {})", self.origin, self.message, self.kind, self.code)
    }
}

impl std::error::Error for Error {}

/// A text that the library copies before its function returns.
pub(crate) fn text(bytes: &[u8]) -> sys::unum_text {
    sys::unum_text { data: bytes.as_ptr().cast(), bytes: bytes.len() }
}

pub(crate) fn texts<S: AsRef<str>>(strings: &[S]) -> Vec<sys::unum_text> {
    strings.iter().map(|string| text(string.as_ref().as_bytes())).collect()
}

/// # Safety
/// The text is absent, or valid for as long as the bytes are used.
pub(crate) unsafe fn bytes_of<'a>(text: sys::unum_text) -> Option<&'a [u8]> {
    if text.data.is_null() {
        return None;
    }
    Some(std::slice::from_raw_parts(text.data.cast(), text.bytes))
}

/// # Safety
/// As `bytes_of`. An absent text is an empty string.
pub(crate) unsafe fn string_of(text: sys::unum_text) -> String {
    String::from_utf8_lossy(bytes_of(text).unwrap_or_default()).into_owned()
}

/// # Safety
/// `string` is NULL or a C string that lives as long as what is returned.
pub(crate) unsafe fn literal<'a>(string: *const std::os::raw::c_char) -> &'a str {
    if string.is_null() {
        return "";
    }
    CStr::from_ptr(string).to_str().unwrap_or_default()
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked with a value that is no text".into())
}
