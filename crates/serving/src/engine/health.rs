//! Whether the model still answers: what is done when it fails again and again.
//!
//! Some passes in a row fail with all their images: then every session is made anew, once. As many fail
//! again: then the engine is failing, and takes no images. From time to time it is tried with a blank
//! input on a new session; once that is answered it takes images again, and a single pass that fails
//! before one succeeds is enough for it to be failing again, for longer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Passes that fail one after the other before sessions are made anew, and as many after that before
/// images are no longer taken.
const PASSES: u32 = 3;

/// Time from the failure to the first trial.
const FIRST_TRIAL: Duration = Duration::from_secs(5);

/// The time to the next trial is twice as long each time, up to this.
const LAST_TRIAL: Duration = Duration::from_mins(1);

/// Trials that fail one after the other, each with a new session, before a new process is likely to do
/// better: it began with a model that answered.
const TRIALS: u32 = 3;

/// The health of an engine, which all its runners note in.
#[derive(Debug)]
pub(crate) struct Health {
    state: Mutex<State>,
    /// Counts how often all sessions were to be made anew.
    generation: AtomicU64,
}

#[derive(Debug)]
struct State {
    /// Passes in a row that have failed with all their images.
    failed_passes: u32,
    /// Set while no images are taken.
    failing: Option<Failing>,
    /// From the next failure to the first trial.
    until_trial: Duration,
}

#[derive(Debug)]
struct Failing {
    next_trial: Instant,
    failed_trials: u32,
}

/// What a pass that failed leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// Nothing yet.
    None,
    /// All sessions are to be made anew.
    Renewal,
    /// From now on no images are taken. Whoever is told is to try it at times.
    Failing,
}

impl Health {
    pub fn new() -> Self {
        let state = State { failed_passes: 0, failing: None, until_trial: FIRST_TRIAL };
        Self { state: Mutex::new(state), generation: AtomicU64::new(0) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number that a session's maker compares with the one it was made at: where they differ, it is
    /// to be made anew.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Takes note of a pass that answered.
    pub fn passed(&self) {
        let mut state = self.state();
        // A pass that began before the failure says nothing about what came after.
        if state.failing.is_none() {
            (state.failed_passes, state.until_trial) = (0, FIRST_TRIAL);
        }
    }

    /// Takes note of a pass that failed with all its images, in a session of `generation`. What an older
    /// session does, which other threads may still be at, says nothing about the new ones.
    pub fn failed(&self, generation: u64, now: Instant) -> Consequence {
        let mut state = self.state();
        if state.failing.is_some() || generation != self.generation() {
            return Consequence::None;
        }
        state.failed_passes = state.failed_passes.saturating_add(1);
        if state.failed_passes == PASSES {
            self.generation.fetch_add(1, Ordering::AcqRel);
            return Consequence::Renewal;
        }
        if state.failed_passes < 2 * PASSES {
            return Consequence::None;
        }
        let next_trial = now + state.until_trial;
        state.failing = Some(Failing { next_trial, failed_trials: 0 });
        Consequence::Failing
    }

    /// When it is to be tried; `None` where it is not failing.
    pub fn next_trial(&self) -> Option<Instant> {
        self.state().failing.as_ref().map(|failing| failing.next_trial)
    }

    /// Takes note of a trial.
    pub fn tried(&self, succeeded: bool, now: Instant) {
        let mut state = self.state();
        state.until_trial = (state.until_trial * 2).min(LAST_TRIAL);
        let next_trial = now + state.until_trial;
        if succeeded {
            // The others' sessions are as old as the one that failed.
            self.generation.fetch_add(1, Ordering::AcqRel);
            state.failing = None;
            state.failed_passes = 2 * PASSES - 1;
        } else if let Some(failing) = &mut state.failing {
            failing.next_trial = next_trial;
            failing.failed_trials = failing.failed_trials.saturating_add(1);
        }
    }

    /// While no images are taken, the time until that may be over.
    pub fn failing_for(&self) -> Option<Duration> {
        self.next_trial().map(|trial| trial.saturating_duration_since(Instant::now()))
    }

    /// Whether a new process is likely to do better.
    pub fn needs_restart(&self) -> bool {
        self.state().failing.as_ref().is_some_and(|failing| failing.failed_trials >= TRIALS)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Consequence, FIRST_TRIAL, Health, LAST_TRIAL, PASSES, TRIALS};

    /// Fails until no images are taken.
    fn fail(health: &Health, now: Instant) -> u32 {
        (1..100).find(|_| health.failed(health.generation(), now) == Consequence::Failing).unwrap()
    }

    fn wait(health: &Health, now: Instant) -> Duration {
        health.next_trial().unwrap() - now
    }

    /// What so many failures of new sessions, one after the other, lead to.
    fn failures(health: &Health, count: u32, now: Instant) -> Vec<Consequence> {
        (0..count).map(|_| health.failed(health.generation(), now)).collect()
    }

    #[test]
    fn passes_in_a_row_count_and_sessions_are_made_anew_once() {
        use Consequence::{Failing, None, Renewal};
        let (health, now) = (Health::new(), Instant::now());
        for _ in 0..10 {
            assert_eq!(failures(&health, 2, now), [None, None]);
            health.passed();
        }
        assert_eq!(health.generation(), 0);
        let expected = [None, None, Renewal, None, None, Failing, None];
        assert_eq!(failures(&health, 7, now), expected);
        health.passed();
        assert!(health.next_trial().is_some(), "a pass that began before");
        assert_eq!(health.generation(), 1);
    }

    #[test]
    fn passes_that_began_in_older_sessions_do_not_count() {
        let (health, now) = (Health::new(), Instant::now());
        let old = health.generation();
        assert_eq!(failures(&health, PASSES, now).pop(), Some(Consequence::Renewal));
        (0..100).for_each(|_| assert_eq!(health.failed(old, now), Consequence::None));
        assert_eq!(health.next_trial(), None, "no new session has been asked");
        fail(&health, now);
        health.tried(true, now);
        assert_eq!((health.failed(old, now), health.next_trial()), (Consequence::None, None));
    }

    #[test]
    fn a_trial_that_is_answered_mends_it_for_as_long_as_passes_are() {
        let (health, now) = (Health::new(), Instant::now());
        assert_eq!(fail(&health, now), 2 * PASSES);
        assert_eq!(wait(&health, now), FIRST_TRIAL);
        health.tried(true, now);
        assert_eq!((health.next_trial(), health.generation()), (None, 2));
        assert_eq!((fail(&health, now), wait(&health, now)), (1, 2 * FIRST_TRIAL));
        health.tried(true, now);
        health.passed();
        assert_eq!((fail(&health, now), wait(&health, now)), (2 * PASSES, FIRST_TRIAL));
    }

    #[test]
    fn trials_come_less_and_less_often_and_in_the_end_a_restart_would_be_better() {
        let (health, now) = (Health::new(), Instant::now());
        fail(&health, now);
        let mut last = wait(&health, now);
        for trial in 1..=20 {
            health.tried(false, now);
            assert_eq!(wait(&health, now), (2 * last).min(LAST_TRIAL));
            assert_eq!(health.needs_restart(), trial >= TRIALS);
            last = wait(&health, now);
        }
        health.tried(true, now);
        assert!(!health.needs_restart() && health.next_trial().is_none());
    }
}
