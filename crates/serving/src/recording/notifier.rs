//! Whoever is told when the verdict changes, and the thread that tells.
//!
//! What was told is kept with the state: a restart does not tell it again, and of several servers that share the
//! memory one tells it, the one that claims it first. Should that one die before it has noted that it was told, it is
//! told once more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use sdd_monitor::{MonitorReport, Notice, PairId, Status, Turn};

use crate::causes::chain_of;
use crate::recording::memory::Memory;
use crate::recording::observation::now_ms;
use crate::recording::status::{Current, Shared};

/// Times that a message is tried; the waits between them double from [`FIRST_WAIT`], four minutes in all.
const ATTEMPTS: u32 = 8;

const FIRST_WAIT: Duration = Duration::from_secs(2);

/// After these it is tried anew, by whichever server comes first.
const NEXT_ROUND: Duration = Duration::from_mins(10);

/// Time beyond a request's own that a server has for noting that it has told something.
const CLAIM_MARGIN: Duration = Duration::from_secs(5);

/// A verdict is looked at no more often than this.
const LEAST_WAIT: Duration = Duration::from_millis(100);

/// How often it is looked whether others have told something.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Whoever is told when the verdict changes.
pub struct Notifier {
    /// Time in which no second change is told; what changes meanwhile is told after it.
    pub cooldown: Duration,
    /// Time that telling takes at most: meanwhile nobody else who shares the memory tells the same.
    pub timeout: Duration,
    /// What tells of a change.
    pub tell: Box<Tell>,
}

/// Tells of a change, on a thread of its own, and may wait. An error says for the log what went wrong; then it is tried
/// again.
pub type Tell = dyn FnMut(&VerdictChange<'_>) -> Result<(), String> + Send;

/// A change of the verdict.
#[derive(Debug, Clone, Copy)]
pub struct VerdictChange<'a> {
    /// The verdict that was told last.
    pub previous: Status,
    /// The model and the reference that it is about.
    pub pair: &'a PairId,
    /// The verdict of now, its reasons and numbers.
    pub report: &'a MonitorReport,
}

/// The way to the thread that tells.
#[derive(Debug, Clone)]
pub(crate) struct Teller {
    poke: Sender<()>,
}

impl Teller {
    /// Starts the thread. It ends when the last of these is dropped. `name` is no other process's.
    pub fn start(
        notifier: Notifier,
        name: &str,
        shared: Arc<Shared>,
        memory: Memory,
    ) -> std::io::Result<Self> {
        // One is enough: it says that there is something to look at.
        let (poke, pokes) = bounded(1);
        let mut telling = Telling {
            cooldown_ms: millis(notifier.cooldown),
            notifier,
            name: name.to_owned(),
            shared,
            memory,
            quiet: None,
            unnoted: None,
        };
        let run = move || telling.run(&pokes);
        std::thread::Builder::new().name("drift-verdict".into()).spawn(run)?;
        Ok(Self { poke })
    }

    /// The state has changed. Never waits.
    pub fn poke(&self) {
        let _ = self.poke.try_send(());
    }
}

/// What the thread has.
struct Telling {
    notifier: Notifier,
    cooldown_ms: i64,
    name: String,
    shared: Arc<Shared>,
    memory: Memory,
    /// Nothing is to be done about this verdict until then.
    quiet: Option<(PairId, Status, Instant)>,
    /// What was told and could not be noted, since the memory was away.
    unnoted: Option<(PairId, Status, i64)>,
}

impl Telling {
    fn run(&mut self, pokes: &Receiver<()>) {
        let mut wait = LOOK_EVERY;
        loop {
            if let Err(RecvTimeoutError::Disconnected) = pokes.recv_timeout(wait) {
                return;
            }
            // A panic of whoever tells costs this look, and not all that come after it.
            let looked = catch_unwind(AssertUnwindSafe(|| self.look()));
            wait = looked.unwrap_or(LOOK_EVERY).min(LOOK_EVERY);
            std::thread::sleep(LEAST_WAIT);
        }
    }

