//! Loops, and how they are driven: by waits of their own, or by an executor that polls them.

use std::cell::Cell;
use std::future::Future;
use std::os::unix::io::{AsRawFd, RawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::core::{milliseconds, Core, Shared};
use crate::error::{literal, Error, Kind, Result};
use crate::sys;

/// What a loop waits by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// `UNUM_REACTOR=uring|epoll`, else io_uring where the kernel allows it.
    Automatic,
    /// io_uring, or an error.
    Uring,
    /// epoll.
    Epoll,
}

/// How a loop is made.
#[derive(Clone, Debug)]
pub struct LoopOptions {
    /// What it waits by.
    pub backend: Backend,
    /// Threads for calls that would block, started when first needed. 0: 4.
    pub helper_threads_max: u32,
}

impl Default for LoopOptions {
    fn default() -> Self {
        LoopOptions { backend: Backend::Automatic, helper_threads_max: 0 }
    }
}

/// One thread's reactor, which everything runs on. It and all that is made with it stay on the
/// thread that made it; [`LoopWaker`] alone does not. Clones are the same loop.
///
/// It is freed when the last clone and the last store, op, runtime, function and application on it
/// are dropped. A closure that holds one of these and is held by the loop itself (by a step that
/// runs, say) keeps it, until [`Loop::close`].
///
/// ```
/// use unum_workflows::Loop;
///
/// let unum = Loop::new()?;
/// unum.create_store("memory", "doc").wait()?;
/// let store = unum.open_store("memory", "doc").wait()?;
/// let session = store.create_session_context()?;
/// assert!(store.write_return_value(&session, "Greeter", "\"hello\"").wait()?.is_written());
/// assert_eq!(store.read_input(&session, &["Greeter"]).wait()?, [b"\"hello\""]);
/// # Ok::<(), unum_workflows::Error>(())
/// ```
///
/// It cannot be sent to another thread:
///
/// ```compile_fail
/// let unum = unum_workflows::Loop::new().unwrap();
/// std::thread::spawn(move || unum.backend());
/// ```
#[derive(Clone)]
pub struct Loop {
    pub(crate) core: Rc<Core>,
}

impl Loop {
    /// A loop of this thread, with the default options.
    pub fn new() -> Result<Loop> {
        Loop::with_options(&LoopOptions::default())
    }

    /// A loop of this thread. Fails if the kernel has no such backend, or descriptors ran out.
    pub fn with_options(options: &LoopOptions) -> Result<Loop> {
        let options = sys::unum_loop_options {
            struct_bytes: std::mem::size_of::<sys::unum_loop_options>(),
            backend: match options.backend {
                Backend::Automatic => sys::UNUM_BACKEND_AUTOMATIC,
                Backend::Uring => sys::UNUM_BACKEND_URING,
                Backend::Epoll => sys::UNUM_BACKEND_EPOLL,
            },
            helper_threads_max: options.helper_threads_max,
        };
        Ok(Loop { core: Core::new(&options)? })
    }

    /// `"io_uring (...)"` or `"epoll: why"`; empty after [`Loop::close`].
    pub fn backend(&self) -> String {
        // SAFETY: valid as long as the loop, and copied.
        unsafe { literal(sys::unum_loop_backend(self.core.raw())).to_owned() }
    }

    /// Cancels what runs, waits until it has ended, and frees everything of the loop, whoever holds
    /// it. Its ops end as cancelled, and all later calls fail.
    pub fn close(&self) -> Result<()> {
        self.core.close()
    }

    /// One turn, which waits up to so long for something to happen. False if nothing did: the time
    /// is up, it was woken, or a signal was handled.
    pub fn run(&self, timeout: Option<Duration>) -> Result<bool> {
        self.core.turn(timeout.map_or(-1, milliseconds))
    }

    /// Runs the loop until a future is ready: an executor for programs without another one. The
    /// future may wait for ops, and for whatever wakes it from another thread.
    ///
    /// ```
    /// # let unum = unum_workflows::Loop::new()?;
    /// let created = unum.block_on(async {
    ///     let first = unum.create_store("memory", "x");
    ///     let second = unum.create_store("memory", "y");
    ///     Ok::<_, unum_workflows::Error>((first.await?, second.await?))
    /// })??;
    /// assert_eq!(created, (true, true));
    /// # Ok::<(), unum_workflows::Error>(())
    /// ```
    pub fn block_on<F: Future>(&self, future: F) -> Result<F::Output> {
        self.core.block_on(future)
    }

    /// Polls a future in turns of the loop, until it is ready or the loop is closed, also if nobody
    /// waits for what is returned. A panic in it goes on in whoever turns the loop.
    ///
    /// ```
    /// # let unum = unum_workflows::Loop::new()?;
    /// let square = |number: i32| unum.spawn(async move { number * number });
    /// let tasks: Vec<_> = (0..10).map(square).collect();
    /// let sum = unum.block_on(async {
    ///     let mut sum = 0;
    ///     for task in tasks {
    ///         sum += task.await?;
    ///     }
    ///     Ok::<i32, unum_workflows::Error>(sum)
    /// })??;
    /// assert_eq!(sum, 285);
    /// # Ok::<(), unum_workflows::Error>(())
    /// ```
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Spawned<T> {
        let state = Rc::new(SpawnedState {
            output: Cell::new(None),
            waker: Cell::new(None),
            ended: Cell::new(false),
        });
        let output = Output(Rc::clone(&state));
        self.core.spawn(
            Box::pin(async move {
                let output = output;
                let value = future.await;
                output.0.output.set(Some(value));
            }),
            0,
        );
        Spawned { state }
    }

