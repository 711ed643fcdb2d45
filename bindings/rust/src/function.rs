//! Functions: what a configuration says.

use std::rc::Rc;

use crate::core::Core;
use crate::error::{string_of, text, Error, Result};
use crate::event_loop::Loop;
use crate::sys;

struct FunctionHandle {
    /// Keeps the loop.
    _core: Rc<Core>,
    raw: *mut sys::unum_function,
}

impl Drop for FunctionHandle {
    fn drop(&mut self) {
        // SAFETY: it is on the loop's thread; a stale handle is refused.
        unsafe { sys::unum_function_free(self.raw) };
    }
}

/// A function's configuration. Clones are the same.
#[derive(Clone)]
pub struct Function {
    handle: Rc<FunctionHandle>,
}

impl Loop {
    /// Reads a function's configuration, the text of `unum_config.json`; `source` names it in
    /// errors. Fails with [`Kind::Invalid`], naming the field, if it is wrong.
    pub fn parse_function(&self, configuration: &str, source: &str) -> Result<Function> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: arguments are copied before the call returns.
        Error::check(unsafe {
            sys::unum_function_parse(
                self.core.raw(),
                text(configuration.as_bytes()),
                text(source.as_bytes()),
                &mut raw,
            )
        })?;
        Ok(Function::of(&self.core, raw))
    }
}

impl Function {
    pub(crate) fn of(core: &Rc<Core>, raw: *mut sys::unum_function) -> Function {
        Function { handle: Rc::new(FunctionHandle { _core: Rc::clone(core), raw }) }
    }

    pub(crate) fn raw(&self) -> *mut sys::unum_function {
        self.handle.raw
    }

    /// Its name; empty after the loop was closed.
    pub fn name(&self) -> String {
        // SAFETY: a stale handle is refused, and the text copied.
        unsafe { string_of(sys::unum_function_name(self.handle.raw)) }
    }

    /// Its configuration as JSON text, linked if it is: what a deployment of this one function
    /// needs. [`Loop::parse_function`] makes an equal function of it. Empty after the loop was
    /// closed.
    pub fn configuration(&self) -> String {
        // SAFETY: as above.
        unsafe { string_of(sys::unum_function_configuration(self.handle.raw)) }
    }

    /// The session and the instance that a payload is for.
    pub fn identify_payload(&self, payload: impl AsRef<[u8]>) -> Result<(String, String)> {
        let mut names = sys::unum_context::default();
        let payload = text(payload.as_ref());
        // SAFETY: as above.
        unsafe {
            Error::check(sys::unum_identify_payload(self.handle.raw, payload, &mut names))?;
            Ok((string_of(names.session), string_of(names.instance)))
        }
    }
}
