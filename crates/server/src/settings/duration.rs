//! Times on the command line, as `500ms`, `30s`, `2m`, `12h` or `7d`.

use std::time::Duration;

/// A day.
pub(crate) const DAY: Duration = Duration::from_hours(24);

/// A parser of times from `least` to `most`: a number with a unit, seconds without one.
pub(crate) fn duration(
    least: Duration,
    most: Duration,
) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync + 'static {
    move |text| {
        let time = parse(text)?;
        if (least..=most).contains(&time) {
            Ok(time)
        } else {
            Err(format!("expected {} to {}", in_words(least), in_words(most)))
        }
    }
}

fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| "expected a number, as in 500ms, 30s or 2m")?;
    let milliseconds: u64 = match &text[digits.len()..] {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        unit => return Err(format!("`{unit}` is not one of the units ms, s, m, h and d")),
    };
    Ok(Duration::from_millis(number.saturating_mul(milliseconds)))
}

fn in_words(time: Duration) -> String {
    match time {
        time if time >= DAY => format!("{}d", time.as_secs() / DAY.as_secs()),
        time if time.subsec_nanos() == 0 => format!("{}s", time.as_secs()),
        time => format!("{}ms", time.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{DAY, duration};

    #[test]
    fn durations_have_units() {
        let parse = duration(Duration::from_millis(1), DAY);
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("30"), Ok(Duration::from_secs(30)));
        assert_eq!(parse("30s"), parse("30"));
        assert_eq!(parse("2m"), parse("120s"));
        assert_eq!(parse("24h"), parse("1d"));
        for bad in ["", "s", "0", "-1s", "1.5s", "1y", "2 s", "99999999999999999999s", "86401"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert_eq!(parse("18446744073709551615d").unwrap_err(), "expected 1ms to 1d");
        assert_eq!(duration(Duration::ZERO, DAY)("0"), Ok(Duration::ZERO));
    }
}
