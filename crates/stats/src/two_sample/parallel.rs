//! Work on all cores.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};

use ndarray::{Array2, ArrayViewMut2, Axis};

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Splits `0..items` into one range a core and hands back what `work` makes of each, in order.
pub(super) fn in_parallel<T: Send>(
    items: usize,
    work: impl Fn(Range<usize>) -> T + Sync,
) -> Vec<T> {
    let share = items.div_ceil(cores()).max(1);
    let ranges = (0..items).step_by(share).map(|start| start..(start + share).min(items));
    thread::scope(|scope| {
        let work = &work;
        let handles: Vec<_> = ranges.map(|range| scope.spawn(move || work(range))).collect();
        handles.into_iter().map(join).collect()
    })
}

/// Cuts `matrix` into blocks of `rows` rows, which the cores take one after the other, the last first: of a
/// lower triangle that is the longest. `work` gets the number of the block's first row.
pub(super) fn blocks_in_parallel(
    matrix: &mut Array2<f64>,
    rows: usize,
    work: impl Fn(usize, ArrayViewMut2<'_, f64>) + Sync,
) {
    let blocks = matrix.axis_chunks_iter_mut(Axis(0), rows).enumerate();
    let waiting = Mutex::new(blocks.collect::<Vec<_>>());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let until_done = || {
        while let Some((number, block)) = next() {
            work(number * rows, block);
        }
    };
    thread::scope(|scope| {
        let handles: Vec<_> = (0..cores()).map(|_| scope.spawn(until_done)).collect();
        handles.into_iter().for_each(join);
    });
}

/// A panic of the thread goes on here, as if there were no threads.
fn join<T>(handle: ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
