//! From a state to a report.

use std::collections::{BTreeMap, VecDeque};

use sdd_drift::{Properties, Status};
use sdd_stats::interval::clopper_pearson;

use crate::accuracy::Accuracy;
use crate::error::Result;
use crate::group_tests::{TestEvidence, by_test_together};
use crate::plan::{Monitor, Plan};
use crate::report::{
    Advice, ClassReport, EpochReport, EvidenceReport, ExpectedAccuracyReport, GroupReport,
    MonitorReport, PropertyReport, Reason, ShareReport, StreamReport, TestReport, UnitReport,
    WindowReport,
};
use crate::report_text as text;
use crate::settings::ExpectedMix;
use crate::state::{AllGroups, GroupNote, MonitorState, number, tests_of};
use crate::stream::{REPEATS, Raised, Seen, Stream};
use crate::terms::{Alarm, INTERVAL_ALPHA, TestName};
use crate::totals::Totals;

const FORMAT_VERSION: u32 = 2;

/// The rule behind [`MonitorReport::retrain_recommended`].
const RETRAIN_RULE: &str = "a new model or reference is advised where appearance is drifting, unless most of the last \
                            images are far from everything, the same picture comes again and again, or what has changed \
                            is the picture itself (brightness and so on): then camera, light and part are to be looked \
                            at first; a changed class mix alone is no reason";

/// A group of so many times the images of the calibration's middle one may have a name that is none of one part.
const LARGE: u64 = 20;

/// From this part of the last images on, what comes is far from everything.
const MOST: f64 = 0.5;

impl ShareReport {
    pub(crate) fn new(out_of_distribution: u64, images: u64) -> Result<Self> {
        let [count, n] =
            [out_of_distribution, images].map(|count| usize::try_from(count).unwrap_or(usize::MAX));
        let share = if images == 0 { 0.0 } else { out_of_distribution as f64 / images as f64 };
        let interval = clopper_pearson(count, n, INTERVAL_ALPHA)?;
        Ok(Self { images, out_of_distribution, share, interval })
    }

    fn of(totals: Totals) -> Result<Self> {
        Self::new(totals.out_of_distribution, totals.judged)
    }
}

impl Monitor {
    /// What can be said of all images by the state.
    ///
    /// A state of other settings is reported as what it will be with the next image: an epoch that has just begun.
    ///
    /// # Errors
    ///
    /// [`crate::Error::InvalidState`] for a state that was changed from outside.
    pub fn report(&self, state: &MonitorState) -> Result<MonitorReport> {
        if !state.is_of(self) {
            let mut state = state.clone();
            state.renew(self);
            return self.report(&state);
        }
        for name in state.streams.keys() {
            state.check_stream(self, name)?;
        }
        let streams = state.streams.iter().map(|(name, stream)| self.stream(name, stream));
        let mut report = MonitorReport {
            format_version: FORMAT_VERSION,
            verdict: Status::InsufficientData,
            appearance: Status::InsufficientData,
            summary: String::new(),
            reasons: Vec::new(),
            advice: Advice::None,
            retrain_recommended: false,
            retrain_rule: RETRAIN_RULE.to_owned(),
            groups_needed: None,
            unit: None,
            evidence: None,
            window: None,
            expected_accuracy: None,
            classes: self.classes(state)?,
            properties: Vec::new(),
            groups: Vec::new(),
            streams: streams.collect::<Result<_>>()?,
            epoch: EpochReport {
                number: state.epoch.number,
                began_ms: state.began_ms(),
                because: state.epoch.because,
                images: state.totals.images,
                judged: ShareReport::of(state.totals)?,
            },
            images_ever: state.sequence,
            last_image_ms: state.last_ms,
            settings: self.settings().clone(),
        };
        if let Some((plan, all)) = self.plan().zip(state.all.as_deref()) {
            let most = tests_of(&state.streams).map(|tests| tests.groups).max().unwrap_or(0);
            report.groups_needed = Some(plan.groups_needed.saturating_sub(most));
            report.unit = Some(unit(plan, state, &all.last));
            let by_test = by_test(plan, state);
            report.evidence = Some(self.evidence(plan, state, all, &by_test));
            report.window = Some(self.window(plan, state)?);
            report.properties = properties(plan, &all.last);
            report.groups = all.last.iter().map(group).collect();
            conclude(&mut report, plan, state, all, &by_test);
            estimate_accuracy(&mut report, plan, state)?;
        }
        report.summary = text::summary(&report);
        Ok(report)
    }

