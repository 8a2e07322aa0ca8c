//! From a state to a report.

use super::class_mix::MixCounts;
use super::plan::{Monitor, Tests};
use super::report::{
    ClassMixReport, ClassReport, CusumReport, EProcessReport, EpochReport, MixStatus,
    MonitorReport, Reason, ShareReport, TestName, WindowReport, WindowTestReport,
};
use super::settings::ClassMixRule;
use super::state::{MonitorState, WindowCheck};
use super::terms::{Alarm, INTERVAL_ALPHA};
use crate::error::Result;
use sdd_drift::Status;
use sdd_stats::sequential::clopper_pearson;

const FORMAT_VERSION: u32 = 1;

/// The rule behind [`MonitorReport::retrain_recommended`].
const RETRAIN_RULE: &str = "a new model or reference is advised when appearance is drifting and either the e-process \
                            has alarmed in this epoch or the lower end of the recent share's interval is above the \
                            tolerated share; a changed class mix alone is no reason";

impl ShareReport {
    pub(super) fn new(out_of_distribution: u64, images: u64) -> Result<Self> {
        let [count, n] =
            [out_of_distribution, images].map(|count| usize::try_from(count).unwrap_or(usize::MAX));
        let share = if images == 0 { 0.0 } else { out_of_distribution as f64 / images as f64 };
        let interval = clopper_pearson(count, n, INTERVAL_ALPHA)?;
        Ok(Self { images, out_of_distribution, share, interval })
    }
}

impl Monitor {
    /// What can be said of a stream by its state.
    ///
    /// A state of other settings is reported as what it will be with the next image: an epoch that has just begun.
    ///
    /// # Errors
    ///
    /// [`sdd_stats::Error::InvalidArgument`] for a state that was changed from outside.
    pub fn report(&self, state: &MonitorState) -> Result<MonitorReport> {
        if !state.is_of(self) {
            let mut state = state.clone();
            state.renew(self);
            return self.report(&state);
        }
        let class_mix = self.class_mix(state)?;
        let classes = self.classes(state)?;
        let recent =
            ShareReport::new(state.ring.out_of_distribution() as u64, state.ring.len() as u64)?;
        let minimum = self.settings().minimum_images as u64;
        // Without a calibration no number of images makes a verdict.
        let images_needed = self.tests().map(|_| minimum.saturating_sub(state.totals.judged));
        let mut report = MonitorReport {
            format_version: FORMAT_VERSION,
            verdict: Status::InsufficientData,
            appearance: Status::InsufficientData,
            summary: String::new(),
            reasons: Vec::new(),
            retrain_recommended: false,
            retrain_rule: RETRAIN_RULE.to_owned(),
            images_needed,
            tolerated_share: self.tests().map(Tests::tolerated),
            window: None,
            e_process: None,
            cusum: None,
            class_mix,
            classes,
            epoch: EpochReport {
                number: state.epoch.number,
                began_ms: state.began_ms(),
                because: state.epoch.because,
                images: state.totals.images,
                judged: ShareReport::new(state.totals.out_of_distribution, state.totals.judged)?,
            },
            images_ever: state.sequence,
            last_image_ms: state.last_ms,
            settings: self.settings().clone(),
        };
        if let Some(tests) = self.tests() {
            report.window = Some(self.window(tests, state, recent)?);
            report.e_process = Some(self.e_process(tests, state)?);
            report.cusum = Some(cusum(tests, state));
            if images_needed == Some(0) {
                conclude(&mut report, recent, tests.tolerated());
            }
        }
        report.summary = super::report_text::summary(&report);
        Ok(report)
    }

    fn window(
        &self,
        tests: &Tests,
        state: &MonitorState,
        recent: ShareReport,
    ) -> Result<WindowReport> {
        let size = self.settings().window_false_alarm_probability;
        let window = self.settings().window;
        let test = |check: &WindowCheck| {
            let count = check.out_of_distribution;
            let p_value = tests.window_p_value(count, self.settings().tolerated_share)?;
            let share = ShareReport::new(count as u64, window as u64)?;
            Ok::<_, crate::Error>(WindowTestReport {
                at: check.at,
                share,
                p_value,
                size,
                alarm: p_value <= size,
            })
        };
        let test = state.check.as_ref().map(test).transpose()?;
        Ok(WindowReport { size: window, recent, test })
    }

    fn e_process(&self, tests: &Tests, state: &MonitorState) -> Result<EProcessReport> {
        let test = state.sequential_test(tests)?;
        Ok(EProcessReport {
            value: test.e_value(),
            largest: test.largest(),
            alarm_at: tests.guarantee.alarm_at(),
            level: tests.guarantee.level(),
            false_alarm_probability: self.settings().false_alarm_probability,
            alarm: state.e_process_alarm,
        })
    }

