//! What other programs have been told of a pair's verdict, kept with the state, so that neither a restart nor a second
//! server tells it again.

use serde::{Deserialize, Serialize};

use sdd_drift::Status;

/// A moment that is farther ahead was noted by a clock that was wrong, in milliseconds: nobody waits for it. Claims and
/// pauses are shorter.
const MOST_AHEAD_MS: i64 = 15 * 60 * 1000;

/// What other programs were told, and who is about to tell them more.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Notice {
    /// The verdict that was told last; none before the first.
    pub told: Option<Status>,
    /// When: milliseconds since 1970 (UTC).
    pub told_ms: Option<i64>,
    /// Who is telling it now.
    claim: Option<Claim>,
    /// Nobody tries before this: it has failed often enough for now.
    not_before_ms: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    by: String,
    until_ms: i64,
}

/// What whoever has a verdict to tell is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is known already, or says nothing.
    Nothing,
    /// To wait until then, in milliseconds since 1970 (UTC), and to ask again: it was told something a short time ago,
    /// others are telling it, or it cannot be told for now.
    Wait(i64),
    /// To tell it, as a change from this one.
    Tell(Status),
}

impl Notice {
    /// The verdict that other programs know of: without a drift nobody is told anything.
    #[must_use]
    pub fn known(&self) -> Status {
        self.told.unwrap_or(Status::Stable)
    }

    /// Whether this verdict is to be told now. Changes nothing.
    #[must_use]
    pub fn turn(&self, verdict: Status, by: &str, now_ms: i64, cooldown_ms: i64) -> Turn {
        // Too few images say nothing: the last verdict stands.
        if verdict == self.known() || verdict == Status::InsufficientData {
            return Turn::Nothing;
        }
        let others = self.claim.as_ref().filter(|claim| claim.by != by);
        let is_possible = |moment_ms: &i64| *moment_ms <= now_ms.saturating_add(MOST_AHEAD_MS);
        let told_ms = self.told_ms.filter(is_possible);
        let waits = [
            told_ms.map(|told_ms| told_ms.saturating_add(cooldown_ms)),
            others.map(|claim| claim.until_ms).filter(is_possible),
            self.not_before_ms.filter(is_possible),
        ];
        match waits.into_iter().flatten().max().filter(|until_ms| *until_ms > now_ms) {
            Some(until_ms) => Turn::Wait(until_ms),
            None => Turn::Tell(self.known()),
        }
    }

    /// Takes the right to tell this verdict, for `lease_ms`, where it is to be told now.
    pub fn claim(
        &mut self,
        verdict: Status,
        by: &str,
        now_ms: i64,
        cooldown_ms: i64,
        lease_ms: i64,
    ) -> Turn {
        let turn = self.turn(verdict, by, now_ms, cooldown_ms);
        if matches!(turn, Turn::Tell(_)) {
            let until_ms = now_ms.saturating_add(lease_ms);
            self.claim = Some(Claim { by: by.to_owned(), until_ms });
            self.not_before_ms = None;
        }
        turn
    }

    /// It was told.
    pub fn note(&mut self, verdict: Status, now_ms: i64) {
        *self = Self { told: Some(verdict), told_ms: Some(now_ms), ..Self::default() };
    }

    /// It could not be told, and need not be tried before `not_before_ms`.
    pub fn give_up(&mut self, by: &str, not_before_ms: Option<i64>) {
        if self.claim.as_ref().is_some_and(|claim| claim.by == by) {
            self.claim = None;
            self.not_before_ms = not_before_ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_two_tells_and_the_other_waits_until_its_time_is_over() {
        let mut notice = Notice::default();
        let claim =
            |notice: &mut Notice, by, now_ms| notice.claim(Status::Drifting, by, now_ms, 1000, 60);
        assert_eq!(claim(&mut notice, "a", 10), Turn::Tell(Status::Stable));
        assert_eq!(claim(&mut notice, "b", 20), Turn::Wait(70));
        assert_eq!(claim(&mut notice, "a", 30), Turn::Tell(Status::Stable));
        // The first has died.
        assert_eq!(claim(&mut notice, "b", 90), Turn::Tell(Status::Stable));
        notice.note(Status::Drifting, 100);
        assert_eq!(claim(&mut notice, "a", 110), Turn::Nothing);
        assert_eq!(notice.turn(Status::InsufficientData, "a", 110, 1000), Turn::Nothing);
        assert_eq!(notice.turn(Status::Stable, "a", 110, 1000), Turn::Wait(1100));
        assert_eq!(notice.turn(Status::Stable, "a", 1100, 1000), Turn::Tell(Status::Drifting));
    }

    #[test]
    fn what_a_clock_that_was_ahead_has_noted_is_not_waited_for() {
        let (now_ms, day_ms) = (1_700_000_000_000, 86_400_000);
        let ahead_ms = now_ms + 200 * day_ms;
        let mut told = Notice::default();
        told.note(Status::Drifting, ahead_ms);
        let mut claimed = Notice::default();
        claimed.claim(Status::Drifting, "b", ahead_ms, 0, 60_000);
        let mut given_up = claimed.clone();
        given_up.give_up("b", Some(ahead_ms + 600_000));
        assert_eq!(told.turn(Status::Stable, "a", now_ms, 600_000), Turn::Tell(Status::Drifting));
        for notice in [claimed, given_up] {
            let turn = notice.turn(Status::Drifting, "a", now_ms, 600_000);
            assert_eq!(turn, Turn::Tell(Status::Stable), "{notice:?}");
        }
    }

    #[test]
    fn what_failed_is_tried_later_by_whoever_comes_first() {
        let mut notice = Notice::default();
        let claim =
            |notice: &mut Notice, by, now_ms| notice.claim(Status::Drifting, by, now_ms, 0, 60);
        assert_eq!(claim(&mut notice, "a", 10), Turn::Tell(Status::Stable));
        notice.give_up("b", Some(9999));
        notice.give_up("a", Some(500));
        assert_eq!(claim(&mut notice, "b", 20), Turn::Wait(500));
        assert_eq!(claim(&mut notice, "b", 500), Turn::Tell(Status::Stable));
        let stored = serde_json::to_string(&notice).unwrap();
        assert_eq!(serde_json::from_str::<Notice>(&stored).unwrap(), notice);
        assert_eq!(serde_json::from_str::<Notice>("{}").unwrap(), Notice::default());
    }
}
