//! The HTTP service: an uploaded image in, class, confidence and drift score out.
//!
//! A request flows through the modules of this crate in this order:
//!
//! 1. [`observe`] names it, and tells log, [`metrics`] and traces ([`telemetry`]) what it came to;
//!    [`guard`] lets it in as [`security`] says; [`connections`] notices when its client leaves;
//! 2. [`routes`]: the handler reads the images ([`uploads`]) on an async worker;
//! 3. [`sdd_serving::engine`]: admission, then threads that each own a model: decoding, inference and
//!    the comparison with the reference never run on an async worker;
//! 4. [`routes`] again: the answer becomes JSON, or an [`error`] a status and a stable code;
//!    [`sdd_serving::capture`] may keep the image, and [`sdd_serving::recording`] remembers the prediction.
//!
//! [`startup`] puts the parts together from [`settings`]; the program is a few lines around it. [`shutdown`]
//! takes them apart without losing a request.

pub mod administration;
pub mod connections;
pub mod contract;
pub mod error;
pub mod guard;
pub mod health;
pub mod listener;
pub mod metrics;
pub mod observe;
pub mod openapi;
pub mod outgoing;
pub mod recorder;
pub mod request;
pub mod routes;
pub mod security;
pub mod service;
pub mod settings;
pub mod shutdown;
pub mod startup;
pub mod telemetry;
pub mod uploads;
pub mod webhook;

pub use settings::Settings;
pub use startup::Application;