    fn window(&self, plan: &Plan, state: &MonitorState) -> Result<WindowReport> {
        let (out, images) = (state.ring.out_of_distribution() as u64, state.ring.len() as u64);
        Ok(WindowReport {
            size: self.settings().window,
            recent: ShareReport::new(out, images)?,
            expected_share: plan.baseline.alpha,
            far: state.ring.far() as u64,
        })
    }

    fn evidence(
        &self,
        plan: &Plan,
        state: &MonitorState,
        all: &AllGroups,
        by_test: &[TestEvidence],
    ) -> EvidenceReport {
        let streams = || tests_of(&state.streams);
        let largest = streams().map(|tests| tests.largest_martingale).fold(0.0, f64::max);
        let test = |one: &TestEvidence| TestReport {
            test: one.test,
            subject: subject(plan, one.test, one.subject),
            more: one.is_greater,
            value: number(Some(one.log_r)),
            weight: one.weight,
        };
        EvidenceReport {
            value: number(all.log_r),
            largest: number(all.largest_log_r),
            alarm_at: self.settings().groups_between_false_alarms,
            alarm: all.alarm.map(|alarm| alarm.at),
            probability_of_ever: (streams().count() as f64 * (-largest).exp()).min(1.0),
            groups: groups(state),
            tests: by_test.iter().map(test).collect(),
        }
    }

    fn stream(&self, name: &str, stream: &Stream) -> Result<StreamReport> {
        let (seen, tested) = (&stream.seen, stream.tested.as_deref());
        let alarm = tested.and_then(|tested| tested.alarm);
        let groups = tested.map_or(0, |tested| tested.tests.groups);
        let verdict = match self.plan().filter(|_| tested.is_some()) {
            _ if alarm.is_some() || seen.repeats >= REPEATS => Status::Drifting,
            Some(plan) if groups >= plan.groups_needed => Status::Stable,
            _ => Status::InsufficientData,
        };
        let open = seen.open.as_ref();
        Ok(StreamReport {
            stream: Some(name.to_owned()).filter(|name| !name.is_empty()),
            verdict,
            images: seen.totals.images,
            judged: ShareReport::of(seen.totals)?,
            groups,
            evidence: tested.map(|tested| number(Some(tested.tests.log_r()))),
            alarm: alarm.map(|alarm| alarm.at),
            open_group_images: open.map_or(0, |open| open.totals.images),
            open_group: open.and_then(|open| open.name.clone()),
            repeats: seen.repeats,
            expected_accuracy: None,
            last_image_ms: seen.last_ms,
        })
    }

    fn classes(&self, state: &MonitorState) -> Result<Vec<ClassReport>> {
        let mut calibrated = BTreeMap::<&str, u64>::new();
        for class in self.plan().iter().flat_map(|plan| &plan.baseline.classes) {
            calibrated.insert(&class.name, class.images);
        }
        let calibration = calibrated.values().sum::<u64>();
        let in_window = state.ring.len() as u64;
        let part = |count: u64, of: u64| count as f64 / of.max(1) as f64;
        let class = |name: &str, totals: Totals, (recent, out): (u64, u64)| {
            let calibration_images = calibrated.get(name).copied().unwrap_or(0);
            let expected_mix = match &self.settings().expected_mix {
                None => None,
                Some(ExpectedMix::Calibration) => Some(part(calibration_images, calibration)),
                Some(ExpectedMix::Stated(mix)) => mix.get(name).copied(),
            };
            Ok(ClassReport {
                class: name.to_owned(),
                images: totals.images,
                epoch: ShareReport::of(totals)?,
                recent: ShareReport::new(out, recent)?,
                recent_mix: part(recent, in_window),
                calibration_images,
                calibration_mix: part(calibration_images, calibration),
                expected_mix,
            })
        };
        let recent = state.ring.by_class(state.classes.len());
        let seen = state.classes.iter().zip(recent);
        let seen = seen.map(|(one, recent)| class(&one.class, one.totals, recent));
        let is_unseen = |name: &&&str| !state.classes.iter().any(|one| one.class == **name);
        let unseen = calibrated.keys().filter(is_unseen);
        let unseen = unseen.map(|name| class(name, Totals::default(), (0, 0)));
        let mut classes = seen.chain(unseen).collect::<Result<Vec<_>>>()?;
        classes.sort_by(|a, b| a.class.cmp(&b.class));
        Ok(classes)
    }
}

