//! The command that brings a damaged reference back: the libraries know of no programs.

use std::error::Error;

use sdd_index::WayBack;
use sdd_serving::causes::{causes_of, chain_of};

/// The command that helps, where an error knows of a generation that is whole.
pub fn way_back(error: &(dyn Error + 'static)) -> Option<String> {
    match causes_of(error).find_map(|cause| cause.downcast_ref()) {
        Some(sdd_core::Error::Runtime { .. }) => {
            return Some("`make setup`, which puts ONNX Runtime in place".into());
        }
        Some(sdd_core::Error::Device { .. }) => {
            return Some("`--device cpu`, which runs the model on the CPU".into());
        }
        _ => {}
    }
    let of = |cause: &(dyn Error + 'static)| {
        let error = match cause.downcast_ref() {
            Some(sdd_drift::Error::Store(error)) => Some(error),
            _ => cause.downcast_ref::<sdd_index::Error>(),
        };
        error.and_then(sdd_index::Error::way_back).cloned()
    };
    let WayBack { store, generation, folder_in_the_way } = causes_of(error).find_map(of)?;
    let once = if folder_in_the_way { " once the folder is away" } else { "" };
    Some(format!("`drift-index rollback {}@{generation}`{once}", store.display()))
}

/// An error with all its causes and that command, in one line.
pub fn chain_with_way_back(error: &(dyn Error + 'static)) -> String {
    let command = way_back(error).map(|command| format!(": {command}"));
    format!("{}{}", chain_of(error), command.unwrap_or_default())
}
