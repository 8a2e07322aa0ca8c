//! The HTTP service: an uploaded image in, class, confidence and drift score out.
//!
//! A request flows through the modules of this crate in this order:
//!
//! 1. [`observe`] gives it a name and a deadline, and tells of it when it is over;
//! 2. [`routes`]: the handler reads the [`uploads`] on an async worker;
//! 3. [`engine`]: admission to a bounded queue, from which threads that each own a model take
//!    their work: decoding, inference and the comparison with the reference never run on an async
//!    worker;
//! 4. [`routes`] again: the answer becomes JSON, or an [`error`] a status and a stable code.
//!
//! [`startup`] puts the parts together from [`settings`]; the program is a few lines around it.

pub mod capture;
pub mod engine;
pub mod error;
pub mod health;
pub mod listener;
pub mod metrics;
pub mod observe;
pub mod request;
pub mod routes;
pub mod service;
pub mod settings;
pub mod startup;
pub mod telemetry;
pub mod uploads;

pub use settings::Settings;
pub use startup::Application;
