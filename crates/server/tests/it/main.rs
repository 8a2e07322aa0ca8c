//! The real program, with the real ONNX Runtime and FAISS, on a free port.

#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

mod answer;
mod browser;
mod capture;
mod client;
mod collector;
mod connections;
mod dashboard;
mod documents;
mod drain;
mod errors;
mod eventually;
mod exposition;
mod failing;
mod forms;
mod hold;
mod hostile;
mod http2;
mod interfaces;
mod leaving;
mod lifecycle;
mod load;
mod logs;
mod metrics;
mod monitor;
mod other_sites;
mod overload;
mod page;
mod pipe;
#[path = "../../../monitor/tests/postgres/mod.rs"]
mod postgres;
mod predict;
mod proxy;
mod reload;
mod security;
mod server;
mod socket;
mod store;
mod tls;
mod traces;
mod unavailable;
mod upgrade;
mod v2;
mod v2_hostile;
