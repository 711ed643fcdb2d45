//! Steps of functions: user code and the platform are closures or futures.

use std::any::Any;
use std::future::Future;
use std::os::raw::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::application::Application;
use crate::core::{milliseconds, Core, OpState};
use crate::error::{bytes_of, panic_text, string_of, text, Error, Kind, Result};
use crate::function::Function;
use crate::op::Op;
use crate::store::Store;
use crate::sys;

// --- User code ----------------------------------------------------------------------------------

/// A call of user code.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// The function.
    pub function: String,
    /// The instance in the session.
    pub instance: String,
    /// The session.
    pub session: String,
    /// JSON.
    pub input: Vec<u8>,
    /// W3C trace context; may be empty.
    pub traceparent: String,
    /// From 1; above 1 if the code may have run for this step before.
    pub attempt: i32,
    /// `TimeoutSeconds` of the function: counted by the library.
    pub timeout: Option<Duration>,
}

/// Why user code did not give a result. Every error is one by `?`, under its type's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its name, as `Retry` and `Catch` see it.
    pub error: String,
    /// A text for people.
    pub cause: String,
    is_lost: bool,
}

impl Failure {
    /// A failure of the workflow.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Failure {
        Failure { error: error.into(), cause: cause.into(), is_lost: false }
    }

    /// The code did not end by itself (its process died, say): the step ends in
    /// [`Kind::Disconnected`], to be delivered again a few times.
    pub fn lost(message: impl Into<String>) -> Failure {
        Failure { error: "Lost".into(), cause: message.into(), is_lost: true }
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        let path = std::any::type_name::<E>();
        let path = path.split('<').next().unwrap_or(path);
        Failure::new(path.rsplit("::").next().unwrap_or(path), error.to_string())
    }
}

type Answer = std::result::Result<Vec<u8>, Failure>;

enum Reply<T> {
    Now(T),
    Later(Pin<Box<dyn Future<Output = T>>>),
}

/// A function's user code. A panic in it is the failure `Panic`.
#[derive(Clone)]
pub struct Handler {
    code: Rc<dyn Fn(Call) -> Reply<Answer>>,
}

impl Handler {
    /// Code that answers at once. The result is JSON; what is none becomes the failure
    /// `Runtime.MarshalError`.
    pub fn new<T: Into<Vec<u8>>>(
        code: impl Fn(Call) -> std::result::Result<T, Failure> + 'static,
    ) -> Handler {
        Handler { code: Rc::new(move |call| Reply::Now(code(call).map(Into::into))) }
    }

    /// Code that answers later. Its future is polled in turns of the loop, and dropped when nobody
    /// waits for the answer any more: the step was cancelled, or the time of the call is up.
    pub fn future<T: Into<Vec<u8>>, F>(code: impl Fn(Call) -> F + 'static) -> Handler
    where
        F: Future<Output = std::result::Result<T, Failure>> + 'static,
    {
        Handler {
            code: Rc::new(move |call| {
                let answer = code(call);
                Reply::Later(Box::pin(async move { answer.await.map(Into::into) }))
            }),
        }
    }
}

/// Answers a call once; one that is dropped before is lost.
struct CallGuard {
    core: *const Core,
    raw: *mut sys::unum_call,
}

impl CallGuard {
    fn answer(self, answer: Answer) {
        // SAFETY: it is answered in turns, or dropped by its core; a stale handle is refused.
        unsafe {
            let status = match &answer {
                Ok(value) => sys::unum_call_succeed(self.raw, text(value)),
                Err(failure) if failure.is_lost => {
                    sys::unum_call_lost(self.raw, text(failure.cause.as_bytes()))
                }
                Err(failure) => fail_call(self.raw, &failure.error, &failure.cause),
            };
            if status != sys::UNUM_OK && status != sys::UNUM_CANCELLED {
                // It could not be taken (it is too large, say): the call still waits.
                let error = Error::last();
                fail_call(self.raw, &error.code, &error.message);
            }
            (*self.core).kick();
        }
        std::mem::forget(self);
    }
}

unsafe fn fail_call(raw: *mut sys::unum_call, error: &str, cause: &str) -> sys::unum_status {
    sys::unum_call_fail(raw, text(error.as_bytes()), text(cause.as_bytes()))
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        // SAFETY: a handle that was answered or forgotten is refused.
        unsafe { sys::unum_call_lost(self.raw, text(b"its future was dropped")) };
    }
}

/// A future whose panic is an answer, too.
struct Caught<T> {
    future: Pin<Box<dyn Future<Output = T>>>,
}

impl<T> Future for Caught<T> {
    type Output = std::result::Result<T, String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.future.as_mut();
        match catch_unwind(AssertUnwindSafe(|| future.poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(panic) => Poll::Ready(Err(panic_text(&*panic))),
        }
    }
}

