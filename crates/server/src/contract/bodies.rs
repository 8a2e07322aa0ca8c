//! The bodies that bring images.

use utoipa::ToSchema;

/// A form with one image.
#[derive(ToSchema)]
pub struct ImageForm {
    /// The image: JPEG, PNG, BMP, TIFF or WebP.
    #[schema(value_type = String, format = Binary)]
    pub file: EncodedImage,
}

/// A form with several images, each in a field `file`.
#[derive(ToSchema)]
pub struct ImagesForm {
    /// The images: JPEG, PNG, BMP, TIFF or WebP.
    #[schema(value_type = Vec<EncodedImage>, min_items = 1)]
    pub file: Vec<EncodedImage>,
}

/// An encoded image.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct EncodedImage(pub Vec<u8>);

/// JSON, and after it the values of tensors as they are, little-endian.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct JsonAndTensors(pub Vec<u8>);
