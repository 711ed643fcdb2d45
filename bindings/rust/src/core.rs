//! What a loop is made of: its handle, the ops that run on it, and the futures that it polls.
//!
//! The handles that users hold own a `Core` together; the last of them frees the loop. What the
//! library calls back (`OpState`, tasks) belongs to the core and knows it by address: callbacks
//! come in turns of the loop only, and a turn holds the core.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::os::raw::c_void;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::error::{Error, Kind, Result};
use crate::sys;

/// Values at places that stay theirs until they are taken.
pub(crate) struct Slab<T> {
    places: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Slab<T> {
    fn new() -> Self {
        Slab { places: Vec::new(), free: Vec::new() }
    }

    fn insert(&mut self, value: T) -> usize {
        if let Some(place) = self.free.pop() {
            self.places[place] = Some(value);
            return place;
        }
        self.places.push(Some(value));
        self.places.len() - 1
    }

    fn get(&mut self, place: usize) -> Option<&mut T> {
        self.places.get_mut(place).and_then(Option::as_mut)
    }

    fn take(&mut self, place: usize) -> Option<T> {
        let taken = self.places.get_mut(place).and_then(Option::take);
        if taken.is_some() {
            self.free.push(place);
        }
        taken
    }
}

/// What other threads may touch: which tasks are to be polled, and the loop to be woken.
pub(crate) struct Shared {
    state: Mutex<SharedState>,
    owner: std::thread::ThreadId,
}

struct SharedState {
    /// The loop's handle as a number; 0 once it is being freed.
    handle: usize,
    ready: Vec<usize>,
    /// The loop's thread is past its wait, and looks at `ready` before the next one.
    is_awake: bool,
    /// It is in a turn: what it makes ready itself is seen before it waits again.
    is_turning: bool,
}

// A panic under the lock cannot leave the state half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Shared {
    pub(crate) fn wake_loop(&self) -> Result<()> {
        let state = lock(&self.state);
        if state.handle == 0 {
            return Err(closed());
        }
        // SAFETY: any thread may; the lock keeps the loop from being freed meanwhile.
        Error::check(unsafe { sys::unum_loop_wake(state.handle as *mut sys::unum_loop) })
    }

    fn push(&self, task: usize) {
        let mut state = lock(&self.state);
        state.ready.push(task);
        let is_seen =
            state.is_awake || (state.is_turning && std::thread::current().id() == self.owner);
        if !is_seen && state.handle != 0 {
            // SAFETY: as above.
            unsafe { sys::unum_loop_wake(state.handle as *mut sys::unum_loop) };
        }
    }

    fn has_ready(&self) -> bool {
        !lock(&self.state).ready.is_empty()
    }

    fn set_awake(&self, is_awake: bool) {
        lock(&self.state).is_awake = is_awake;
    }

    fn set_turning(&self, is_turning: bool) {
        lock(&self.state).is_turning = is_turning;
    }
}

struct TaskWaker {
    shared: Arc<Shared>,
    task: usize,
    /// It is in `ready`, or about to be.
    is_queued: std::sync::atomic::AtomicBool,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, std::sync::atomic::Ordering::AcqRel) {
            self.shared.push(self.task);
        }
    }
}

type LocalFuture = Pin<Box<dyn Future<Output = ()>>>;

struct Task {
    /// None while it is being polled.
    future: Option<LocalFuture>,
    waker: Arc<TaskWaker>,
    /// The call of user code that it answers.
    call: usize,
}

/// An op, from its begin until its end, and for as long as somebody asks for what it gave.
pub(crate) struct OpState {
    core: *const Core,
    pub(crate) raw: Cell<*mut sys::unum_op>,
    pub(crate) ended: Cell<bool>,
    /// Why there is no op, or none any more.
    pub(crate) failure: RefCell<Option<Error>>,
    pub(crate) waker: RefCell<Option<Waker>>,
    /// What its callbacks use: closures, a runtime.
    pub(crate) keep: RefCell<Option<Box<dyn Any>>>,
    /// Nobody asks: what it gives is thrown away.
    detached: Cell<bool>,
    slot: Cell<usize>,
}

