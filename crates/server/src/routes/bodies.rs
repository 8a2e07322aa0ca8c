//! The bodies that bring images, and the headers that say where these come from, as the OpenAPI document has them.
#![expect(dead_code, reason = "these are described and never made")]

use utoipa::{IntoParams, ToSchema};

/// Where images come from. What a form says goes before it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct OriginHeaders {
    /// The part, tray or shift that the images are of, in UTF-8.
    #[param(rename = "x-group", max_length = 100)]
    group: Option<String>,
    /// The camera or line that the images come from, in UTF-8.
    #[param(rename = "x-stream", max_length = 100)]
    stream: Option<String>,
}

/// A form with one image.
#[derive(ToSchema)]
pub struct ImageForm {
    /// The image: JPEG, PNG, BMP, TIFF or WebP.
    #[schema(value_type = String, format = Binary)]
    pub file: EncodedImage,
    /// The part, tray or shift that it is of; also as the header `x-group`.
    #[schema(max_length = 100)]
    pub group: Option<String>,
    /// The camera or line that it comes from; also as the header `x-stream`.
    #[schema(max_length = 100)]
    pub stream: Option<String>,
}

/// A form with several images, each in a field `file`.
#[derive(ToSchema)]
pub struct ImagesForm {
    /// The images: JPEG, PNG, BMP, TIFF or WebP.
    #[schema(value_type = Vec<EncodedImage>, min_items = 1)]
    pub file: Vec<EncodedImage>,
    /// The part, tray or shift that they are of: of all where it is given once, else each for the files behind it.
    pub group: Option<Vec<String>>,
    /// The camera or line that they come from, likewise.
    pub stream: Option<Vec<String>>,
}

/// An encoded image.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct EncodedImage(pub Vec<u8>);

/// JSON, and after it the values of tensors as they are, little-endian.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct JsonAndTensors(pub Vec<u8>);
