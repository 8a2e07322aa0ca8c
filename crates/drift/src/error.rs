//! The one error type of the crate.

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong while a drift score is computed or explained.
///
/// Each message says what was expected, what was found, where, and what to do about it;
/// [`code`](Error::code) is a short name that stays the same when a message is reworded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The reference store refused or failed.
    #[error(transparent)]
    Store(#[from] sdd_index::Error),

    /// A statistic was asked for what it is not defined for.
    #[error(transparent)]
    Stats(#[from] sdd_stats::Error),

    /// No score has this name.
    #[error("no score is called `{found}`: expected one of {known}")]
    UnknownScore {
        /// The name given.
        found: String,
        /// The names that there are.
        known: String,
    },

    /// No test of a batch has this name.
    #[error("no test is called `{found}`: expected one of {known}")]
    UnknownTest {
        /// The name given.
        found: String,
        /// The names that there are.
        known: String,
    },

    /// A nearest-neighbor score with `k` = 0.
    #[error(
        "expected k of at least 1, found 0: the score is the distance to the k-th nearest image"
    )]
    ZeroNeighbors,

    /// A reference without a single image.
    #[error(
        "the reference holds no images, so there is nothing to compare with: build it from at least one"
    )]
    EmptyReference,

    /// With so few calibration scores none could ever raise an alarm.
    #[error(
        "the calibration is too small for alpha = {alpha}: it has {images} images, and with p-values of \
         kind {p_value} an alarm is possible from at least {required} on; add held-out images or choose a larger alpha"
    )]
    CalibrationTooSmall {
        /// Calibration images at hand.
        images: usize,
        /// The level asked for.
        alpha: f64,
        /// The kind of p-value.
        p_value: String,
        /// Images that this level takes.
        required: usize,
    },

    /// P-values within the predicted class, and every class has too few calibration images.
    #[error(
        "no class has enough calibration images for alpha = {alpha}: the largest has {images}, and with p-values of \
         kind {p_value} within the predicted class an alarm is possible from at least {required} of a class on; \
         add held-out images, choose a larger alpha, or p-values within all images"
    )]
    NoClassCalibrated {
        /// The level asked for.
        alpha: f64,
        /// The kind of p-value.
        p_value: String,
        /// Images of the class that has most.
        images: usize,
        /// Images that this level takes.
        required: usize,
    },

    /// P-values that count images, of images that have groups.
    #[error(
        "p-values of kind {p_value} count single images, and these have groups, which count once each: choose marginal \
         p-values"
    )]
    PValueOfGroups {
        /// The kind of p-value.
        p_value: &'static str,
    },

    /// What is to find the groups of images cannot.
    #[error("groups cannot be found in this way: {reason}")]
    InvalidGrouping {
        /// Why.
        reason: String,
    },

    /// One group alone, which there are no images of other groups beside.
    #[error(
        "all {images} are of one group, `{group}`: it takes two at least to score each among the images of the others"
    )]
    OneGroup {
        /// Which images: all, or those of a class.
        images: String,
        /// The group.
        group: String,
    },

    /// A score that no group is taken out of.
    #[error(
        "the score `{method}` cannot leave a group out, as it is fitted to all images at once: hold images out for the \
         calibration, or choose another score"
    )]
    NoGroupLeftOut {
        /// The score's name.
        method: &'static str,
    },

    /// The stored calibration contradicts itself or the rest of the store.
    #[error(
        "the calibration is damaged or forged: expected {expected} in `{field}`, found {found}; build the store again"
    )]
    InvalidCalibration {
        /// Which field, as a path within the document.
        field: String,
        /// What would be right there.
        expected: String,
        /// What is there.
        found: String,
    },

    /// A document of the store is no JSON of the right shape.
    #[error("the store's `{attachment}` cannot be read; build the store again")]
    UnreadableAttachment {
        /// The attachment's name.
        attachment: &'static str,
        /// Where and why reading stopped.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A document of the store was written by another version of this crate.
    #[error(
        "the store's `{attachment}` has format version {found}, and this program reads version {supported}: \
         build the store again with this program, or use the one that wrote it"
    )]
    UnsupportedVersion {
        /// The attachment's name.
        attachment: &'static str,
        /// Its version.
        found: u64,
        /// The version that is read.
        supported: u32,
    },

    /// An embedding that is not as long as the reference's.
    #[error(
        "expected an embedding of dimension {expected}, found {found}: was it computed by another model?"
    )]
    WrongDimension {
        /// The reference's dimension.
        expected: usize,
        /// The embedding's length.
        found: usize,
    },

    /// NaN or an infinity in a vector.
    #[error(
        "expected finite numbers, found {value} in {vector} at position {position}: look at the input that produced it"
    )]
    NotFinite {
        /// Which vector.
        vector: String,
        /// Zero-based position in it.
        position: usize,
        /// The value found.
        value: f32,
    },

    /// A class-wise score for an embedding whose class is not known.
    #[error(
        "the score `{method}` compares with images of the predicted class, and no class was given: name one"
    )]
    ClassRequired {
        /// The score's name.
        method: &'static str,
    },

    /// A class-wise score for a class that the reference has no image of.
    #[error(
        "the reference has no images of class `{class}`, which the score `{method}` compares with \
         (it has {known}): add such images, or build the store with a score over all classes"
    )]
    ClassWithoutReference {
        /// The predicted class.
        class: String,
        /// The score's name.
        method: &'static str,
        /// The classes that the reference has, for people.
        known: String,
    },

    /// A score that compares classes, and fewer than two to compare.
    #[error(
        "the score `{method}` compares classes, and the reference has images of {found}: expected at least 2. Give \
         the images classes (one folder each, or --labels), or build the store with another score"
    )]
    TooFewClasses {
        /// The score's name.
        method: &'static str,
        /// Classes with images.
        found: usize,
    },

    /// Images so alike that they have no covariance.
    #[error(
        "the score `{method}` needs images of a class that differ, and the reference's do not differ enough to \
         estimate a covariance: add images, or build the store with another score"
    )]
    NoSpread {
        /// The score's name.
        method: &'static str,
    },

    /// With so few permutations no p-value could be as small as the level.
    #[error(
        "{found} permutations are too few for alpha = {alpha}: the smallest p-value would be 1/({found} + 1); \
         ask for at least {required}"
    )]
    TooFewPermutations {
        /// Permutations asked for.
        found: usize,
        /// The level of the test.
        alpha: f64,
        /// Permutations that this level takes.
        required: usize,
    },

    /// A batch whose parts are not of one length.
    #[error("the batch has {rows} images and {found} {what}: expected one an image")]
    UnequalBatch {
        /// Rows of the embeddings.
        rows: usize,
        /// What there is another number of.
        what: &'static str,
        /// That number.
        found: usize,
    },

    /// The test asked for needs what the store or the batch does not have.
    #[error("the test `{test}` cannot be done: {missing}")]
    TestUnavailable {
        /// The test's name.
        test: &'static str,
        /// What is missing, and what to do.
        missing: String,
    },

    /// A store without a single held-out image.
    #[error(
        "the store has no calibration, so there are no held-out images to compare a batch with: build it again \
         with `--calibrate HELD_OUT` or `--calibrate-share`; training images will not do, since their \
         embeddings lie closer together than those of any new image"
    )]
    NoHeldOutImages,

    /// The reference was built with another model.
    #[error(
        "the reference was built with {reference}, and the model in use is {model}: they are not the same file, \
         so their embeddings cannot be compared, whatever they are called. Use the model that the reference was \
         built with, or build a reference with this one: drift-index build --model MODEL.onnx TRAINING \
         --calibrate HELD_OUT --out STORE"
    )]
    ModelMismatch {
        /// The model that the store names.
        reference: String,
        /// The model in use.
        model: String,
    },
}

