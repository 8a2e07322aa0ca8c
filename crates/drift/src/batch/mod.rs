//! Is a batch of new images like the held-out ones? Appearance and mix of classes apart.
//!
//! The batch is compared with the store's held-out images ([`CalibrationImages`](crate::CalibrationImages)), not with the
//! embeddings of the reference: images that the network was trained on lie closer together than any new ones. Where all
//! images of the reference calibrate, with their groups left out, the scores are what is compared. What it takes is that
//! both sides are drawn alike and independently. Where several images show one part, say so ([`Batch::groups`]): then
//! parts are what is compared, and their number counts. Without it, new parts are found to look unlike the held-out
//! ones, as every two parts do.
//!
//! **Appearance**: are the images of each predicted class like the held-out images of that class? One test
//! decides, by default MMD² within classes ([`stratified_mmd`](sdd_stats::two_sample::stratified_mmd)); the
//! others are computed beside it, to explain and to compare, and raise no alarm. A pure change of the
//! shares of the classes leaves all of them alone, up to what the classifier mixes up.
//!
//! **Mix**: are the predicted classes as frequent as among the held-out images? Its p-value is from permutations, so
//! that it holds for small counts, by statistics that also see a class come up among many that have an image each
//! ([`contingency`](sdd_stats::contingency)).
//!
//! **False alarms**: where both are tested, each is tested at α/2, so that a batch without drift raises an
//! alarm with probability α at most, as the two together.

mod appearance;
mod class_mix;
mod images;
mod options;
mod outcome;
mod report;
mod strangest;

use fastrand::Rng;

pub use self::images::{Batch, BatchGroups};
pub use self::options::{MIN_IMAGES, Options, Test};
pub use self::report::{
    Appearance, BatchReport, ClassAppearance, ClassCount, ClassMix, Component, StrangeImage,
    TestResult,
};

pub use crate::status::Status;

use self::images::HeldOut;
use self::strangest::Strangest;
use crate::error::Result;
use crate::reference::Reference;

/// Compares a batch with the held-out images of the reference's store.
///
/// Takes O(B · N²) for MMD with B permutations of N images, the larger class counting most, and
/// O(N · reference) for the strangest images.
///
/// # Errors
///
/// Of [`Error`](crate::Error): `NoHeldOutImages`, `TestUnavailable`, `TooFewPermutations`, `UnequalBatch`; `WrongDimension`
/// or `NotFinite` for the batch's embeddings; a level that is none; and what the store reports.
pub fn check(reference: &Reference, batch: &Batch, options: &Options) -> Result<BatchReport> {
    options.check()?;
    batch.check(reference.store().dimension())?;
    let held_out = HeldOut::of(reference)?;
    let groups = batch.numbered_groups(held_out.len())?;
    let assessments = strangest::assess(reference, batch, options.neighbors)?;

    let mut random = Rng::with_seed(options.seed);
    let mut random_of_mix = random.fork();
    let mix_is_tested = options.class_mix && class_mix::is_testable(&held_out, batch);
    let alpha = if mix_is_tested { options.alpha / 2.0 } else { options.alpha };
    let scores: Vec<Option<f64>> =
        assessments.iter().map(|found| found.as_ref().map(|found| found.score)).collect();
    let compared = outcome::Compared {
        held_out: &held_out,
        batch,
        groups: groups.as_ref(),
        scores: &scores,
        permutations: options.permutations,
        normalization: reference.store().manifest().normalization,
    };
    let appearance = appearance::judge(&compared, options.test, alpha, &mut random)?;
    let class_mix =
        class_mix::judge(&held_out, batch, groups.as_ref(), (options, alpha), &mut random_of_mix)?;
    let strangest = Strangest::of(&held_out, batch, assessments, options.strangest);
    Ok(BatchReport {
        verdict: match (appearance.verdict, class_mix.verdict) {
            (_, Status::Drifting) => Status::Drifting,
            (of_appearance, _) => of_appearance,
        },
        alpha: options.alpha,
        images: batch.len(),
        held_out_images: held_out.len(),
        out_of_distribution: strangest.out_of_distribution,
        out_of_distribution_groups: strangest.out_of_distribution_groups,
        out_of_distribution_expected: strangest.out_of_distribution_expected,
        in_reference: strangest.in_reference,
        in_held_out: strangest.in_held_out,
        appearance,
        class_mix,
        strangest: strangest.images,
    })
}
