//! Whole applications: checked, linked, and run as `unum run` does.

use std::fmt;
use std::os::raw::c_void;
use std::rc::Rc;

use crate::core::Core;
use crate::error::{bytes_of, string_of, text, Error, Result};
use crate::event_loop::Loop;
use crate::function::Function;
use crate::op::Op;
use crate::runtime::{Handler, StepKeep};
use crate::store::Store;
use crate::store_options::{StoreCallbacks, StoreOptions};
use crate::sys;

struct ApplicationHandle {
    core: Rc<Core>,
    raw: *mut sys::unum_application,
}

impl Drop for ApplicationHandle {
    fn drop(&mut self) {
        // SAFETY: it is on the loop's thread; a stale handle is refused.
        unsafe { sys::unum_application_free(self.raw) };
    }
}

/// An application that was checked and accepted. Clones are the same.
#[derive(Clone)]
pub struct Application {
    handle: Rc<ApplicationHandle>,
}

/// Why an application was not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadError {
    /// What went wrong.
    pub error: Error,
    /// What was found, as [`Application::findings`]; empty if it was not even looked at.
    pub findings: String,
}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(out)
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<LoadError> for Error {
    fn from(refused: LoadError) -> Error {
        refused.error
    }
}

impl Loop {
    /// Reads and checks an application's directory, as `unum check` does; blocks while it reads
    /// files.
    pub fn load_application(&self, directory: &str) -> std::result::Result<Application, LoadError> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: arguments are copied before the call returns.
        let loaded = Error::check(unsafe {
            sys::unum_application_load(self.core.raw(), text(directory.as_bytes()), &mut raw)
        });
        self.application_of(raw, loaded)
    }

    /// The same for an application that is text in memory: what is in its `unum-template.yaml`, and
    /// the name and the configuration of each function. Reads no file. `directory` is where a
    /// relative CodeUri or data store begins in a run; `None`: nowhere.
    pub fn parse_application(
        &self,
        template_yaml: &str,
        configurations: &[(&str, &str)],
        directory: Option<&str>,
    ) -> std::result::Result<Application, LoadError> {
        let structs: Vec<_> = configurations
            .iter()
            .map(|(function, configuration)| sys::unum_configuration {
                struct_bytes: std::mem::size_of::<sys::unum_configuration>(),
                function: text(function.as_bytes()),
                text: text(configuration.as_bytes()),
            })
            .collect();
        let mut raw = std::ptr::null_mut();
        // SAFETY: as above.
        let parsed = Error::check(unsafe {
            sys::unum_application_parse(
                self.core.raw(),
                text(template_yaml.as_bytes()),
                structs.as_ptr(),
                structs.len(),
                optional(directory.map(str::as_bytes)),
                &mut raw,
            )
        });
        self.application_of(raw, parsed)
    }

    fn application_of(
        &self,
        raw: *mut sys::unum_application,
        checked: Result<()>,
    ) -> std::result::Result<Application, LoadError> {
        let core = Rc::clone(&self.core);
        let application = Application { handle: Rc::new(ApplicationHandle { core, raw }) };
        match checked {
            Ok(()) => Ok(application),
            Err(error) if raw.is_null() => Err(LoadError { error, findings: String::new() }),
            Err(error) => Err(LoadError { error, findings: application.findings() }),
        }
    }
}

/// How an application is run.
#[derive(Default)]
pub struct RunOptions {
    /// Any JSON, or a payload. `None`: `{}`.
    pub input: Option<Vec<u8>>,
    /// An existing session is continued. `None`: a new id, or the payload's.
    pub session: Option<String>,
    /// TYPE:NAME. `None`: the template's, else `.unum/store` in the directory.
    pub store: Option<String>,
    /// How that is opened.
    pub store_options: StoreOptions,
    /// Calls of user code at once. 0: one per core.
    pub workers: u32,
    /// Go on with `session`, with its own input.
    pub resume: bool,
    /// Also if functions have changed since it was begun.
    pub accept_changes: bool,
    /// Called with the instance and each line that user code prints.
    pub printed: Option<Printed>,
    /// Instead of `store`: one of the same loop, which stays open.
    pub opened: Option<Store>,
    /// The functions that are the program's own; the others run in worker processes.
    pub codes: Vec<(String, Handler)>,
}

/// Told an instance and a line that it printed.
pub type Printed = Box<dyn Fn(&str, &str)>;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RunStatus {
    /// It has a result.
    Succeeded,
    /// See the failures; it can be resumed once they are mended.
    Failed,
    /// The op was cancelled.
    Interrupted,
    /// Its time is up.
    TimedOut,
    /// A number that this version of the crate does not know.
    Unknown(i32),
}

/// What failed in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunFailure {
    /// Empty: of the run as a whole.
    pub instance: String,
    /// The failure's name.
    pub error: String,
    /// Message and traceback.
    pub cause: String,
}

/// What a run gave. A workflow that fails is a result, too.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunResult {
    /// How it ended.
    pub status: RunStatus,
    /// The session.
    pub session: String,
    /// JSON, if it succeeded.
    pub result: Option<Vec<u8>>,
    /// Instances that ran.
    pub instances: u64,
    /// How often user code ran for them.
    pub user_code_runs: u64,
    /// Sorted by instance.
    pub failures: Vec<RunFailure>,
}

