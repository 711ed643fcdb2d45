//! Ops: what takes time, as futures that can also be waited for.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::core::{milliseconds, Core, OpState};
use crate::error::{Error, Result};
use crate::sys;

type Take<T> = Box<dyn FnOnce(&Rc<Core>, &OpState, *mut sys::unum_op) -> Result<T>>;

/// What takes time, and was begun already. It is a future, which is ready in a turn of its loop
/// (see [`Driver`](crate::Driver)), or is waited for by [`Op::wait`]. Dropped before its end, it is
/// cancelled: whatever it would have written may have been written or not.
#[must_use = "an op that is dropped is cancelled"]
pub struct Op<T> {
    core: Rc<Core>,
    state: Rc<OpState>,
    take: Option<Take<T>>,
    /// What an error really is, where a callback knows.
    explain: Option<Box<dyn FnOnce() -> Option<Error>>>,
    /// What must not be closed meanwhile: a store, a runtime.
    needs: Option<Rc<dyn Any>>,
}

impl<T> Op<T> {
    /// `take` gets what an op gave that ended well.
    pub(crate) fn new(
        core: &Rc<Core>,
        state: Rc<OpState>,
        take: impl FnOnce(&Rc<Core>, &OpState, *mut sys::unum_op) -> Result<T> + 'static,
    ) -> Op<T> {
        Op { core: Rc::clone(core), state, take: Some(Box::new(take)), explain: None, needs: None }
    }

    pub(crate) fn explain(mut self, explain: impl FnOnce() -> Option<Error> + 'static) -> Op<T> {
        self.explain = Some(Box::new(explain));
        self
    }

    pub(crate) fn needing(mut self, needs: Rc<dyn Any>) -> Op<T> {
        self.needs = Some(needs);
        self
    }

    /// Whether it has ended: then [`Op::wait`] returns at once.
    pub fn is_ended(&self) -> bool {
        self.state.ended.get()
    }

    /// Asks it to end early. It still ends by itself: as cancelled, or well if it was done.
    pub fn cancel(&self) {
        if !self.state.ended.get() {
            // SAFETY: a handle that is none is refused.
            unsafe { sys::unum_op_cancel(self.state.raw.get()) };
            self.core.kick();
        }
    }

    /// Runs the loop until it has ended. All that is ready on the loop runs meanwhile. Fails with
    /// [`Kind::Bug`](crate::Kind::Bug) inside a callback.
    pub fn wait(mut self) -> Result<T> {
        while !self.state.ended.get() {
            self.core.turn(-1)?;
        }
        self.finish()
    }

    /// As [`Op::wait`]; gives the op back when the time is up, when a signal was handled, or when
    /// [`LoopWaker::wake`](crate::LoopWaker::wake) was called.
    pub fn wait_timeout(mut self, timeout: Duration) -> std::result::Result<Result<T>, Op<T>> {
        let until = Instant::now().checked_add(timeout);
        while !self.state.ended.get() {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            match self.core.turn(left.map_or(-1, milliseconds)) {
                Err(error) => return Ok(Err(error)),
                Ok(happened) if self.state.ended.get() || happened => {
                    if !self.state.ended.get() && left == Some(Duration::ZERO) {
                        return Err(self);
                    }
                }
                Ok(_) => return Err(self),
            }
        }
        Ok(self.finish())
    }

    fn finish(&mut self) -> Result<T> {
        let take = self.take.take().expect("an op gives its result once");
        let taken = match self.state.outcome() {
            Ok(op) => take(&self.core, &self.state, op),
            Err(error) => {
                let explained = self.explain.take().and_then(|explain| explain());
                Err(explained.unwrap_or(error))
            }
        };
        // What it opened is its user's now, and not to be closed with it.
        let raw = self.state.raw.replace(std::ptr::null_mut());
        // SAFETY: a handle that is none is refused.
        unsafe { sys::unum_op_free(raw) };
        let keep = self.state.keep.borrow_mut().take();
        drop((keep, self.needs.take()));
        taken
    }
}

impl<T> Future for Op<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        if self.state.ended.get() {
            return Poll::Ready(self.finish());
        }
        *self.state.waker.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }
}

impl<T> Drop for Op<T> {
    fn drop(&mut self) {
        self.state.waker.borrow_mut().take();
        if self.take.is_some() {
            self.state.detach();
        }
    }
}
