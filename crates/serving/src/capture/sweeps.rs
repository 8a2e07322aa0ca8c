//! The moments at which the capture folder was looked through, by which files are too old.
//!
//! What a clock that is ahead deletes is gone for good. So a file goes for its age only where it was too old at three
//! sweeps that lie apart, by a day or by a tenth of that age: the age is counted to the last but two of them. A clock
//! that is wrong on one or two days removes nothing.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::capture::folder::{open, replace};
use crate::capture::names;
use crate::causes::chain_of;

/// Sweeps at which a file must have been too old.
const AGREEING: usize = 3;

/// Sweeps that are remembered, the latest to be made.
const REMEMBERED: usize = 16;

/// Sweeps lie apart by this at most, and by this part of the age at which files go.
const APART: Duration = Duration::from_hours(24);
const PARTS_OF_AGE: u32 = 10;

/// Notes a sweep now, and gives the moment that ages are counted to; `None` where nothing goes for its age yet.
pub(crate) fn note(
    folder: &Path,
    max_age: Option<Duration>,
    now: SystemTime,
) -> Option<SystemTime> {
    // A moment a line: milliseconds since 1970.
    let path = folder.join(names::SWEEPS);
    let stored = open(&path, OpenOptions::new().read(true)).ok();
    // What cannot be read, or was lost with the computer's power, is as if nothing had been noted: nothing goes.
    let stored = stored.and_then(|file| std::io::read_to_string(file).ok()).unwrap_or_default();
    let mut moments: Vec<u64> = stored.lines().filter_map(|line| line.parse().ok()).collect();
    let now_ms = millis(now.duration_since(UNIX_EPOCH).unwrap_or_default());
    let apart_ms = millis(max_age.map_or(APART, |max_age| APART.min(max_age / PARTS_OF_AGE)));
    if moments.iter().all(|moment| moment.abs_diff(now_ms) >= apart_ms) {
        moments.push(now_ms);
        let first = moments.len().saturating_sub(REMEMBERED);
        let text: Vec<String> = moments[first..].iter().map(ToString::to_string).collect();
        let temporary = folder.join(names::SWEEPS_TEMPORARY);
        if let Err(error) = replace(&path, &temporary, text.join("\n").as_bytes()) {
            // As on a full disk, of which this sweep may free some.
            tracing::debug!("{}", chain_of(&error));
        }
    }
    // Those of a clock that was ahead are none yet.
    moments.retain(|moment| *moment <= now_ms);
    moments.sort_unstable_by(|a, b| b.cmp(a));
    moments.get(AGREEING - 1).map(|moment| UNIX_EPOCH + Duration::from_millis(*moment))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn a_clock_that_is_wrong_for_a_day_or_two_makes_nothing_old() {
        let folder = tempfile::tempdir().unwrap();
        let begin = UNIX_EPOCH + 20_000 * DAY;
        let note = |now| note(folder.path(), Some(30 * DAY), now);
        for (day, expected) in [(0, None), (1, None), (2, Some(0)), (3, Some(1)), (9, Some(2))] {
            for hour in [0, 1, 23] {
                let now = begin + day * DAY + Duration::from_hours(hour);
                assert_eq!(note(now), expected.map(|day| begin + day * DAY), "{day} {hour}");
            }
        }
        // 200 days ahead, on two days, and once in another century.
        for ahead in [200, 201, 40_000] {
            assert!(note(begin + ahead * DAY) <= Some(begin + 200 * DAY), "{ahead}");
            assert!(ahead > 201 || note(begin + ahead * DAY) <= Some(begin + 9 * DAY), "{ahead}");
        }
        assert_eq!(note(begin + 10 * DAY), Some(begin + 3 * DAY));
        // And one that is back where it was long ago.
        assert_eq!(note(begin - 400 * DAY), None);
        assert_eq!(note(begin + 11 * DAY), Some(begin + 9 * DAY));
    }

    #[test]
    fn what_others_wrote_into_it_is_nothing_and_it_stays_small() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(names::SWEEPS), b"soon\n-5\n\n18446744073709551615\n")
            .unwrap();
        let begin = UNIX_EPOCH + 20_000 * DAY;
        for day in 0..40_u32 {
            note(folder.path(), None, begin + day * DAY);
        }
        let stored = fs::read_to_string(folder.path().join(names::SWEEPS)).unwrap();
        assert_eq!(stored.lines().count(), REMEMBERED);
        fs::write(folder.path().join(names::SWEEPS), b"\xff\xfe").unwrap();
        assert_eq!(note(folder.path(), Some(30 * DAY), begin), None);
    }
}
