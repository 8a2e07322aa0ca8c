//! sdd-server against the Python stack that it replaces: the same model file, the same uploads, the
//! same cores, in turn.

pub mod accounting;
pub mod client;
pub mod compare;
pub mod growth;
pub mod images;
pub mod limit;
pub mod load;
pub mod program;
pub mod report;
pub mod results;
pub mod run;
pub mod scaling;
pub mod start;
pub mod upload;
