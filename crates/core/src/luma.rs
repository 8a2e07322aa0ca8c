//! RGB to gray: ITU-R 601-2 luma in Pillow's fixed point (`L24` in its `Convert.c`).

/// Pixels that are converted at a time.
const PIXELS: usize = 16;

const RED: u16 = 19_595;
/// Half of green's weight, which would not fit into 16 bits with a sign.
const HALF_GREEN: u16 = 19_235;
const BLUE: u16 = 7_471;
/// One half, so that the shift rounds.
const ROUNDING: u16 = 0x8000;

/// The luma of one pixel.
#[expect(clippy::cast_possible_truncation, reason = "the weights sum to 65536")]
pub(crate) fn luma(red: u8, green: u8, blue: u8) -> u8 {
    let product = |sample: u8, weight: u16| u32::from(sample) * u32::from(weight);
    let sum = product(red, RED) + 2 * product(green, HALF_GREEN) + product(blue, BLUE);
    ((sum + u32::from(ROUNDING)) >> 16) as u8
}

/// Makes interleaved RGB gray. The result comes first in `rgb`, and the rest has no meaning then.
pub(crate) fn in_place(rgb: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    let done = pulp::x86::V3::try_new()
        .map_or(0, |simd| simd.vectorize(avx2::Blocks { simd, rgb: &mut *rgb }));
    #[cfg(not(target_arch = "x86_64"))]
    let done = 0;
    for pixel in done..rgb.len() / 3 {
        let at = 3 * pixel;
        rgb[pixel] = luma(rgb[at], rgb[at + 1], rgb[at + 2]);
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{__m128i, __m256i};

    use pulp::x86::V3;

    use super::{BLUE, HALF_GREEN, PIXELS, RED, ROUNDING};

    /// Converts all blocks of [`PIXELS`]; gives the number of pixels in them.
    pub(super) struct Blocks<'a> {
        pub(super) simd: V3,
        pub(super) rgb: &'a mut [u8],
    }

    /// Of 4 pixels, two samples each as 16 bits: red and green, and blue and green.
    const RED_GREEN: [i8; 16] = [0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10, -1];
    const BLUE_GREEN: [i8; 16] = [2, -1, 1, -1, 5, -1, 4, -1, 8, -1, 7, -1, 11, -1, 10, -1];

    impl pulp::NullaryFnOnce for Blocks<'_> {
        type Output = usize;

        #[inline(always)]
        #[expect(clippy::inline_always, reason = "compiled with its caller's instructions")]
        fn call(self) -> usize {
            let blocks = self.rgb.len() / (3 * PIXELS);
            for block in 0..blocks {
                let (thirds, _) = self.rgb[block * 3 * PIXELS..].as_chunks::<16>();
                let converted = self.convert(&[thirds[0], thirds[1], thirds[2]]);
                self.rgb[block * PIXELS..][..PIXELS].copy_from_slice(&converted);
            }
            blocks * PIXELS
        }
    }

    impl Blocks<'_> {
        #[inline(always)]
        #[expect(clippy::inline_always, reason = "compiled with its caller's instructions")]
        fn convert(&self, thirds: &[[u8; 16]; 3]) -> [u8; PIXELS] {
            let simd = self.simd;
            let [a, b, c]: [__m128i; 3] =
                [pulp::cast(thirds[0]), pulp::cast(thirds[1]), pulp::cast(thirds[2])];
            // In the first 12 bytes of each 4 pixels; 0 to 3 and 4 to 7, 8 to 11 and 12 to 15.
            let (first, second) = (a, simd.ssse3._mm_alignr_epi8::<12>(b, a));
            let third = simd.ssse3._mm_alignr_epi8::<8>(c, b);
            let fourth = simd.ssse3._mm_alignr_epi8::<4>(c, c);
            let low = self.sums(simd.avx._mm256_set_m128i(second, first));
            let high = self.sums(simd.avx._mm256_set_m128i(fourth, third));
            // Packing works on halves of 128 bits: 0..4, 8..12, 4..8, 12..16, and then in order.
            let packed = simd.avx2._mm256_packus_epi32(low, high);
            let packed = simd.avx2._mm256_permute4x64_epi64::<0b11_01_10_00>(packed);
            let first = simd.avx._mm256_castsi256_si128(packed);
            let second = simd.avx2._mm256_extracti128_si256::<1>(packed);
            pulp::cast(simd.sse2._mm_packus_epi16(first, second))
        }

        /// The luma of 8 pixels, as 32 bits each.
        #[inline(always)]
        #[expect(clippy::inline_always, reason = "compiled with its caller's instructions")]
        fn sums(&self, pixels: __m256i) -> __m256i {
            let simd = self.simd;
            let products = |places: [i8; 16], weights: [u16; 2]| {
                let samples = simd.avx2._mm256_shuffle_epi8(pixels, pulp::cast([places, places]));
                simd.avx2._mm256_madd_epi16(samples, pulp::cast([weights; 8]))
            };
            let sum = simd.avx2._mm256_add_epi32(
                products(RED_GREEN, [RED, HALF_GREEN]),
                products(BLUE_GREEN, [BLUE, HALF_GREEN]),
            );
            let rounding = simd.avx._mm256_set1_epi32(i32::from(ROUNDING));
            let sum = simd.avx2._mm256_add_epi32(sum, rounding);
            simd.avx2._mm256_srli_epi32::<16>(sum)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{in_place, luma};

    #[test]
    fn weights_are_pillows() {
        assert_eq!(luma(255, 255, 255), 255);
        assert_eq!(luma(255, 0, 0), 76);
        assert_eq!(luma(0, 255, 0), 150);
        assert_eq!(luma(0, 0, 255), 29);
    }

    #[test]
    fn every_color_is_converted_as_alone() {
        // All of them would be 50 MB: every 3rd green, and every number of pixels at the end.
        for red in 0..=255_u8 {
            let colors = (0..=255_u8)
                .step_by(3)
                .flat_map(|green| (0..=255_u8).map(move |blue| [red, green, blue]))
                .chain((0..red % 40).map(|rest| [rest, red, 7]));
            let mut rgb: Vec<u8> = colors.flatten().collect();
            let expected: Vec<u8> =
                rgb.as_chunks().0.iter().map(|[r, g, b]| luma(*r, *g, *b)).collect();
            in_place(&mut rgb);
            assert!(rgb[..expected.len()] == expected, "red {red}");
        }
    }
}
