//! CMYK as Pillow turns it into RGB: 8-bit products that are rounded, without a color profile.

/// Red, green and blue of the four inks, 0 being none of an ink (`cmyk2rgb` in Pillow's `Convert.c`).
pub(crate) fn rgb([cyan, magenta, yellow, black]: [u8; 4]) -> [u8; 3] {
    let light = 255 - black;
    [cyan, magenta, yellow].map(|ink| light - product(ink, light))
}

/// `a * b / 255`, rounded (`MULDIV255` in Pillow's `ImagingUtils.h`).
#[expect(clippy::cast_possible_truncation, reason = "at most 255")]
fn product(a: u8, b: u8) -> u8 {
    let product = u32::from(a) * u32::from(b) + 128;
    (((product >> 8) + product) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use super::rgb;

    #[test]
    fn no_ink_is_white_and_black_ink_is_black() {
        assert_eq!(rgb([0, 0, 0, 0]), [255, 255, 255]);
        assert_eq!(rgb([255, 0, 0, 0]), [0, 255, 255]);
        for ink in 0..=255 {
            assert_eq!(rgb([ink, ink, ink, 255]), [0, 0, 0]);
            assert_eq!(rgb([0, ink, 255, 128])[0], 127);
        }
    }

    #[test]
    fn products_are_rounded() {
        for ink in 0..=255_u8 {
            for black in 0..=255_u8 {
                let light = u32::from(255 - black);
                // The nearest whole number; a half is never met, as 255 is odd.
                let expected = light - (2 * u32::from(ink) * light + 255) / 510;
                assert_eq!(u32::from(rgb([ink, 0, 0, black])[0]), expected, "{ink} {black}");
            }
        }
    }
}
