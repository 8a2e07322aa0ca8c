//! ADWIN and Page–Hinkley as river has them, for comparison: neither promises a rate of false alarms that a user
//! could state.

mod adwin;
mod page_hinkley;

pub use adwin::Adwin;
pub use page_hinkley::{Direction, PageHinkley};

#[cfg(test)]
mod tests;
