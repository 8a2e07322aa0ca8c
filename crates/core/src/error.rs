//! The errors of this crate.
//!
//! [`ImageError`] is about one image and what its sender can do; [`Error`] also covers the model and
//! the runtime, which are the operator's.

use std::path::PathBuf;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A foreign error kept as a cause only, so that no foreign type stands in this crate's API.
pub(crate) type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why an image was not classified.
///
/// Exhaustive on purpose: whoever turns it into a status code or an exit code decides about each
/// variant, and a new one does not compile until they have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// No bytes at all.
    #[error("the image is empty (0 bytes): send the file's content")]
    Empty,
    /// The encoded file is larger than allowed.
    #[error("the image has {bytes} bytes, more than the limit of {limit}")]
    TooManyBytes {
        /// Length of the encoded file.
        bytes: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The first bytes are those of no image format.
    #[error("the data is not an image: expected JPEG, PNG, BMP, TIFF or WebP")]
    NotAnImage,
    /// An image, but of a format or an encoding that is not decoded here.
    #[error(
        "{what} is not supported: expected JPEG, PNG, BMP, TIFF or WebP with 8 or 16 bits a sample"
    )]
    Unsupported {
        /// The format or encoding found.
        what: String,
    },
    /// The header announces more than allowed; nothing was decoded.
    #[error(
        "the image is {width} x {height} pixels, more than the limits of {max_side} a side and {max_pixels} in all \
         (or it would take too much memory to decode); send a smaller one"
    )]
    TooManyPixels {
        /// Width announced by the header.
        width: u32,
        /// Height announced by the header.
        height: u32,
        /// Limit on the width and on the height.
        max_side: u32,
        /// Limit on width times height.
        max_pixels: u64,
    },
    /// The header or the metadata ask for more memory than any allowed image needs.
    #[error(
        "the {format} image's header or metadata ask for too much memory: send a smaller or plainer one"
    )]
    TooMuchMemory {
        /// The format found by the first bytes.
        format: &'static str,
    },
    /// A picture of 16 bits a sample in which none uses the highest four, and nobody says how many it has.
    #[error(
        "no sample of the 16-bit image is above {largest}: it may be one of 12 bits, or a dark one of 16, and the \
         model's description does not say which. Write \"bit_depth\": 12 (or what the camera delivers, 9 to 16) into \
         its \"preprocessing\"; 16 takes the image as it stands"
    )]
    AmbiguousBitDepth {
        /// The largest sample, alpha aside.
        largest: u16,
    },
    /// A picture of 16 bits a sample with more bits than the model's description states.
    #[error(
        "the 16-bit image has a sample of {largest}, more than the {bit_depth} bits that the model's description \
         states (\"bit_depth\"): send it as the camera delivers it, its samples not shifted"
    )]
    BeyondBitDepth {
        /// The largest sample, alpha aside.
        largest: u16,
        /// The stated bits of a sample.
        bit_depth: u8,
    },
    /// The header was read, the rest is truncated or corrupt.
    #[error("the {format} image is damaged: {reason}")]
    Damaged {
        /// The format found in the header.
        format: &'static str,
        /// What the decoder says.
        reason: String,
    },
}

impl ImageError {
    /// A short name that stays the same when the message is reworded.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty_file",
            Self::TooManyBytes { .. } => "too_large",
            Self::NotAnImage => "not_an_image",
            Self::Unsupported { .. } => "unsupported_image",
            Self::TooManyPixels { .. } | Self::TooMuchMemory { .. } => "too_many_pixels",
            Self::AmbiguousBitDepth { .. } => "ambiguous_bit_depth",
            Self::BeyondBitDepth { .. } => "beyond_bit_depth",
            Self::Damaged { .. } => "damaged_image",
        }
    }

    pub(crate) fn damaged(format: &'static str, reason: impl Into<String>) -> Self {
        Self::Damaged { format, reason: reason.into() }
    }

    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into() }
    }
}

/// Why a model could not be loaded or run, or an image not be classified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The image is at fault.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// ONNX Runtime's shared library was not found or not usable.
    #[error(
        "ONNX Runtime's shared library could not be loaded: {reason}; SDD_ONNXRUNTIME can name another file"
    )]
    Runtime {
        /// Where it was looked for and what was wrong.
        reason: String,
    },
    /// The asked-for device cannot be used.
    #[error("device `{device}` is not available: {reason}")]
    Device {
        /// The device asked for.
        device: String,
        /// Why not, and what would help.
        reason: String,
    },
    /// A file could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// The file is not a model that ONNX Runtime loads.
    #[error("cannot load the model {path}: {reason}")]
    Load {
        /// The model file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What ONNX Runtime says.
        #[source]
        source: Source,
    },
    /// Neither the file's metadata nor a sidecar describes the model.
    #[error(
        "the model {path} has no `{key}` metadata and there is no {sidecar}: \
         describe labels, preprocessing and outputs in one of them"
    )]
    MissingSpec {
        /// The model file.
        path: PathBuf,
        /// The metadata key looked for.
        key: &'static str,
        /// The sidecar looked for.
        sidecar: PathBuf,
    },
    /// The description is not valid.
    #[error("the description of the model in {origin} is not valid: {reason}")]
    InvalidSpec {
        /// Where the description stands.
        origin: String,
        /// What was expected and found.
        reason: String,
    },
    /// The model's graph is not what its description says.
    #[error("the model {path} is not what it says of itself: {reason}")]
    SpecMismatch {
        /// The model file.
        path: PathBuf,
        /// What was expected and found.
        reason: String,
    },
    /// ONNX Runtime failed while running the model.
    #[error("inference failed")]
    Inference(#[source] Source),
    /// The model answered something that cannot be a prediction.
    #[error("the model's output `{output}` is not usable: {reason}")]
    Output {
        /// The output's name.
        output: String,
        /// What was expected and found.
        reason: String,
    },
}
