//! What a calibration says of a score, or why it says nothing.

use std::fmt;

use serde::Serialize;

/// What a calibration says of a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// The p-value, in (0, 1].
    pub p_value: f64,
    /// Scores above it have a p-value of alpha at most.
    pub threshold: f64,
    /// Whether `p_value ≤ alpha`, which is whether the score is above the threshold.
    pub out_of_distribution: bool,
}

/// Why a score has no p-value, threshold and verdict.
///
/// In JSON it is an object with `reason`, a stable name, `message`, a sentence for people, and the
/// numbers that the reason has:
///
/// ```json
/// {"reason": "not_enough_calibration_images", "class": "defect", "images": 7, "required": 19,
///  "message": "not enough calibration images of class `defect`: there are 7, and it takes 19"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "Document")]
#[non_exhaustive]
pub enum Unavailable {
    /// `no_calibration`: the reference has none.
    NoCalibration,
    /// `not_enough_calibration_images`: p-values are among the images of the predicted class, and it has
    /// too few for any of them to reach alpha.
    NotEnoughCalibrationImages {
        /// The predicted class.
        class: String,
        /// Its calibration images.
        images: usize,
        /// How many it takes.
        required: usize,
    },
    /// `not_enough_calibration_groups`: images have groups, each of which counts once, and there are too few for any
    /// p-value to reach alpha.
    NotEnoughCalibrationGroups {
        /// The predicted class, where p-values are among its images.
        class: Option<String>,
        /// Groups with calibration images.
        groups: usize,
        /// How many it takes.
        required: usize,
    },
    /// `class_not_given`: p-values are among the images of the predicted class, and it is not known.
    ClassNotGiven,
}

impl Unavailable {
    /// The stable name of the reason.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoCalibration => "no_calibration",
            Self::NotEnoughCalibrationImages { .. } => "not_enough_calibration_images",
            Self::NotEnoughCalibrationGroups { .. } => "not_enough_calibration_groups",
            Self::ClassNotGiven => "class_not_given",
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCalibration => f.write_str("the store has no calibration"),
            Self::NotEnoughCalibrationImages { class, images, required } => write!(
                f,
                "not enough calibration images of class `{class}`: \
                 there are {images}, and it takes {required}"
            ),
            Self::NotEnoughCalibrationGroups { class, groups, required } => {
                f.write_str("not enough groups of calibration images")?;
                if let Some(class) = class {
                    write!(f, " of class `{class}`")?;
                }
                write!(f, ": there are {groups}, and it takes {required}")
            }
            Self::ClassNotGiven => f.write_str(
                "the p-value is among images of the predicted class, and none was given",
            ),
        }
    }
}

/// An [`Unavailable`] as JSON has it.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DriftUnavailable))]
pub(crate) struct Document {
    /// A name that does not change: `no_calibration`, `not_enough_calibration_images` (of the decided class, where each
    /// class is judged by its own images), `not_enough_calibration_groups` (where images of one part count once, as
    /// parts), or `class_not_given`.
    reason: &'static str,
    /// The same as a sentence.
    message: String,
    /// The decided class, where its images or groups are too few.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    /// How many calibration images it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<usize>,
    /// Of how many groups its calibration images are, or all.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<usize>,
    /// How many it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    required: Option<usize>,
}

impl From<Unavailable> for Document {
    fn from(unavailable: Unavailable) -> Self {
        let (reason, message) = (unavailable.reason(), unavailable.to_string());
        let (class, images, groups, required) = match unavailable {
            Unavailable::NotEnoughCalibrationImages { class, images, required } => {
                (Some(class), Some(images), None, Some(required))
            }
            Unavailable::NotEnoughCalibrationGroups { class, groups, required } => {
                (class, None, Some(groups), Some(required))
            }
            Unavailable::NoCalibration | Unavailable::ClassNotGiven => (None, None, None, None),
        };
        Self { reason, message, class, images, groups, required }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn programs_and_people_read_the_same_reason() {
        let few = Unavailable::NotEnoughCalibrationImages {
            class: "defect".into(),
            images: 7,
            required: 19,
        };
        let message =
            "not enough calibration images of class `defect`: there are 7, and it takes 19";
        let expected = json!({
            "reason": "not_enough_calibration_images", "message": message,
            "class": "defect", "images": 7, "required": 19,
        });
        assert_eq!(serde_json::to_value(&few).unwrap(), expected);
        let few = Unavailable::NotEnoughCalibrationGroups { class: None, groups: 8, required: 19 };
        let expected = json!({
            "reason": "not_enough_calibration_groups", "groups": 8, "required": 19,
            "message": "not enough groups of calibration images: there are 8, and it takes 19",
        });
        assert_eq!(serde_json::to_value(&few).unwrap(), expected);
        let none = serde_json::to_value(Unavailable::NoCalibration).unwrap();
        assert_eq!(
            none,
            json!({"reason": "no_calibration", "message": "the store has no calibration"})
        );
    }
}