impl Error {
    /// A stable name of the variant, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(_) => "reference_store",
            Self::Stats(error) => error.code(),
            Self::UnknownScore { .. } => "unknown_score",
            Self::UnknownTest { .. } => "unknown_test",
            Self::ZeroNeighbors => "zero_neighbors",
            Self::EmptyReference => "empty_reference",
            Self::CalibrationTooSmall { .. } => "calibration_too_small",
            Self::NoClassCalibrated { .. } => "no_class_calibrated",
            Self::PValueOfGroups { .. } => "p_value_of_groups",
            Self::InvalidGrouping { .. } => "invalid_grouping",
            Self::OneGroup { .. } => "one_group",
            Self::NoGroupLeftOut { .. } => "no_group_left_out",
            Self::InvalidCalibration { .. } => "invalid_calibration",
            Self::UnreadableAttachment { .. } => "unreadable_attachment",
            Self::UnsupportedVersion { .. } => "unsupported_version",
            Self::WrongDimension { .. } => "wrong_dimension",
            Self::NotFinite { .. } => "not_finite",
            Self::ClassRequired { .. } => "class_required",
            Self::ClassWithoutReference { .. } => "class_without_reference",
            Self::TooFewClasses { .. } => "too_few_classes",
            Self::NoSpread { .. } => "no_spread",
            Self::TooFewPermutations { .. } => "too_few_permutations",
            Self::UnequalBatch { .. } => "unequal_batch",
            Self::TestUnavailable { .. } => "test_unavailable",
            Self::NoHeldOutImages => "no_held_out_images",
            Self::ModelMismatch { .. } => "model_mismatch",
        }
    }
}
