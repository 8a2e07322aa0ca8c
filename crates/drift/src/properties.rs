//! What a picture is like, whatever it shows.

use serde::{Deserialize, Serialize};

/// What a picture is like as the model sees it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ImageProperties))]
pub struct Properties {
    /// The mean gray level, 0 to 255.
    pub brightness: f32,
    /// The standard deviation of the gray levels.
    pub contrast: f32,
    /// How steep edges are: less of a blurred picture.
    pub sharpness: f32,
    /// The standard deviation of the noise, in gray levels.
    pub noise: f32,
    /// The share of pixels that are black or white, 0 to 1.
    pub saturated: f32,
}

impl Properties {
    /// The names in the order of [`to_array`](Self::to_array).
    pub const NAMES: [&str; 5] = ["brightness", "contrast", "sharpness", "noise", "saturated"];

    /// Of values in the order of [`NAMES`](Self::NAMES).
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "six digits of a gray level are enough")]
    pub fn of_array(values: [impl Into<f64>; 5]) -> Self {
        let [brightness, contrast, sharpness, noise, saturated] =
            values.map(|value| value.into() as f32);
        Self { brightness, contrast, sharpness, noise, saturated }
    }

    /// The values in the order of [`NAMES`](Self::NAMES).
    #[must_use]
    pub fn to_array(self) -> [f64; 5] {
        let Self { brightness, contrast, sharpness, noise, saturated } = self;
        [brightness, contrast, sharpness, noise, saturated].map(f64::from)
    }
}
