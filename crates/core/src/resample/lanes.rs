//! Sixteen samples at a time: what both passes calculate with.
//!
//! Written out for AVX2, as the compiler makes of plain loops over weights a worse arrangement than
//! none; and in plain Rust for every other processor.

use super::coefficients::PRECISION_BITS;

/// Samples in one vector.
pub(super) const LANES: usize = 16;

/// One half, so that the shift rounds.
const ROUNDING: i32 = 1 << (PRECISION_BITS - 1);

/// Arithmetic on [`LANES`] samples.
pub(super) trait Lanes: Copy {
    /// Samples of 8 bits.
    type Samples: Copy;
    /// Sums of 32 bits.
    type Sums: Copy;

    fn load(self, samples: &[u8; LANES]) -> Self::Samples;
    fn store(self, samples: Self::Samples) -> [u8; LANES];

    /// The first halves of `a` and `b`, a sample of each in turn, and the second halves.
    fn interleave(self, a: Self::Samples, b: Self::Samples) -> [Self::Samples; 2];

    /// What [`round`](Lanes::round) makes 0 of.
    fn zero(self) -> Self::Sums;

    /// Each sum with a sample times the weight added. Sums of a window's products fit: that is what
    /// the precision was chosen for.
    fn add_products(self, sums: Self::Sums, samples: Self::Samples, weight: i32) -> Self::Sums;

    /// The sums as whole numbers, cut to 0..=255.
    fn round(self, sums: Self::Sums) -> Self::Samples;
}

/// Something that works with any [`Lanes`].
pub(super) trait Pass {
    fn run<L: Lanes>(self, lanes: L);
}

/// Runs `pass` with the best lanes that this processor has. All of them give the same.
pub(super) fn dispatch(pass: impl Pass) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return simd.vectorize(avx2::Run { simd, pass });
    }
    pass.run(Plain);
}

/// For every processor.
#[derive(Clone, Copy)]
pub(super) struct Plain;

impl Lanes for Plain {
    type Samples = [u8; LANES];
    type Sums = [i32; LANES];

    fn load(self, samples: &[u8; LANES]) -> Self::Samples {
        *samples
    }

    fn store(self, samples: Self::Samples) -> [u8; LANES] {
        samples
    }

    fn interleave(self, a: Self::Samples, b: Self::Samples) -> [Self::Samples; 2] {
        let pick = |at: usize| if at.is_multiple_of(2) { a[at / 2] } else { b[at / 2] };
        [std::array::from_fn(pick), std::array::from_fn(|at| pick(LANES + at))]
    }

    fn zero(self) -> Self::Sums {
        [ROUNDING; LANES]
    }

    fn add_products(self, mut sums: Self::Sums, samples: Self::Samples, weight: i32) -> Self::Sums {
        for (sum, sample) in sums.iter_mut().zip(samples) {
            *sum = sum.wrapping_add(i32::from(sample).wrapping_mul(weight));
        }
        sums
    }

    #[expect(clippy::cast_sign_loss, reason = "clamped to 0..=255")]
    fn round(self, sums: Self::Sums) -> Self::Samples {
        sums.map(|sum| (sum >> PRECISION_BITS).clamp(0, 255) as u8)
    }
}

#[cfg(target_arch = "x86_64")]
#[expect(
    clippy::inline_always,
    reason = "what is not compiled into its caller is compiled without the caller's instructions"
)]
mod avx2 {
    use std::arch::x86_64::{__m128i, __m256i};

    use pulp::x86::V3;

    use super::{LANES, Lanes, PRECISION_BITS, Pass, ROUNDING};

    pub(super) struct Run<P> {
        pub(super) simd: V3,
        pub(super) pass: P,
    }

    impl<P: Pass> pulp::NullaryFnOnce for Run<P> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            self.pass.run(self.simd);
        }
    }

    impl Lanes for V3 {
        type Samples = __m128i;
        type Sums = [__m256i; 2];

        #[inline(always)]
        fn load(self, samples: &[u8; LANES]) -> __m128i {
            pulp::cast(*samples)
        }

        #[inline(always)]
        fn store(self, samples: __m128i) -> [u8; LANES] {
            pulp::cast(samples)
        }

        #[inline(always)]
        fn interleave(self, a: __m128i, b: __m128i) -> [__m128i; 2] {
            [self.sse2._mm_unpacklo_epi8(a, b), self.sse2._mm_unpackhi_epi8(a, b)]
        }

        #[inline(always)]
        fn zero(self) -> [__m256i; 2] {
            [self.avx._mm256_set1_epi32(ROUNDING); 2]
        }

        #[inline(always)]
        fn add_products(
            self,
            [low, high]: [__m256i; 2],
            samples: __m128i,
            weight: i32,
        ) -> [__m256i; 2] {
            let weight = self.avx._mm256_set1_epi32(weight);
            let add = |sums, samples| {
                let samples = self.avx2._mm256_cvtepu8_epi32(samples);
                self.avx2._mm256_add_epi32(sums, self.avx2._mm256_mullo_epi32(samples, weight))
            };
            [add(low, samples), add(high, self.sse2._mm_unpackhi_epi64(samples, samples))]
        }

        #[inline(always)]
        fn round(self, [low, high]: [__m256i; 2]) -> __m128i {
            const SHIFT: i32 = PRECISION_BITS.cast_signed();
            let low = self.avx2._mm256_srai_epi32::<SHIFT>(low);
            let high = self.avx2._mm256_srai_epi32::<SHIFT>(high);
            // Packing works on halves of 128 bits: 0..4, 8..12, 4..8, 12..16, and then in order.
            let packed = self.avx2._mm256_packs_epi32(low, high);
            let packed = self.avx2._mm256_permute4x64_epi64::<0b11_01_10_00>(packed);
            let first = self.avx._mm256_castsi256_si128(packed);
            self.sse2._mm_packus_epi16(first, self.avx2._mm256_extracti128_si256::<1>(packed))
        }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::{LANES, Lanes, Pass, Plain, dispatch};

    /// Does everything once and gives the results.
    struct Everything<'a> {
        samples: [[u8; LANES]; 2],
        weights: [i32; 2],
        found: &'a mut Vec<[u8; LANES]>,
    }

    impl Pass for Everything<'_> {
        fn run<L: Lanes>(self, lanes: L) {
            let [a, b] = [lanes.load(&self.samples[0]), lanes.load(&self.samples[1])];
            let sums = lanes.add_products(lanes.zero(), a, self.weights[0]);
            let sums = lanes.add_products(sums, b, self.weights[1]);
            let results = [lanes.round(sums), lanes.interleave(a, b)[0], lanes.interleave(a, b)[1]];
            self.found.extend(results.map(|samples| lanes.store(samples)));
        }
    }

    #[test]
    fn all_lanes_give_the_same() {
        let samples = [
            std::array::from_fn(|at| u8::try_from(at * 17).unwrap()),
            std::array::from_fn(|at| u8::try_from(255 - at * 9).unwrap()),
        ];
        let one = 1 << 22;
        for weights in [[one, 0], [one / 2, one / 2], [one / 3, -one], [one, one], [-1, 1]] {
            let (mut plain, mut best) = (Vec::new(), Vec::new());
            Everything { samples, weights, found: &mut plain }.run(Plain);
            dispatch(Everything { samples, weights, found: &mut best });
            assert_eq!(plain, best, "{weights:?}");
        }
    }
}
