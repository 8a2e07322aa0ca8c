//! What the handlers promise beside the answers that they name themselves: the bodies that bring images, and the
//! faults that a client can be told of. The document ([`crate::openapi`]) is made of what handlers and these say.

mod bodies;
mod faults;
mod inference_protocol;

pub use bodies::{EncodedImage, ImageForm, ImagesForm, JsonAndTensors};
pub use faults::{
    GuardedFaults, LivenessFaults, MonitorFaults, ObservationFaults, OpenFaults, ReadinessFaults,
    ReloadFaults, ResetFaults, UploadFaults,
};
pub use inference_protocol::{
    InferenceError, InferenceFaults, InferenceGuardedFaults, InferenceLivenessFaults,
    InferenceModelFaults, InferenceModelReadinessFaults, InferenceReadinessFaults,
};
