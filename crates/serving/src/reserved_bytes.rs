//! Bytes, as of an image file, with the room that is set aside for them: it travels with them.

use std::ops::{Deref, Range};
use std::sync::Arc;

use bytes::Bytes;

use crate::allowance::Reservation;

/// Bytes together with the room that they take.
#[derive(Debug)]
pub struct ReservedBytes {
    bytes: Bytes,
    reservation: Arc<Reservation>,
}

impl ReservedBytes {
    /// `bytes` that `reservation` was grown for.
    pub fn new(bytes: Bytes, reservation: Reservation) -> Self {
        Self { bytes, reservation: Arc::new(reservation) }
    }

    /// A part of them, shared, not copied. The room is given back with the last part.
    ///
    /// # Panics
    /// When the range is not within the bytes.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        Self { bytes: self.bytes.slice(range), reservation: Arc::clone(&self.reservation) }
    }

    /// The bytes alone, shared, not copied.
    pub fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }
}

impl Deref for ReservedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::ReservedBytes;
    use crate::allowance::Allowance;

    #[test]
    fn a_part_keeps_the_room_of_the_whole() {
        let memory = Allowance::new(10);
        let mut reservation = memory.reserve();
        assert!(reservation.grow(6));
        let whole = ReservedBytes::new(Bytes::from_static(b"abcdef"), reservation);
        let part = whole.slice(1..3);
        drop(whole);
        assert_eq!((&*part, memory.used()), (&b"bc"[..], 6));
        drop(part);
        assert_eq!(memory.used(), 0);
    }
}
