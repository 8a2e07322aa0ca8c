//! The way from the samples of 16-bit files to 8 bits.
//!
//! Nothing in a file says how many of the 16 bits a camera filled. Of samples that use all of them the high byte
//! is taken, as Pillow does; a picture of 12 bits would come out nearly black of that, and be judged as such. So a
//! model's description says which bits its pictures have, and a picture that may be of either kind is refused
//! where it does not.

use crate::error::ImageError;

/// Bits of a sample that a description may state.
pub(crate) const STATED: std::ops::RangeInclusive<u8> = 9..=16;

/// Samples below this may be of 12 bits, the fewest that cameras deliver in 16.
const AMBIGUOUS_BELOW: u16 = 1 << 12;

/// How the samples of one picture become 8 bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Narrowing {
    shift: u32,
}

impl Narrowing {
    /// For a picture with this largest sample (alpha aside), of a model that states a `bit_depth` or none.
    ///
    /// # Errors
    /// [`ImageError::AmbiguousBitDepth`] where none is stated and the picture would be nearly black,
    /// [`ImageError::BeyondBitDepth`] where the picture does not keep to it.
    pub(crate) fn of(largest: u16, bit_depth: Option<u8>) -> Result<Self, ImageError> {
        let shift = match bit_depth {
            None if largest == 0 || largest >= AMBIGUOUS_BELOW => 8,
            None => return Err(ImageError::AmbiguousBitDepth { largest }),
            Some(bit_depth) if u32::from(largest) >> bit_depth > 0 => {
                return Err(ImageError::BeyondBitDepth { largest, bit_depth });
            }
            Some(bit_depth) => u32::from(bit_depth).saturating_sub(8),
        };
        Ok(Self { shift })
    }

    /// The 8 highest bits.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled into loops of every instruction set")]
    #[expect(clippy::cast_possible_truncation, reason = "no sample is beyond the depth")]
    pub(crate) fn eight_bit(self, sample: u16) -> u8 {
        (sample >> self.shift) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::Narrowing;
    use crate::error::ImageError;

    #[test]
    fn the_highest_bits_of_the_stated_depth_are_taken() {
        for (bit_depth, sample, expected) in [
            (None, 0xFFFF, 255),
            (None, 0x1000, 16),
            (None, 0, 0),
            (Some(16), 0x0FFF, 15),
            (Some(12), 0x0FFF, 255),
            (Some(12), 0x0010, 1),
            (Some(9), 0x01FF, 255),
        ] {
            let narrowing = Narrowing::of(sample, bit_depth).unwrap();
            assert_eq!(narrowing.eight_bit(sample), expected, "{bit_depth:?} {sample:#x}");
        }
    }

    #[test]
    fn what_may_be_either_or_is_beyond_the_depth_is_refused() {
        for largest in [1, 0x0FFF] {
            let error = Narrowing::of(largest, None).unwrap_err();
            assert!(matches!(error, ImageError::AmbiguousBitDepth { .. }), "{error}");
        }
        let error = Narrowing::of(0x1000, Some(12)).unwrap_err();
        assert!(matches!(error, ImageError::BeyondBitDepth { bit_depth: 12, .. }), "{error}");
    }
}