    /// Ops that are begun inside `begin` end with [`Kind::Timeout`](crate::Kind::Timeout), soon
    /// after so long.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let unum = unum_workflows::Loop::new()?;
    /// let op = unum.limited(Duration::from_secs(5), || unum.create_store("memory", "limited"));
    /// assert!(op.wait()?);
    /// # Ok::<(), unum_workflows::Error>(())
    /// ```
    pub fn limited<T>(&self, timeout: Duration, begin: impl FnOnce() -> T) -> T {
        struct Restore<'a>(&'a Core, i64);
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                self.0.timeout_ms.set(self.1);
            }
        }
        let before = self.core.timeout_ms.replace(milliseconds(timeout).max(1));
        let _restore = Restore(&self.core, before);
        begin()
    }

    /// For other threads: makes a wait on this loop return.
    pub fn waker(&self) -> LoopWaker {
        LoopWaker { shared: Arc::clone(&self.core.shared) }
    }

    /// For an executor that drives the loop beside other things.
    pub fn driver(&self) -> Driver {
        Driver { core: Rc::clone(&self.core) }
    }

    /// The payload that begins a session: `input`, any JSON, or a payload already. Fails with
    /// [`Kind::Invalid`](crate::Kind::Invalid) if it is not JSON.
    pub fn entry_payload(&self, input: impl AsRef<[u8]>, session: &str) -> Result<Vec<u8>> {
        let mut payload = sys::UNUM_ABSENT;
        // SAFETY: the texts are copied by the library before it returns, and the payload here.
        unsafe {
            Error::check(sys::unum_entry_payload(
                self.core.raw(),
                crate::error::text(input.as_ref()),
                crate::error::text(session.as_bytes()),
                &mut payload,
            ))?;
            Ok(crate::error::bytes_of(payload).unwrap_or_default().to_vec())
        }
    }
}

struct SpawnedState<T> {
    output: Cell<Option<T>>,
    waker: Cell<Option<Waker>>,
    ended: Cell<bool>,
}

/// The end of a spawned future that gives: dropped when that is ready, or will never be.
struct Output<T>(Rc<SpawnedState<T>>);

impl<T> Drop for Output<T> {
    fn drop(&mut self) {
        self.0.ended.set(true);
        if let Some(waker) = self.0.waker.take() {
            waker.wake();
        }
    }
}

/// What a spawned future gives. Fails if the loop was closed before, or the future panicked.
pub struct Spawned<T> {
    state: Rc<SpawnedState<T>>,
}

impl<T> Future for Spawned<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        if let Some(value) = self.state.output.take() {
            return Poll::Ready(Ok(value));
        }
        if self.state.ended.get() {
            let message = "the future was dropped before it was ready";
            return Poll::Ready(Err(Error::new(Kind::Cancelled, "Unum.Dropped", message)));
        }
        self.state.waker.set(Some(context.waker().clone()));
        Poll::Pending
    }
}

/// Wakes a loop from any thread.
#[derive(Clone)]
pub struct LoopWaker {
    shared: Arc<Shared>,
}

impl LoopWaker {
    /// Makes [`Loop::run`] and [`Op::wait_timeout`](crate::Op::wait_timeout) return, now or the
    /// next time that one is called. Fails if the loop was closed.
    pub fn wake(&self) -> Result<()> {
        self.shared.wake_loop()
    }
}

/// A loop as a source of events of another executor, whichever that is:
///
/// | when | do |
/// | -- | -- |
/// | the descriptor is readable | [`Driver::dispatch`] |
/// | [`Driver::timeout`] has passed; ask again after each dispatch | the same |
/// | [`Driver::poll_kicked`] is ready: something was begun | the same |
///
/// With the feature `tokio`, `Driver::run` does all of it. A descriptor may be watched for edges if
/// it is looked at again ([`Driver::is_readable`]) after each dispatch.
pub struct Driver {
    pub(crate) core: Rc<Core>,
}

impl AsRawFd for Driver {
    /// Always the same one, the loop's; negative after [`Loop::close`].
    fn as_raw_fd(&self) -> RawFd {
        // SAFETY: a handle that is none is refused.
        unsafe { sys::unum_loop_fd(self.core.raw()) }
    }
}

#[repr(C)]
struct PollFd {
    fd: RawFd,
    events: i16,
    revents: i16,
}

extern "C" {
    fn poll(fds: *mut PollFd, count: std::os::raw::c_ulong, timeout: i32) -> i32;
}

const POLLIN: i16 = 1;

impl Driver {
    /// One turn, which never blocks.
    pub fn dispatch(&self) -> Result<()> {
        self.core.turn(0).map(drop)
    }

    /// In how long [`Driver::dispatch`] must be called even if the descriptor is not readable;
    /// `None`: not before it is.
    pub fn timeout(&self) -> Option<Duration> {
        u64::try_from(self.core.timeout()).ok().map(Duration::from_millis)
    }

    /// Ready when something was begun or answered since the last dispatch, or the loop was closed.
    pub fn poll_kicked(&self, context: &mut Context<'_>) -> Poll<()> {
        self.core.poll_kicked(context)
    }

    /// Whether the descriptor is readable now.
    pub fn is_readable(&self) -> bool {
        let mut one = PollFd { fd: self.as_raw_fd(), events: POLLIN, revents: 0 };
        // SAFETY: one descriptor, and no wait.
        unsafe { poll(&mut one, 1, 0) > 0 }
    }

    /// Whether [`Loop::close`] was called: then there is nothing to drive.
    pub fn is_closed(&self) -> bool {
        self.core.is_closed()
    }
}