/// What the callbacks of a step, or of a run's function, use. The runtime's invoker is called by its
/// steps alone; a run has one of its own.
pub(crate) struct StepKeep {
    core: *const Core,
    handler: Option<Handler>,
    _runtime: Option<Rc<Platform>>,
}

impl StepKeep {
    pub(crate) fn of_run(core: &Rc<Core>, handler: Handler) -> Box<StepKeep> {
        Box::new(StepKeep { core: &**core, handler: Some(handler), _runtime: None })
    }

    /// The handler as the library calls it, for as long as this is kept.
    pub(crate) fn code(&self) -> sys::unum_code {
        sys::unum_code {
            struct_bytes: std::mem::size_of::<sys::unum_code>(),
            call: Some(on_call),
            cancel: Some(on_cancel),
            user: self as *const StepKeep as *mut c_void,
        }
    }
}

unsafe extern "C" fn on_call(raw: *mut sys::unum_call, user: *mut c_void) {
    let keep = &*(user as *const StepKeep);
    let core = &*keep.core;
    let (details, handler) = match (sys::unum_call_info(raw).as_ref(), &keep.handler) {
        (Some(details), Some(handler)) if !core.is_closing.get() => (details, handler),
        _ => return,
    };
    let call = Call {
        function: string_of(details.function),
        instance: string_of(details.instance),
        session: string_of(details.session),
        input: bytes_of(details.input).unwrap_or_default().to_vec(),
        traceparent: string_of(details.traceparent),
        attempt: details.attempt,
        timeout: duration(details.timeout_ms),
    };
    let guard = CallGuard { core, raw };
    match catch_unwind(AssertUnwindSafe(|| (handler.code)(call))) {
        Err(panic) => guard.answer(Err(Failure::new("Panic", panic_text(&*panic)))),
        Ok(Reply::Now(answer)) => guard.answer(answer),
        Ok(Reply::Later(future)) => {
            let caught = Caught { future };
            let task = async move {
                let answer = caught.await;
                guard.answer(answer.unwrap_or_else(|text| Err(Failure::new("Panic", text))));
            };
            core.spawn(Box::pin(task), raw as usize);
        }
    }
}

unsafe extern "C" fn on_cancel(raw: *mut sys::unum_call, user: *mut c_void) {
    (*(*(user as *const StepKeep)).core).abort_call(raw as usize);
}

fn duration(milliseconds: i64) -> Option<Duration> {
    u64::try_from(milliseconds).ok().filter(|time| *time > 0).map(Duration::from_millis)
}

// --- The platform -------------------------------------------------------------------------------

/// What a runtime asks its platform to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invocation {
    /// The function.
    pub function: String,
    /// The instance in the session.
    pub instance: String,
    /// Duplicates of one invocation have the same.
    pub origin: String,
    /// What [`Runtime::step`] takes.
    pub payload: Vec<u8>,
    /// Of the function's `Retry`, from 1; it stands in the payload, too.
    pub attempt: i32,
    /// Milliseconds since 1970: the delivery must not begin before. 0: at once.
    pub not_before: i64,
}

/// A platform: takes each invocation, to deliver it at least once. `Ok`: it has it. An error: it
/// has not, and the step ends in an error of that kind ([`Kind::Disconnected`]: it will be
/// delivered again). A panic is an error of the kind [`Kind::Bug`].
pub struct Invoker {
    platform: Box<dyn Fn(Invocation) -> Reply<Result<()>>>,
}

impl Invoker {
    /// A platform that answers at once.
    pub fn new(platform: impl Fn(Invocation) -> Result<()> + 'static) -> Invoker {
        Invoker { platform: Box::new(move |invocation| Reply::Now(platform(invocation))) }
    }

