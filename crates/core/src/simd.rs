//! Plain loops, compiled for the widest vector registers that the processor has.

/// Runs `loops`, a closure that is `#[inline(always)]` like all that it calls, with AVX2 where there
/// is AVX2. The choice is made at run time; what is computed is the same everywhere.
pub(crate) fn vectorize<T>(loops: impl FnOnce() -> T) -> T {
    pulp::Arch::new().dispatch(loops)
}
