//! One pass of the model for a batch, and what is done for the others when one image spoils it.

use std::ops::Range;

use sdd_core::{Error, Prediction};

/// What the model says of one input. `None` after a panic.
pub(crate) type Outcome<T = Prediction> = Option<sdd_core::Result<T>>;

/// Runs the model on `count` inputs at once, and where that fails for all of them, on each alone, once: most likely one
/// of them is at fault, or they are too many for the device's memory, and the others have an answer. `run` is told which
/// inputs to take, and gives one answer for each, or `None` after a panic.
pub(crate) fn run_all<T>(
    count: usize,
    mut run: impl FnMut(Range<usize>) -> Option<Vec<sdd_core::Result<T>>>,
) -> Vec<Outcome<T>> {
    let is_failure = |answer: &sdd_core::Result<_>| matches!(answer, Err(Error::Inference(_)));
    match run(0..count) {
        Some(answers) if count == 1 || !answers.iter().all(is_failure) => {
            answers.into_iter().map(Some).collect()
        }
        None if count == 1 => vec![None],
        Some(_) | None => (0..count).map(|at| run(at..at + 1)?.pop()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use sdd_core::{Error, Result};

    use super::run_all;

    fn failed() -> Result<()> {
        Err(Error::Inference("the test asked for it".into()))
    }

    fn unusable() -> Result<()> {
        Err(Error::Output { output: "embedding".into(), reason: "value 0 is NaN".into() })
    }

    /// What each input comes to, and the passes that it took.
    fn outcomes(
        count: usize,
        answer: impl Fn(Range<usize>) -> Option<Vec<Result<()>>>,
    ) -> (Vec<&'static str>, Vec<(usize, usize)>) {
        let mut passes = Vec::new();
        let outcomes = run_all(count, |inputs| {
            passes.push((inputs.start, inputs.end));
            answer(inputs)
        });
        let name = |outcome| match outcome {
            Some(Ok(())) => "answered",
            Some(Err(Error::Inference(_))) => "failed",
            Some(Err(_)) => "unusable",
            None => "panic",
        };
        (outcomes.into_iter().map(name).collect(), passes)
    }

    #[test]
    fn what_succeeds_at_once_takes_one_pass() {
        let answer = |inputs: Range<usize>| Some(inputs.map(|_| Ok(())).collect());
        assert_eq!(outcomes(3, answer), (vec!["answered"; 3], vec![(0, 3)]));
        // An answer that cannot be used is one input's own.
        let answer = |_| Some(vec![Ok(()), unusable()]);
        assert_eq!(outcomes(2, answer), (vec!["answered", "unusable"], vec![(0, 2)]));
        assert_eq!(outcomes(2, |_| Some(vec![unusable(), unusable()])).1, [(0, 2)]);
    }

    #[test]
    fn one_input_that_fails_or_panics_costs_the_others_nothing() {
        let passes = vec![(0, 3), (0, 1), (1, 2), (2, 3)];
        let failing = |inputs: Range<usize>| {
            let answer = || if inputs.contains(&1) { failed() } else { Ok(()) };
            Some(inputs.clone().map(|_| answer()).collect())
        };
        assert_eq!(outcomes(3, failing), (vec!["answered", "failed", "answered"], passes.clone()));
        let panicking =
            |inputs: Range<usize>| (!inputs.contains(&1)).then(|| inputs.map(|_| Ok(())).collect());
        assert_eq!(outcomes(3, panicking), (vec!["answered", "panic", "answered"], passes));
    }

    #[test]
    fn each_is_tried_alone_once() {
        let failing = |inputs: Range<usize>| Some(inputs.map(|_| failed()).collect());
        assert_eq!(outcomes(2, failing), (vec!["failed"; 2], vec![(0, 2), (0, 1), (1, 2)]));
        assert_eq!(outcomes(1, failing), (vec!["failed"], vec![(0, 1)]));
        assert_eq!(outcomes(2, |_| None), (vec!["panic"; 2], vec![(0, 2), (0, 1), (1, 2)]));
        assert_eq!(outcomes(1, |_| None), (vec!["panic"], vec![(0, 1)]));
    }
}