    /// A platform that answers later. Its futures are polled in turns of the loop.
    pub fn future<F>(platform: impl Fn(Invocation) -> F + 'static) -> Invoker
    where
        F: Future<Output = Result<()>> + 'static,
    {
        Invoker {
            platform: Box::new(move |invocation| Reply::Later(Box::pin(platform(invocation)))),
        }
    }
}

struct InvocationGuard {
    core: *const Core,
    raw: *mut sys::unum_invocation,
}

impl InvocationGuard {
    fn answer(self, answer: Result<()>) {
        // SAFETY: as for calls.
        unsafe {
            match answer {
                Ok(()) => sys::unum_invocation_accepted(self.raw),
                Err(error) => refuse(self.raw, error.kind.number(), &error.message),
            };
            (*self.core).kick();
        }
        std::mem::forget(self);
    }
}

unsafe fn refuse(raw: *mut sys::unum_invocation, status: i32, message: &str) -> sys::unum_status {
    let refused = sys::unum_invocation_refused(raw, status, text(message.as_bytes()));
    if refused != sys::UNUM_INVALID {
        return refused;
    }
    sys::unum_invocation_refused(raw, sys::UNUM_BUG, text(message.as_bytes()))
}

impl Drop for InvocationGuard {
    fn drop(&mut self) {
        // SAFETY: a handle that was answered or forgotten is refused.
        unsafe { refuse(self.raw, sys::UNUM_DISCONNECTED, "the platform dropped it") };
    }
}

pub(crate) struct Platform {
    core: *const Core,
    invoker: Invoker,
}

unsafe extern "C" fn on_invoke(raw: *mut sys::unum_invocation, user: *mut c_void) {
    let platform = &*(user as *const Platform);
    let core = &*platform.core;
    let details = match sys::unum_invocation_info(raw).as_ref() {
        Some(details) if !core.is_closing.get() => details,
        _ => return,
    };
    let invocation = Invocation {
        function: string_of(details.function),
        instance: string_of(details.instance),
        origin: string_of(details.origin),
        payload: bytes_of(details.payload).unwrap_or_default().to_vec(),
        attempt: details.attempt,
        not_before: details.not_before,
    };
    let panicked = |text: String| Err(Error::new(Kind::Bug, "Panic", text));
    let guard = InvocationGuard { core, raw };
    match catch_unwind(AssertUnwindSafe(|| (platform.invoker.platform)(invocation))) {
        Err(panic) => guard.answer(panicked(panic_text(&*panic))),
        Ok(Reply::Now(answer)) => guard.answer(answer),
        Ok(Reply::Later(future)) => {
            let caught = Caught { future };
            let task = async move { guard.answer(caught.await.unwrap_or_else(panicked)) };
            core.spawn(Box::pin(task), 0);
        }
    }
}

// --- Runtimes -----------------------------------------------------------------------------------

/// How a runtime behaves. Zero and `None` are the library's defaults.
#[derive(Clone, Default)]
pub struct RuntimeOptions {
    /// Larger results go by reference. 0: no limit.
    pub payload_bytes_max: u64,
    /// The longest `not_before` that the platform keeps. `None`: none.
    pub delay_max: Option<Duration>,
    /// Of one step, at once. 0: 64.
    pub invocations_in_flight: u32,
    /// Sessions that begin here are collected.
    pub collects_garbage: bool,
    /// Sessions of another application are refused. `None`: none are.
    pub application: Option<Application>,
    /// The platform delivers each delivery that began again until it has ended itself, also where another one of the
    /// same invocation was acknowledged. Otherwise a fan-in stores an item more.
    pub keeps_every_delivery: bool,
}

/// How a step ended that ended well: acknowledge its delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// What became of the function.
    pub status: StepStatus,
    /// Of the function's `Retry`, from 1.
    pub attempt: i32,
    /// The session.
    pub session: String,
    /// The instance in the session.
    pub instance: String,
    /// Of a step that failed: the failure's name.
    pub error: String,
    /// Of a step that failed: message and traceback.
    pub cause: String,
    /// The result, if it invoked nothing, and no fan-in is known to need it.
    pub result: Option<Vec<u8>>,
    /// The result's size.
    pub result_bytes: u64,
    /// Instances that this step invoked.
    pub invocations: u64,
    /// If it will be retried: when, in milliseconds since 1970.
    pub not_before: i64,
    /// The outcome is another delivery's.
    pub adopted: bool,
    /// Whether user code ran.
    pub user_code_ran: bool,
    /// Contributors of a fan-in with different lists: the run as a whole has failed then.
    pub disagreements: Vec<String>,
}

/// What became of a step's function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StepStatus {
    /// It has a result, and its edges were followed.
    Succeeded,
    /// It failed, and its edge for errors was followed.
    Caught,
    /// It failed; a report was written to the session.
    Failed,
    /// It failed, and the platform accepted another attempt.
    WillRetry,
    /// A number that this version of the crate does not know.
    Unknown(i32),
}

struct RuntimeHandle {
    store: Store,
    raw: *mut sys::unum_runtime,
    platform: Rc<Platform>,
}

impl Drop for RuntimeHandle {
    fn drop(&mut self) {
        // SAFETY: its steps, which go on, keep the platform.
        unsafe { sys::unum_runtime_free(self.raw) };
    }
}

/// Processes deliveries. Clones are the same runtime; steps go on when the last one is dropped.
#[derive(Clone)]
pub struct Runtime {
    handle: Rc<RuntimeHandle>,
}

impl Store {
    /// A runtime with the default options.
    pub fn runtime(&self, invoker: Invoker) -> Result<Runtime> {
        self.runtime_with(invoker, &RuntimeOptions::default())
    }