    /// Tells of the verdict if it is to be told. Gives the time after which to look again.
    fn look(&mut self) -> Duration {
        let Some((current, verdict)) = self.verdict() else { return LOOK_EVERY };
        let pair = current.pair.id.clone();
        if let Some((of, quiet, until)) = &self.quiet
            && (of, *quiet) == (&pair, verdict)
        {
            let left = until.saturating_duration_since(Instant::now());
            if left > Duration::ZERO {
                return left;
            }
        }
        let quiet_for = match self.tell_until_taken() {
            Ok(quiet_for) => quiet_for,
            Err(error) => {
                // Nobody knows what was told: it is looked at again when the memory is back.
                tracing::debug!("telling of the verdict waits: {}", chain_of(&error));
                LOOK_EVERY
            }
        };
        self.quiet = Some((pair, verdict, Instant::now() + quiet_for));
        quiet_for
    }

    fn verdict(&self) -> Option<(Arc<Current>, Status)> {
        let current = self.shared.current()?;
        let verdict = current.report()?.verdict;
        Some((current, verdict))
    }

    /// Gives the time in which nothing is to be done.
    fn tell_until_taken(&mut self) -> sdd_monitor::Result<Duration> {
        self.note_what_was_told()?;
        let mut wait = FIRST_WAIT;
        for attempt in 1..=ATTEMPTS {
            let Some((current, verdict)) = self.verdict() else { break };
            let pair = &current.pair.id;
            let previous = match self.claim(pair, verdict, wait)? {
                Turn::Nothing => break,
                Turn::Wait(until_ms) => {
                    let left = u64::try_from(until_ms - now_ms()).unwrap_or(0);
                    return Ok(Duration::from_millis(left).min(LOOK_EVERY));
                }
                Turn::Tell(previous) => previous,
            };
            match self.tell(&current, previous) {
                Ok(()) => {
                    tracing::info!("the verdict was told: {}", verdict.name());
                    self.unnoted = Some((pair.clone(), verdict, now_ms()));
                    self.note_what_was_told()?;
                    break;
                }
                Err(fault) if attempt < ATTEMPTS => {
                    tracing::debug!("the verdict was not told: {fault}");
                    std::thread::sleep(wait);
                    wait *= 2;
                }
                Err(fault) => {
                    tracing::warn!(
                        "the verdict {} was not told, after {ATTEMPTS} attempts: {fault}; trying again in {} minutes",
                        verdict.name(),
                        NEXT_ROUND.as_secs() / 60
                    );
                    let not_before_ms = now_ms().saturating_add(millis(NEXT_ROUND));
                    let give_up =
                        &mut |notice: &mut Notice| notice.give_up(&self.name, Some(not_before_ms));
                    self.memory.ask(|store| store.change_notice(pair, give_up))?;
                }
            }
        }
        Ok(LOOK_EVERY)
    }

    /// Takes the right to tell, for this attempt and the wait after it. Only where there is something to tell it
    /// writes.
    fn claim(
        &mut self,
        pair: &PairId,
        verdict: Status,
        wait: Duration,
    ) -> sdd_monitor::Result<Turn> {
        let lease_ms = millis(self.notifier.timeout + wait + CLAIM_MARGIN);
        let (name, cooldown_ms) = (self.name.as_str(), self.cooldown_ms);
        self.memory.ask(|store| {
            let seen = store.notice(pair)?.turn(verdict, name, now_ms(), cooldown_ms);
            if !matches!(seen, Turn::Tell(_)) {
                return Ok(seen);
            }
            let mut turn = seen;
            store.change_notice(pair, &mut |notice| {
                turn = notice.claim(verdict, name, now_ms(), cooldown_ms, lease_ms);
            })?;
            Ok(turn)
        })
    }

    fn note_what_was_told(&mut self) -> sdd_monitor::Result<()> {
        if let Some((pair, verdict, told_ms)) = &self.unnoted {
            let note = &mut |notice: &mut Notice| notice.note(*verdict, *told_ms);
            self.memory.ask(|store| store.change_notice(pair, note))?;
            self.unnoted = None;
        }
        Ok(())
    }

    fn tell(&mut self, current: &Current, previous: Status) -> Result<(), String> {
        let Some(report) = current.report() else { return Err("there is no report".into()) };
        let change = VerdictChange { previous, pair: &current.pair.id, report };
        (self.notifier.tell)(&change)
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
