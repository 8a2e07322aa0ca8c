//! A panic ends the work that it happened in, not the thread.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::engine::observer::EngineObserver;

/// A part of the engine that lives on one thread.
pub(crate) trait Isolated {
    fn observer(&self) -> &dyn EngineObserver;

    /// Replaces what a panic may have left half-written.
    fn start_afresh(&mut self);
}

/// Lets `stage` do some work. `None` after a panic: what the work held has been dropped unanswered,
/// which its clients see as an internal error, and the stage is as new.
pub(crate) fn isolate<S: Isolated, T>(stage: &mut S, work: impl FnOnce(&mut S) -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(|| work(stage)));
    if done.is_err() {
        stage.observer().panicked();
        tracing::error!("panic in a thread of the engine; it starts afresh");
        if catch_unwind(AssertUnwindSafe(|| stage.start_afresh())).is_err() {
            tracing::error!("it panicked again; it goes on as it is");
        }
    }
    done.ok()
}
