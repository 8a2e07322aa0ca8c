//! One fault, as the document tells of it.

/// A fault that a client can be told of.
#[derive(Clone, Copy)]
pub(in crate::contract) struct Documented {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(in crate::contract) when: &'static str,
}

pub(super) const fn fault(status: u16, code: &'static str, when: &'static str) -> Documented {
    Documented { status, code, when }
}