pub(crate) struct Core {
    raw: Cell<*mut sys::unum_loop>,
    pub(crate) shared: Arc<Shared>,
    ops: RefCell<Slab<Rc<OpState>>>,
    tasks: RefCell<Slab<Task>>,
    /// The tasks of calls that were not answered.
    calls: RefCell<HashMap<usize, usize>>,
    is_turning: Cell<bool>,
    pub(crate) is_closing: Cell<bool>,
    /// Something was begun or answered since the last turn.
    is_kicked: Cell<bool>,
    driver: RefCell<Option<Waker>>,
    pub(crate) timeout_ms: Cell<i64>,
    /// Of a task that panicked: it goes on in whoever turns the loop.
    panic: RefCell<Option<Box<dyn Any + Send>>>,
}

fn closed() -> Error {
    Error::new(Kind::Cancelled, "Unum.LoopClosed", "the loop was closed")
}

/// Milliseconds, rounded up; what is too long for the library is without limit.
pub(crate) fn milliseconds(duration: Duration) -> i64 {
    let rounded = duration.as_nanos() / 1_000_000 + u128::from(duration.as_nanos() % 1_000_000 > 0);
    i64::try_from(rounded).unwrap_or(i64::MAX)
}

impl Core {
    pub(crate) fn new(options: &sys::unum_loop_options) -> Result<Rc<Core>> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: both are valid for the call.
        Error::check(unsafe { sys::unum_loop_new(options, &mut raw) })?;
        let state = SharedState {
            handle: raw as usize,
            ready: Vec::new(),
            is_awake: false,
            is_turning: false,
        };
        let owner = std::thread::current().id();
        Ok(Rc::new(Core {
            raw: Cell::new(raw),
            shared: Arc::new(Shared { state: Mutex::new(state), owner }),
            ops: RefCell::new(Slab::new()),
            tasks: RefCell::new(Slab::new()),
            calls: RefCell::new(HashMap::new()),
            is_turning: Cell::new(false),
            is_closing: Cell::new(false),
            is_kicked: Cell::new(false),
            driver: RefCell::new(None),
            timeout_ms: Cell::new(0),
            panic: RefCell::new(None),
        }))
    }

    pub(crate) fn raw(&self) -> *mut sys::unum_loop {
        self.raw.get()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closing.get()
    }

    /// Frees the loop with all that is on it. Ops that have not ended end as cancelled.
    pub(crate) fn close(&self) -> Result<()> {
        if self.is_turning.get() {
            return Err(reentered("close"));
        }
        if self.is_closing.replace(true) {
            return Ok(());
        }
        lock(&self.shared.state).handle = 0;
        // SAFETY: the handle is this thread's. Callbacks that it calls see `is_closing`.
        let freed = Error::check(unsafe { sys::unum_loop_free(self.raw.get()) });
        self.raw.set(std::ptr::null_mut());
        self.forget_all();
        self.kick();
        freed
    }

    /// What is dropped here may come back to this core: nothing is borrowed meanwhile.
    fn forget_all(&self) {
        let ops = std::mem::replace(&mut *self.ops.borrow_mut(), Slab::new());
        for op in ops.places.into_iter().flatten() {
            *op.failure.borrow_mut() = Some(closed());
            op.end();
        }
        let tasks = std::mem::replace(&mut *self.tasks.borrow_mut(), Slab::new());
        drop(tasks);
        self.calls.borrow_mut().clear();
    }

    // --- Turns ----------------------------------------------------------------------------------

    /// One turn, and the futures that are ready then. False: nothing happened on the loop.
    pub(crate) fn turn(self: &Rc<Self>, timeout_ms: i64) -> Result<bool> {
        if self.is_turning.replace(true) {
            return Err(reentered("a turn of the loop"));
        }
        let core = Rc::clone(self);
        core.shared.set_turning(true);
        let polled_before = core.poll_ready();
        let must_not_wait = core.shared.has_ready();
        core.is_kicked.set(false);
        // SAFETY: the handle is this thread's; callbacks catch their panics.
        let status = unsafe {
            sys::unum_loop_run(core.raw.get(), if must_not_wait { 0 } else { timeout_ms })
        };
        let error = if status > sys::UNUM_OK { Err(Error::last()) } else { Ok(()) };
        let polled = core.poll_ready();
        core.shared.set_turning(false);
        core.is_turning.set(false);
        let panic = core.panic.borrow_mut().take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        error.map(|()| polled_before || polled || status == sys::UNUM_OK)
    }

    /// Polls each task that was ready at the beginning, once: the loop has its turn after that.
    fn poll_ready(&self) -> bool {
        let ready = {
            let mut state = lock(&self.shared.state);
            state.is_awake = true;
            std::mem::take(&mut state.ready)
        };
        for task in &ready {
            self.poll(*task);
        }
        self.shared.set_awake(false);
        !ready.is_empty()
    }

    fn poll(&self, place: usize) {
        let (mut future, waker) = {
            let mut tasks = self.tasks.borrow_mut();
            match tasks.get(place).map(|task| (task.future.take(), Arc::clone(&task.waker))) {
                Some((Some(future), waker)) => (future, waker),
                _ => return,
            }
        };
        waker.is_queued.store(false, std::sync::atomic::Ordering::Release);
        let owned = Waker::from(waker);
        let mut context = Context::from_waker(&owned);
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context)));
        match polled {
            Ok(Poll::Pending) => {
                if let Some(task) = self.tasks.borrow_mut().get(place) {
                    // Not another task that has the place of one that was dropped meanwhile.
                    if task.future.is_none() {
                        task.future = Some(future);
                        return;
                    }
                }
            }
            Ok(Poll::Ready(())) => self.remove_task(place),
            Err(panic) => {
                self.remove_task(place);
                self.panic.borrow_mut().get_or_insert(panic);
            }
        }
        self.drop_quietly(future);
    }

    /// A panic while something of the user's is dropped goes on in whoever turns the loop.
    fn drop_quietly<T>(&self, dropped: T) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(dropped))) {
            self.panic.borrow_mut().get_or_insert(panic);
        }
    }

    /// Runs until a future that need not be `'static` is ready.
    pub(crate) fn block_on<F: Future>(self: &Rc<Self>, future: F) -> Result<F::Output> {
        let waker = Arc::new(TaskWaker {
            shared: Arc::clone(&self.shared),
            task: usize::MAX,
            is_queued: std::sync::atomic::AtomicBool::new(false),
        });
        let owned = Waker::from(Arc::clone(&waker));
        let mut context = Context::from_waker(&owned);
        let mut future = Box::pin(future);
        loop {
            waker.is_queued.store(false, std::sync::atomic::Ordering::Release);
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Ok(output);
            }
            while !waker.is_queued.load(std::sync::atomic::Ordering::Acquire) {
                self.turn(-1)?;
            }
        }
    }

    // --- Tasks ----------------------------------------------------------------------------------

    /// Polls a future in turns from now on. `call` is the call that it answers, or 0.
    pub(crate) fn spawn(&self, future: LocalFuture, call: usize) {
        if self.is_closing.get() {
            return self.drop_quietly(future);
        }
        let task = {
            let mut tasks = self.tasks.borrow_mut();
            let waker = Arc::new(TaskWaker {
                shared: Arc::clone(&self.shared),
                task: tasks.free.last().copied().unwrap_or(tasks.places.len()),
                is_queued: std::sync::atomic::AtomicBool::new(false),
            });
            let place =
                tasks.insert(Task { future: Some(future), waker: Arc::clone(&waker), call });
            debug_assert_eq!(place, waker.task);
            waker
        };
        if call != 0 {
            self.calls.borrow_mut().insert(call, task.task);
        }
        if self.is_turning.get() {
            // The turn polls what is ready before it ends: no need to wake anybody.
            task.is_queued.store(true, std::sync::atomic::Ordering::Release);
            lock(&self.shared.state).ready.push(task.task);
        } else {
            task.wake_by_ref();
        }
        self.kick();
    }

    fn remove_task(&self, place: usize) {
        let task = self.tasks.borrow_mut().take(place);
        if let Some(task) = task {
            if task.call != 0 {
                self.calls.borrow_mut().remove(&task.call);
            }
        }
    }

    /// Nobody waits for the answer of a call any more: its future is dropped.
    pub(crate) fn abort_call(&self, call: usize) {
        let place = self.calls.borrow_mut().remove(&call);
        if let Some(place) = place {
            let task = self.tasks.borrow_mut().take(place);
            self.drop_quietly(task);
        }
    }

    // --- Ops ------------------------------------------------------------------------------------

    /// Begins an op, whose callbacks may use `keep` until it has ended.
    pub(crate) fn begin(
        &self,
        keep: Option<Box<dyn Any>>,
        begin: impl FnOnce(*const sys::unum_start) -> *mut sys::unum_op,
    ) -> Rc<OpState> {
        let state = Rc::new(OpState {
            core: self,
            raw: Cell::new(std::ptr::null_mut()),
            ended: Cell::new(false),
            failure: RefCell::new(None),
            waker: RefCell::new(None),
            keep: RefCell::new(keep),
            detached: Cell::new(false),
            slot: Cell::new(0),
        });
        let start = sys::unum_start {
            struct_bytes: std::mem::size_of::<sys::unum_start>(),
            timeout_ms: self.timeout_ms.get(),
            done: Some(on_done),
            user: Rc::as_ptr(&state) as *mut c_void,
        };
        let raw = if self.is_closing.get() { std::ptr::null_mut() } else { begin(&start) };
        if raw.is_null() {
            let error = if self.is_closing.get() { closed() } else { Error::last() };
            *state.failure.borrow_mut() = Some(error);
            state.ended.set(true);
            let keep = state.keep.borrow_mut().take();
            drop(keep);
            return state;
        }
        state.raw.set(raw);
        state.slot.set(self.ops.borrow_mut().insert(Rc::clone(&state)));
        self.kick();
        state
    }

    /// Closes a store that nobody holds any more. Its callbacks are kept until it is closed.
    pub(crate) fn close_store(&self, store: *mut sys::unum_store, keep: Option<Box<dyn Any>>) {
        // SAFETY: `start` is valid for the call; a stale handle is refused.
        let state = self.begin(keep, |start| unsafe { sys::unum_store_close(store, start) });
        state.detached.set(true);
    }

    /// Something was begun: the loop must have a turn soon.
    pub(crate) fn kick(&self) {
        self.is_kicked.set(true);
        let driver = self.driver.borrow_mut().take();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    pub(crate) fn poll_kicked(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_kicked.get() || self.shared.has_ready() {
            return Poll::Ready(());
        }
        *self.driver.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }

    /// Milliseconds until a turn is due; negative: none is.
    pub(crate) fn timeout(&self) -> i64 {
        if self.is_kicked.get() || self.shared.has_ready() {
            return 0;
        }
        // SAFETY: a handle that is none is refused.
        unsafe { sys::unum_loop_timeout_ms(self.raw.get()) }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

fn reentered(what: &str) -> Error {
    let message = format!("{what} inside a callback or a future that the loop polls");
    Error::new(Kind::Bug, "Unum.Reentered", message)
}

impl OpState {
    /// It has ended, well or not.
    fn end(&self) {
        self.ended.set(true);
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
        if self.detached.get() {
            self.discard();
        }
    }

    /// Frees an op that has ended, with a store that it may have opened.
    pub(crate) fn discard(&self) {
        let raw = self.raw.replace(std::ptr::null_mut());
        let keep = self.keep.borrow_mut().take();
        // SAFETY: handles that are none are refused. The core lives: see the top of this file.
        unsafe {
            if !raw.is_null() && self.failure.borrow().is_none() {
                let store = sys::unum_op_store(raw);
                if !store.is_null() {
                    (*self.core).close_store(store, keep);
                }
                sys::unum_op_free(raw);
            }
        }
    }

    /// Nobody asks any more: cancels an op that runs.
    pub(crate) fn detach(&self) {
        if self.ended.get() {
            return self.discard();
        }
        self.detached.set(true);
        // SAFETY: as above.
        unsafe {
            sys::unum_op_cancel(self.raw.get());
            (*self.core).kick();
        }
    }

    /// How it ended. Once.
    pub(crate) fn outcome(&self) -> Result<*mut sys::unum_op> {
        if let Some(failure) = self.failure.borrow_mut().take() {
            self.raw.set(std::ptr::null_mut());
            return Err(failure);
        }
        let raw = self.raw.get();
        // SAFETY: handles that are none are refused.
        match unsafe { sys::unum_op_status(raw) } {
            sys::UNUM_OK => Ok(raw),
            sys::UNUM_BUG if unsafe { sys::unum_op_error(raw) }.is_null() => Err(closed()),
            _ => Err(unsafe { Error::of(sys::unum_op_error(raw)) }),
        }
    }
}

unsafe extern "C" fn on_done(_op: *mut sys::unum_op, user: *mut c_void) {
    let state = &*(user as *const OpState);
    let core = &*state.core;
    let held = core.ops.borrow_mut().take(state.slot.get());
    if let Some(held) = held {
        // Wakers and closures are the user's.
        core.guard(|| held.end());
    }
}

impl Core {
    /// Runs what the library called: no panic crosses it.
    pub(crate) fn guard(&self, run: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            self.panic.borrow_mut().get_or_insert(panic);
        }
    }
}
