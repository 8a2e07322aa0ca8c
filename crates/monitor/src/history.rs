//! How a stream went: an epoch in stretches of as many images each.

use serde::Serialize;

use sdd_drift::Properties;

use crate::error::Result;
use crate::report::ShareReport;
use crate::store::SeriesPoint;

/// Images that follow each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftStretch))]
pub struct Stretch {
    /// The number of its first image.
    pub first_sequence: u64,
    /// The number of its last image.
    pub last_sequence: u64,
    /// When its first image was seen: milliseconds since 1970 (UTC).
    pub first_ms: i64,
    /// When its last image was seen: milliseconds since 1970 (UTC).
    pub last_ms: i64,
    /// The share out of distribution of those that could be judged.
    pub share: ShareReport,
    /// R, the evidence of drift; none where nothing was tested.
    pub evidence: Option<Course>,
    /// The means of what its pictures are like; none where that was looked at of none.
    pub properties: Option<Properties>,
}

/// What a value did in a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftCourse))]
pub struct Course {
    /// Its largest value, so that no alarm is lost between two points of a curve.
    pub largest: f64,
    /// Its last value.
    pub last: f64,
}

impl Stretch {
    /// Images that a history goes back at most: some tenths of a second to read.
    pub const MOST_IMAGES: usize = 100_000;

    /// Stretches that a history is divided into where nobody asks for another number.
    pub const USUAL_NUMBER: usize = 60;

    /// Divides images, which follow each other, into stretches of as many images each, `most` at most and the last
    /// one possibly shorter. None without images.
    ///
    /// # Errors
    ///
    /// None in practice: a share of a count is always one.
    pub fn divide(images: &[SeriesPoint], most: usize) -> Result<Vec<Self>> {
        let length = images.len().div_ceil(most.max(1)).max(1);
        images.chunks(length).filter_map(|stretch| Self::of(stretch).transpose()).collect()
    }

    /// `None` without images.
    fn of(images: &[SeriesPoint]) -> Result<Option<Self>> {
        let (Some(first), Some(last)) = (images.first(), images.last()) else { return Ok(None) };
        let judged = images.iter().filter(|image| image.out_of_distribution.is_some()).count();
        let out = images.iter().filter(|image| image.out_of_distribution == Some(true)).count();
        Ok(Some(Self {
            first_sequence: first.sequence,
            last_sequence: last.sequence,
            first_ms: first.time_ms,
            last_ms: last.time_ms,
            share: ShareReport::new(out as u64, judged as u64)?,
            evidence: Course::of(images.iter().filter_map(|image| image.evidence)),
            properties: mean(images.iter().filter_map(|image| image.properties)),
        }))
    }
}

fn mean(images: impl Iterator<Item = Properties>) -> Option<Properties> {
    let (mut sum, mut count) = ([0.0; Properties::NAMES.len()], 0_u32);
    for image in images {
        sum.iter_mut().zip(image.to_array()).for_each(|(sum, value)| *sum += value);
        count += 1;
    }
    (count > 0).then(|| Properties::of_array(sum.map(|sum| sum / f64::from(count))))
}

impl Course {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        values.fold(None, |course, value| {
            let largest = course.map_or(value, |course: Self| course.largest.max(value));
            Some(Self { largest, last: value })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(sequence: u64, out: Option<bool>) -> SeriesPoint {
        SeriesPoint {
            sequence,
            time_ms: 10 * i64::try_from(sequence).unwrap(),
            predicted_class: "good".into(),
            score: 0.5,
            p_value: out.map(|_| 0.5),
            out_of_distribution: out,
            evidence: out.map(|_| if sequence == 5 { 300.0 } else { 1.0 }),
            properties: out.map(|_| Properties::of_array([sequence as f64, 1.0, 1.0, 1.0, 0.0])),
        }
    }

    #[test]
    fn all_images_are_in_a_stretch_and_no_peak_is_lost() {
        let images: Vec<_> =
            (1..=100).map(|i| image(i, (i % 10 != 0).then_some(i % 4 == 0))).collect();
        let stretches = Stretch::divide(&images, 30).unwrap();
        assert_eq!(stretches.len(), 25);
        assert_eq!(stretches.iter().map(|one| one.share.images).sum::<u64>(), 90);
        assert_eq!(stretches.iter().map(|one| one.share.out_of_distribution).sum::<u64>(), 20);
        assert_eq!(stretches[1].evidence, Some(Course { largest: 300.0, last: 1.0 }));
        assert_eq!((stretches[24].first_sequence, stretches[24].last_sequence), (97, 100));
        assert_eq!(stretches[0].properties.unwrap().brightness, 2.5);
        assert_eq!((stretches[24].first_ms, stretches[24].last_ms), (970, 1000));
        assert!(stretches.windows(2).all(|two| two[0].last_sequence + 1 == two[1].first_sequence));
    }

    #[test]
    fn few_images_are_a_stretch_each_and_none_are_none() {
        assert_eq!(Stretch::divide(&[], 30).unwrap(), []);
        let stretches = Stretch::divide(&[image(7, None), image(8, Some(true))], 30).unwrap();
        assert_eq!(stretches.len(), 2);
        assert_eq!((stretches[0].evidence, stretches[0].share.images), (None, 0));
        assert_eq!(Stretch::divide(&[image(7, None)], 0).unwrap().len(), 1);
    }
}