/// Groups that were tested, of all streams.
fn groups(state: &MonitorState) -> u64 {
    tests_of(&state.streams).map(|tests| tests.groups).sum()
}

/// What each test has come to in all streams.
fn by_test(plan: &Plan, state: &MonitorState) -> Vec<TestEvidence> {
    by_test_together(tests_of(&state.streams), &plan.subjects)
        .unwrap_or_else(|| plan.start.by_test(&plan.subjects))
}

fn unit(plan: &Plan, state: &MonitorState, last: &VecDeque<GroupNote>) -> UnitReport {
    let named = last.iter().filter(|group| group.name.is_some()).count() as u64;
    let mut unit = UnitReport {
        calibration_groups: plan.baseline.groups() as u64,
        calibration_is_grouped: plan.baseline.is_grouped,
        block: plan.block,
        named,
        message: String::new(),
    };
    let open = state.streams.values().filter_map(|stream| stream.seen.open.as_ref());
    let largest = open.max_by_key(|open| open.totals.images);
    let largest =
        largest.filter(|open| open.totals.images > LARGE * plan.baseline.group_size as u64);
    let largest =
        largest.map(|open| (open.name.as_deref().unwrap_or_default(), open.totals.images));
    unit.message = text::unit(&unit, last.len() as u64, largest);
    unit.message.push_str(&text::untold(
        state.untold(),
        state.settings().map_or(0, |settings| settings.streams),
    ));
    unit
}

fn subject(plan: &Plan, test: TestName, subject: Option<usize>) -> Option<String> {
    match test {
        TestName::Properties => Some((*Properties::NAMES.get(subject?)?).to_owned()),
        TestName::ClassMix => {
            let class = plan.baseline.classes.get(subject?)?;
            Some(class.name.clone())
        }
        TestName::Appearance | TestName::Repetition => None,
    }
}

fn properties(plan: &Plan, last: &VecDeque<GroupNote>) -> Vec<PropertyReport> {
    let Some(scales) = plan.baseline.properties else { return Vec::new() };
    let recent: Vec<_> = last.iter().filter_map(|group| group.properties).collect();
    let property = |(i, name): (usize, &str)| {
        let sum: f64 = recent.iter().map(|group| group[i]).sum();
        let spreads = (!recent.is_empty()).then(|| sum / recent.len() as f64);
        let mut property = PropertyReport {
            property: name.to_owned(),
            middle: scales[i].middle,
            spread: scales[i].spread,
            recent: spreads.map(|spreads| scales[i].middle + spreads * scales[i].spread),
            spreads,
            message: String::new(),
        };
        property.message = text::property(&property, recent.len());
        property
    };
    Properties::NAMES.into_iter().enumerate().map(property).collect()
}

fn group(group: &GroupNote) -> GroupReport {
    GroupReport {
        group: group.name.clone(),
        stream: Some(group.stream.clone()).filter(|name| !name.is_empty()),
        images: group.totals.images,
        out_of_distribution: group.totals.out_of_distribution,
        score: group.score,
        last_sequence: group.sequence,
        last_ms: group.time_ms,
    }
}