    fn class_mix(&self, state: &MonitorState) -> Result<ClassMixReport> {
        let size = self.settings().window_false_alarm_probability;
        let without = |status, message: String| ClassMixReport {
            status,
            at: None,
            chi_square: None,
            p_value: None,
            permuted: None,
            changed_classes: Vec::new(),
            size,
            message,
        };
        let tests = self.tests().filter(|tests| !tests.baseline.class_mix.is_empty());
        let Some(tests) = tests else {
            let message = "the calibration does not say which classes were predicted".to_owned();
            return Ok(without(MixStatus::Unavailable, message));
        };
        let Some(check) = &state.check else {
            let needed = (self.settings().window as u64).saturating_sub(state.totals.judged);
            let message = format!("the first window is full after {needed} more images");
            return Ok(without(MixStatus::InsufficientData, message));
        };
        let names = state.classes.iter().map(|class| class.class.as_str());
        let counts = MixCounts::new(tests, names, &check.by_class);
        let test = counts.test(check.mix_p_value, size)?;
        let changed = test.p_value <= size;
        Ok(ClassMixReport {
            at: Some(check.at),
            chi_square: Some(test.statistic),
            p_value: Some(test.p_value),
            permuted: Some(test.is_permuted),
            changed_classes: if changed { counts.changed()? } else { Vec::new() },
            ..without(
                if changed { MixStatus::Changed } else { MixStatus::Unchanged },
                counts.text(),
            )
        })
    }

    fn classes(&self, state: &MonitorState) -> Result<Vec<ClassReport>> {
        let none = std::collections::BTreeMap::new();
        let mix = self.tests().map_or(&none, |tests| &tests.baseline.class_mix);
        let recent = state.ring.by_class(state.classes.len());
        let seen = state.classes.iter().zip(recent).map(|(class, (images, out))| {
            Ok(ClassReport {
                class: class.class.clone(),
                images: class.totals.images,
                epoch: ShareReport::new(class.totals.out_of_distribution, class.totals.judged)?,
                recent: ShareReport::new(out, images)?,
                calibration_images: mix.get(&class.class).copied().unwrap_or(0),
            })
        });
        let unseen =
            mix.iter().filter(|(class, _)| !state.classes.iter().any(|seen| seen.class == **class));
        let unseen = unseen.map(|(class, images)| {
            let nothing = ShareReport::new(0, 0)?;
            Ok(ClassReport {
                class: class.clone(),
                images: 0,
                epoch: nothing,
                recent: nothing,
                calibration_images: *images,
            })
        });
        let mut classes = seen.chain(unseen).collect::<Result<Vec<_>>>()?;
        classes.sort_by(|a, b| a.class.cmp(&b.class));
        Ok(classes)
    }
}

fn cusum(tests: &Tests, state: &MonitorState) -> CusumReport {
    CusumReport {
        value: state.cusum,
        largest: state.cusum_largest,
        threshold: tests.cusum.threshold,
        share_without_drift: tests.cusum.p0,
        share_to_find: tests.cusum.p1,
        images_between_false_alarms: tests.cusum.run_length,
        mean_delay: tests.cusum.mean_delay,
        alarm: state.cusum_alarm,
    }
}

/// Reasons, verdicts and the advice.
fn conclude(report: &mut MonitorReport, recent: ShareReport, tolerated: f64) {
    let strange = report.classes.iter().filter(|class| class.recent.interval.low > tolerated);
    let strange: Vec<String> = strange.map(|class| class.class.clone()).collect();
    let of_appearance = |test, value, threshold, since: Alarm, message: String, share| Reason {
        test,
        value,
        threshold,
        message,
        since,
        share: Some(share),
        classes: strange.clone(),
    };
    if let Some(e_process) = &report.e_process
        && let Some(since) = e_process.alarm
    {
        let message = format!(
            "the e-process reached {:.0} after {} images: more images are out of distribution than {:.1} %; \
             without drift it would do so with probability {} at most, ever",
            e_process.alarm_at,
            since.image,
            100.0 * e_process.level,
            e_process.false_alarm_probability
        );
        let (value, threshold) = (e_process.largest, e_process.alarm_at);
        report.reasons.push(of_appearance(
            TestName::EProcess,
            value,
            threshold,
            since,
            message,
            recent,
        ));
    }
    if let Some(cusum) = &report.cusum
        && let Some(since) = cusum.alarm
    {
        let message = format!(
            "the CUSUM reached {:.2} after {} images, which without drift it does once in {:.0} images",
            cusum.threshold, since.image, cusum.images_between_false_alarms
        );
        let (value, threshold) = (cusum.largest, cusum.threshold);
        report.reasons.push(of_appearance(
            TestName::Cusum,
            value,
            threshold,
            since,
            message,
            recent,
        ));
    }
    if let Some(test) = report.window.as_ref().and_then(|window| window.test.as_ref())
        && test.alarm
    {
        let message = format!(
            "{} of the last full window's {} images are out of distribution; without drift as many are with \
             probability {:.2e}",
            test.share.out_of_distribution, test.share.images, test.p_value
        );
        let reason =
            of_appearance(TestName::Window, test.p_value, test.size, test.at, message, test.share);
        report.reasons.push(reason);
    }
    let appearance = !report.reasons.is_empty();
    let alarms_for_mix = report.settings.class_mix == ClassMixRule::Alarm;
    if let (MixStatus::Changed, Some(since), Some(value)) =
        (report.class_mix.status, report.class_mix.at, report.class_mix.p_value)
        && alarms_for_mix
    {
        report.reasons.push(Reason {
            test: TestName::ClassMix,
            value,
            threshold: report.class_mix.size,
            message: format!(
                "the mix of predicted classes has changed: {}",
                report.class_mix.message
            ),
            since,
            share: None,
            classes: report.class_mix.changed_classes.clone(),
        });
    }
    let status = |drifting: bool| if drifting { Status::Drifting } else { Status::Stable };
    report.appearance = status(appearance);
    report.verdict = status(!report.reasons.is_empty());
    let proven = report.e_process.as_ref().is_some_and(|e_process| e_process.alarm.is_some());
    report.retrain_recommended = appearance && (proven || recent.interval.low > tolerated);
}
