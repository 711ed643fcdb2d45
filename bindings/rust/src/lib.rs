//! unum for Rust: serverless workflows without an orchestrator.
//!
//! Everything runs on a [`Loop`] of the thread that made it. What takes time is an [`Op`]: a
//! future, which can also be waited for. An op that is dropped is cancelled. Steps of functions
//! take [`Handler`]s and [`Invoker`]s, closures that return values or futures; whole applications run as
//! by the command `unum run`.
//!
//! Futures become ready in turns of the loop: in [`Loop::block_on`], or in an executor of the
//! program's own that has a [`Driver`]; with the feature `tokio` that is a task.
//!
//! The crate's `README.md` is the way in. [`sys`] is the C interface as it stands.
#![warn(missing_docs)]
#![warn(rust_2018_idioms)]

pub mod sys;

mod application;
mod core;
mod error;
mod event_loop;
mod function;
mod log;
mod op;
mod runtime;
mod store;
mod store_options;
#[cfg(feature = "tokio")]
mod tokio;

pub use crate::application::{
    Application, LoadError, Printed, RunFailure, RunOptions, RunResult, RunStatus,
};
pub use crate::error::{Delivery, Error, Kind, Result};
pub use crate::event_loop::{Backend, Driver, Loop, LoopOptions, LoopWaker, Spawned};
pub use crate::function::Function;
pub use crate::log::{set_log, set_log_levels, LogEvent};
pub use crate::op::Op;
pub use crate::runtime::{
    Call, Failure, Handler, Invocation, Invoker, Report, Runtime, RuntimeOptions, StepStatus,
};
pub use crate::store::{Commit, FanIn, FanInState, Item, ItemKind, Store, Written};
pub use crate::store_options::{Line, StoreOptions};

/// The library's version: `"1.2.3"`.
pub fn version() -> &'static str {
    // SAFETY: a literal.
    unsafe { error::literal(sys::unum_version()) }
}

/// The programs of the crate's introduction, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