/// Accuracy without labels, of all images and of each stream. Nothing is said of a stream while all together drift.
fn estimate_accuracy(report: &mut MonitorReport, plan: &Plan, state: &MonitorState) -> Result<()> {
    let positive = plan.positive_class.as_deref();
    let mut all = Accuracy::default();
    for (told, stream) in report.streams.iter_mut().zip(state.streams.values()) {
        let verdict = match report.verdict {
            Status::Stable if stream.tested.is_some() => told.verdict,
            of_all => of_all,
        };
        let Seen { accuracy, totals, .. } = &*stream.seen;
        told.expected_accuracy = Some(in_words(accuracy.report(verdict, *totals, positive)?));
        all.merge(accuracy);
    }
    let of_all = all.report(report.verdict, state.totals, positive)?;
    report.expected_accuracy = Some(in_words(of_all));
    Ok(())
}

fn in_words(mut report: ExpectedAccuracyReport) -> ExpectedAccuracyReport {
    report.message = text::expected_accuracy(&report);
    report
}

/// Reasons, verdicts and the advice.
fn conclude(
    report: &mut MonitorReport,
    plan: &Plan,
    state: &MonitorState,
    all: &AllGroups,
    by_test: &[TestEvidence],
) {
    let strange = report.classes.iter().filter(|one| one.recent.interval.low > plan.baseline.alpha);
    let strange: Vec<String> = strange.map(|one| one.class.clone()).collect();
    let reason = |raised: &Raised, stream: Option<&str>| Reason {
        test: raised.test,
        subject: subject(plan, raised.test, raised.subject),
        message: text::alarm(report, raised, subject(plan, raised.test, raised.subject)),
        since: raised.at,
        stream: stream.map(str::to_owned),
        classes: if raised.test == TestName::Appearance { strange.clone() } else { Vec::new() },
    };
    let streams = state.streams.iter().filter(|(name, _)| !name.is_empty());
    let alarms = streams.clone().filter_map(|(name, stream)| {
        Some(reason(stream.tested.as_ref()?.alarm.as_ref()?, Some(name)))
    });
    // One number decides about all; that of a stream decides about the stream, and explains.
    let mut reasons: Vec<Reason> = match &all.alarm {
        Some(raised) => std::iter::once(reason(raised, None)).chain(alarms).collect(),
        None => Vec::new(),
    };
    for (name, stream) in &state.streams {
        let repeats = stream.seen.repeats;
        if repeats >= REPEATS {
            let since = Alarm {
                group: groups(state),
                sequence: state.sequence,
                time_ms: stream.seen.last_ms.unwrap_or_default(),
            };
            reasons.push(Reason {
                test: TestName::Repetition,
                subject: None,
                message: text::repetition(repeats),
                since,
                stream: Some(name.clone()).filter(|name| !name.is_empty()),
                classes: Vec::new(),
            });
        }
    }
    let undecided = match report.groups_needed {
        Some(0) => Status::Stable,
        _ => Status::InsufficientData,
    };
    let status = |found: bool| if found { Status::Drifting } else { undecided };
    let found = |test: TestName| reasons.iter().any(|reason| reason.test == test);
    // Whichever test the alarm was raised by: pictures that have changed are found by their scores, too.
    let mut of_properties = by_test.iter().filter(|one| one.test == TestName::Properties);
    let has_other_pictures = of_properties.any(|one| one.log_r >= plan.log_alarm_at);
    let of_picture =
        has_other_pictures || found(TestName::Properties) || found(TestName::Repetition);
    report.appearance = status(
        found(TestName::Appearance) || found(TestName::Properties) || found(TestName::Repetition),
    );
    report.verdict = status(!reasons.is_empty());
    let is_far = report
        .window
        .as_ref()
        .is_some_and(|window| window.far as f64 > MOST * window.recent.images as f64);
    report.advice = match report.appearance {
        Status::Drifting if of_picture || is_far => Advice::Look,
        Status::Drifting => Advice::Retrain,
        _ if report.verdict == Status::Drifting => Advice::LookAtMix,
        _ => Advice::None,
    };
    report.retrain_recommended = report.advice == Advice::Retrain;
    report.reasons = reasons;
}
