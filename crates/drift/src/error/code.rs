//! Names of errors for programs.

use super::Error;

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