struct RunKeep {
    core: *const Core,
    printed: Option<Printed>,
    _store: Box<StoreCallbacks>,
    _steps: Vec<Box<StepKeep>>,
}

unsafe extern "C" fn on_printed(instance: sys::unum_text, line: sys::unum_text, user: *mut c_void) {
    let keep = &*(user as *const RunKeep);
    let core = &*keep.core;
    if let (Some(printed), false) = (&keep.printed, core.is_closing.get()) {
        core.guard(|| printed(&string_of(instance), &string_of(line)));
    }
}

fn optional(given: Option<&[u8]>) -> sys::unum_text {
    given.map_or(sys::UNUM_ABSENT, text)
}

// SAFETY of all calls below: a stale handle is refused, and what it gives is copied.
impl Application {
    pub(crate) fn raw(&self) -> *mut sys::unum_application {
        self.handle.raw
    }

    /// A JSON array of {"severity", "rule", "file", "line", "message"}, sorted by file and line.
    pub fn findings(&self) -> String {
        unsafe { string_of(sys::unum_application_findings(self.raw())) }
    }

    /// Its name.
    pub fn name(&self) -> String {
        unsafe { string_of(sys::unum_application_name(self.raw())) }
    }

    /// The name of the function that sessions begin with.
    pub fn entry(&self) -> String {
        unsafe { string_of(sys::unum_application_entry(self.raw())) }
    }

    /// Its functions, sorted by name and linked: with what depends on other functions' edges.
    pub fn functions(&self) -> Result<Vec<Function>> {
        let count = unsafe { sys::unum_application_function_count(self.raw()) };
        let mut functions = Vec::with_capacity(count);
        for place in 0..count {
            let mut raw = std::ptr::null_mut();
            let status = unsafe { sys::unum_application_function(self.raw(), place, &mut raw) };
            Error::check(status)?;
            functions.push(Function::of(&self.handle.core, raw));
        }
        Ok(functions)
    }

    /// Runs it in one session to its end, as `unum run` does; its functions run in worker
    /// processes, but for those in the options' `codes`. The process must not ignore SIGCHLD.
    pub fn run(&self, options: RunOptions) -> Op<RunResult> {
        let core = &self.handle.core;
        let (store_options, callbacks) = options.store_options.into_c(core);
        let has_printed = options.printed.is_some();
        let (names, handlers): (Vec<_>, Vec<_>) = options.codes.into_iter().unzip();
        let steps: Vec<_> =
            handlers.into_iter().map(|handler| StepKeep::of_run(core, handler)).collect();
        let codes: Vec<_> = steps.iter().map(|step| step.code()).collect();
        let function_codes: Vec<_> = names
            .iter()
            .zip(&codes)
            .map(|(name, code)| sys::unum_function_code {
                struct_bytes: std::mem::size_of::<sys::unum_function_code>(),
                function: text(name.as_bytes()),
                code,
            })
            .collect();
        let keep = Box::new(RunKeep {
            core: &**core,
            printed: options.printed,
            _store: callbacks,
            _steps: steps,
        });
        let wanted = sys::unum_run_options {
            struct_bytes: std::mem::size_of::<sys::unum_run_options>(),
            input: optional(options.input.as_deref()),
            session: optional(options.session.as_deref().map(str::as_bytes)),
            store: optional(options.store.as_deref().map(str::as_bytes)),
            store_options: &store_options,
            workers: options.workers,
            resume: options.resume.into(),
            accept_changes: options.accept_changes.into(),
            reserved: 0,
            printed: if has_printed { Some(on_printed) } else { None },
            user: &*keep as *const RunKeep as *mut c_void,
            opened: options.opened.as_ref().map_or(std::ptr::null_mut(), Store::raw_or_refused),
            codes: function_codes.as_ptr(),
            code_count: function_codes.len(),
        };
        let raw = self.raw();
        let state = core
            .begin(Some(keep), |start| unsafe { sys::unum_application_run(raw, &wanted, start) });
        let op = Op::new(core, state, |_, _, op| run_result_of(op));
        match options.opened {
            Some(store) => op.needing(Rc::new(store)),
            None => op,
        }
    }
}

fn run_result_of(op: *mut sys::unum_op) -> Result<RunResult> {
    unsafe {
        let count = sys::unum_op_count(op);
        let failure_at = |place| {
            let failure = sys::unum_op_failure(op, place).as_ref()?;
            Some(RunFailure {
                instance: string_of(failure.instance),
                error: string_of(failure.error),
                cause: string_of(failure.cause),
            })
        };
        let failures = (0..count).filter_map(failure_at).collect();
        let result = sys::unum_op_run_result(op).as_ref().ok_or_else(Error::last)?;
        Ok(RunResult {
            status: match result.status {
                sys::UNUM_RUN_SUCCEEDED => RunStatus::Succeeded,
                sys::UNUM_RUN_FAILED => RunStatus::Failed,
                sys::UNUM_RUN_INTERRUPTED => RunStatus::Interrupted,
                sys::UNUM_RUN_TIMED_OUT => RunStatus::TimedOut,
                other => RunStatus::Unknown(other),
            },
            session: string_of(result.session),
            result: bytes_of(result.result).map(<[u8]>::to_vec),
            instances: result.instances,
            user_code_runs: result.user_code_runs,
            failures,
        })
    }
}