    /// A runtime on the store.
    pub fn runtime_with(&self, invoker: Invoker, options: &RuntimeOptions) -> Result<Runtime> {
        let platform = Rc::new(Platform { core: &**self.core(), invoker });
        let options = sys::unum_runtime_options {
            struct_bytes: std::mem::size_of::<sys::unum_runtime_options>(),
            invoke: Some(on_invoke),
            user: Rc::as_ptr(&platform) as *mut c_void,
            payload_bytes_max: options.payload_bytes_max,
            delay_max_ms: options.delay_max.map_or(0, milliseconds),
            invocations_in_flight: options.invocations_in_flight,
            collects_garbage: options.collects_garbage.into(),
            application: options
                .application
                .as_ref()
                .map_or(std::ptr::null_mut(), Application::raw),
            keeps_every_delivery: options.keeps_every_delivery.into(),
        };
        let mut raw = std::ptr::null_mut();
        // SAFETY: the options are copied; `platform` is kept by the runtime and its steps.
        Error::check(unsafe { sys::unum_runtime_new(self.raw(), &options, &mut raw) })?;
        Ok(Runtime { handle: Rc::new(RuntimeHandle { store: self.clone(), raw, platform }) })
    }
}

impl Runtime {
    fn keep(&self, handler: Option<Handler>) -> Box<StepKeep> {
        let core: *const Core = &**self.handle.store.core();
        Box::new(StepKeep { core, handler, _runtime: Some(Rc::clone(&self.handle.platform)) })
    }

    /// Processes delivery number `attempt` (from 1) of a payload to a function. If it ends well,
    /// acknowledge the delivery. Otherwise the error's `delivery` says what becomes of it.
    pub fn step(
        &self,
        function: &Function,
        payload: impl AsRef<[u8]>,
        attempt: i32,
        handler: &Handler,
    ) -> Op<Report> {
        let keep = self.keep(Some(handler.clone()));
        let code = keep.code();
        let (raw, payload) = (self.handle.raw, text(payload.as_ref()));
        // SAFETY: arguments are copied before the call returns; what callbacks use is kept.
        self.begin(keep, |start| unsafe {
            sys::unum_runtime_step(raw, function.raw(), payload, attempt, &code, start)
        })
    }

    /// Ends a step whose deliveries all ended in errors with
    /// [`Delivery::Bounded`](crate::Delivery::Bounded): the failure goes to the edge for errors, or
    /// is reported in the session.
    pub fn give_up(
        &self,
        function: &Function,
        payload: impl AsRef<[u8]>,
        attempt: i32,
        error: &str,
        cause: &str,
    ) -> Op<Report> {
        let (raw, payload) = (self.handle.raw, text(payload.as_ref()));
        let (error, cause) = (text(error.as_bytes()), text(cause.as_bytes()));
        // SAFETY: as above.
        self.begin(self.keep(None), |start| unsafe {
            let function = function.raw();
            sys::unum_runtime_give_up(raw, function, payload, attempt, error, cause, start)
        })
    }

    fn begin(
        &self,
        keep: Box<dyn Any>,
        begin: impl FnOnce(*const sys::unum_start) -> *mut sys::unum_op,
    ) -> Op<Report> {
        let core = self.handle.store.core();
        let state = core.begin(Some(keep), begin);
        Op::new(core, state, report_of).needing(self.handle.clone())
    }
}

fn report_of(_: &Rc<Core>, _: &OpState, op: *mut sys::unum_op) -> Result<Report> {
    // SAFETY: valid until the op is freed, and copied.
    unsafe {
        let report = sys::unum_op_report(op).as_ref().ok_or_else(Error::last)?;
        let disagreements = string_of(report.disagreements);
        Ok(Report {
            status: match report.status {
                sys::UNUM_STEP_SUCCEEDED => StepStatus::Succeeded,
                sys::UNUM_STEP_CAUGHT => StepStatus::Caught,
                sys::UNUM_STEP_FAILED => StepStatus::Failed,
                sys::UNUM_STEP_WILL_RETRY => StepStatus::WillRetry,
                other => StepStatus::Unknown(other),
            },
            attempt: report.attempt,
            session: string_of(report.session),
            instance: string_of(report.instance),
            error: string_of(report.error),
            cause: string_of(report.cause),
            result: bytes_of(report.result).map(<[u8]>::to_vec),
            result_bytes: report.result_bytes,
            invocations: report.invocations,
            not_before: report.not_before,
            adopted: report.adopted != 0,
            user_code_ran: report.user_code_ran != 0,
            disagreements: disagreements.lines().map(str::to_owned).collect(),
        })
    }
}
