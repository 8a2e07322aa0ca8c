//! Buffers that are kept from one image to the next.

/// What a buffer may have and be kept, in bytes: the RGB samples of a photograph of 12 megapixels
/// fit. A larger one is given back after use, so that one huge image does not hold its memory.
const KEPT_BYTES: usize = 40 << 20;

/// The first `length` elements of a buffer, which grows where it must. What an earlier image left is
/// not cleared.
pub(crate) fn first<T: Copy + Default>(buffer: &mut Vec<T>, length: usize) -> &mut [T] {
    if buffer.len() < length {
        // Before there is another, so that there are never two; and another, so that nothing is
        // copied and the system gives it zeroed.
        *buffer = Vec::new();
        *buffer = vec![T::default(); length];
    }
    &mut buffer[..length]
}

/// Frees a buffer that is too large to be kept.
pub(crate) fn release_if_large<T>(buffer: &mut Vec<T>) {
    if buffer.capacity().saturating_mul(size_of::<T>()) > KEPT_BYTES {
        *buffer = Vec::new();
    }
}
