//! What a calibration says of a score, or why it says nothing.

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

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
#[derive(Debug, Clone, PartialEq, Eq)]
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
            Self::ClassNotGiven => f.write_str(
                "the p-value is among images of the predicted class, and none was given",
            ),
        }
    }
}

impl Serialize for Unavailable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let numbers = match self {
            Self::NotEnoughCalibrationImages { class, images, required } => {
                Some((class, images, required))
            }
            Self::NoCalibration | Self::ClassNotGiven => None,
        };
        let fields = if numbers.is_some() { 5 } else { 2 };
        let mut object = serializer.serialize_struct("Unavailable", fields)?;
        object.serialize_field("reason", self.reason())?;
        object.serialize_field("message", &self.to_string())?;
        if let Some((class, images, required)) = numbers {
            object.serialize_field("class", class)?;
            object.serialize_field("images", images)?;
            object.serialize_field("required", required)?;
        }
        object.end()
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
        let none = serde_json::to_value(Unavailable::NoCalibration).unwrap();
        assert_eq!(
            none,
            json!({"reason": "no_calibration", "message": "the store has no calibration"})
        );
    }
}
