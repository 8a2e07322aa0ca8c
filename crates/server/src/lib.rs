//! The HTTP service: an uploaded image in, class, confidence and drift score out.
//!
//! A request flows through the modules of this crate in this order:
//!
//! 1. `observe` names it, and tells log, `metrics` and traces (`telemetry`) what it came to;
//!    `guard` lets it in as `security` says; `connections` notices when its client leaves;
//! 2. `routes`: the handler reads the images (`uploads`) on an async worker;
//! 3. [`sdd_serving::engine`]: admission, then threads that each own a model: decoding, inference and
//!    the comparison with the reference never run on an async worker;
//! 4. `routes` again: the answer becomes JSON, or an `error` a status and a stable code;
//!    [`sdd_serving::capture`] may keep the image, and [`sdd_serving::recording`] remembers the prediction.
//!
//! `startup` puts the parts together from `settings`, and `shutdown` takes them apart without losing a request.
//! Nothing of this is for other crates: what they have of it is the [`program`], and an [`Application`] for tests.

mod administration;
mod connections;
mod error;
mod guard;
mod health;
mod listener;
mod metrics;
mod observe;
mod openapi;
mod outgoing;
pub mod program;
mod recorder;
mod request;
mod routes;
mod security;
mod service;
mod settings;
mod shutdown;
mod startup;
mod telemetry;
mod uploads;
mod webhook;

pub use settings::{Cli, Settings};
pub use startup::Application;
