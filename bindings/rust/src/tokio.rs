//! The loop as a task of tokio's `LocalSet`.

use std::future::Future;
use std::os::unix::io::{AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ::tokio::io::unix::AsyncFd;
use ::tokio::io::Interest;
use ::tokio::time::{sleep, Sleep};

use crate::error::{Error, Kind, Result};
use crate::event_loop::{Driver, Loop};

struct Fd(RawFd);

impl AsRawFd for Fd {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

impl Driver {
    /// Drives the loop until it is closed. Belongs in a task of the `LocalSet` whose tasks use the
    /// loop; needs a tokio runtime with I/O and time enabled.
    pub async fn run(self) -> Result<()> {
        // The name that tokio 1.38 has, the last one for rustc 1.63.
        #[allow(deprecated)]
        let watched = AsyncFd::with_interest(Fd(self.as_raw_fd()), Interest::READABLE);
        let watched = watched.map_err(|error| {
            Error::new(Kind::Exhausted, "Unum.NotWatched", format!("watching the loop: {error}"))
        })?;
        while !self.is_closed() {
            self.dispatch()?;
            Due { driver: &self, watched: &watched, timer: None }.await;
        }
        Ok(())
    }
}

/// Ready when the loop is due for a turn.
struct Due<'a> {
    driver: &'a Driver,
    watched: &'a AsyncFd<Fd>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Future for Due<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.driver.poll_kicked(context).is_ready() {
            return Poll::Ready(());
        }
        // Edges are watched: what came before this one was taken is still to be seen.
        while let Poll::Ready(ready) = self.watched.poll_read_ready(context) {
            match ready {
                Ok(mut guard) => guard.clear_ready(),
                Err(_) => return Poll::Ready(()),
            }
            if self.driver.is_readable() {
                return Poll::Ready(());
            }
        }
        match self.driver.timeout() {
            None => Poll::Pending,
            Some(Duration::ZERO) => Poll::Ready(()),
            Some(time) => {
                let timer = self.timer.insert(Box::pin(sleep(time)));
                timer.as_mut().poll(context)
            }
        }
    }
}

impl Loop {
    /// Drives the loop by a task of the current `LocalSet`, until it is closed or the set is
    /// dropped.
    ///
    /// ```
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// let local = tokio::task::LocalSet::new();
    /// local.block_on(&runtime, async {
    ///     let unum = unum_workflows::Loop::new()?;
    ///     unum.spawn_driver();
    ///     assert!(unum.create_store("memory", "tokio").await?);
    ///     Ok::<(), unum_workflows::Error>(())
    /// })?;
    /// # Ok::<(), unum_workflows::Error>(())
    /// ```
    pub fn spawn_driver(&self) -> ::tokio::task::JoinHandle<Result<()>> {
        ::tokio::task::spawn_local(self.driver().run())
    }
}
