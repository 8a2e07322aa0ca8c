//! The HTTP service: an uploaded image in, class, confidence and drift score out.
//!
//! A request flows through the modules of this crate in this order:
//!
//! 1. [`routes`]: the handler reads the upload (`routes::upload`) on an async worker;
//! 2. [`engine`]: admission to a bounded queue, from which threads that each own a model take
//!    their work: decoding, inference and the comparison with the reference never run on an async
//!    worker;
//! 3. [`routes`] again: the answer becomes JSON, or an [`error`] a status and a stable code.
//!
//! [`startup`] puts the parts together from [`settings`]; the program is a few lines around it.

pub mod connections;
pub mod engine;
pub mod error;
pub mod health;
pub mod metrics;
pub mod observe;
pub mod request;
pub mod routes;
pub mod security;
pub mod service;
pub mod settings;
pub mod startup;
pub mod telemetry;
pub mod uploads;

pub use settings::Settings;
pub use startup::Application;
