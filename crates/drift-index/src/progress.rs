//! How far it is: a bar on a terminal, a line now and then elsewhere. Both on standard error.

use std::fmt;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};

const TIME_BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Progress through a known number of images.
pub enum Progress {
    Bar(ProgressBar),
    Lines { what: &'static str, done: usize, total: usize, started: Instant, last_line: Instant },
}

impl Progress {
    /// `what` they are, in the plural.
    pub fn new(total: usize, what: &'static str) -> Self {
        if !io::stderr().is_terminal() {
            let now = Instant::now();
            return Self::Lines { what, done: 0, total, started: now, last_line: now };
        }
        let template = "{bar:30} {human_pos}/{human_len} {msg}, {rate} a second, {eta} left";
        let style = ProgressStyle::with_template(template);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let rate = |state: &ProgressState, to: &mut dyn fmt::Write| {
            // A line on a terminal that cannot be written is not worth stopping for.
            let _ = write!(to, "{:.1}", state.per_sec());
        };
        let bar = ProgressBar::new(total as u64)
            .with_style(style.with_key("rate", rate))
            .with_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self::Bar(bar)
    }

    pub fn advance(&mut self, by: usize) {
        match self {
            Self::Bar(bar) => bar.inc(by as u64),
            Self::Lines { what, done, total, started, last_line } => {
                *done += by;
                if last_line.elapsed() >= TIME_BETWEEN_LINES {
                    *last_line = Instant::now();
                    eprintln!("{}", line(what, *done, *total, started.elapsed()));
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn line(what: &str, done: usize, total: usize, elapsed: Duration) -> String {
    let rate = done as f64 / elapsed.as_secs_f64().max(1e-3);
    let left = Duration::from_secs_f64(total.saturating_sub(done) as f64 / rate.max(1e-9));
    format!("{done} of {total} {what}, {rate:.1} a second, {} left", HumanDuration(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_rate_and_time_left() {
        let text = line("images", 50, 200, Duration::from_secs(10));
        assert_eq!(text, "50 of 200 images, 5.0 a second, 30 seconds left");
    }
}
