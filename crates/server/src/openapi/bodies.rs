//! The bodies that bring images.

use utoipa::openapi::encoding::Encoding;
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Ref, RefOr};
use utoipa::{Modify, ToSchema};

/// The types that an image can be sent as.
const IMAGE_TYPES: [&str; 6] = [
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/bmp",
    "image/tiff",
    "application/octet-stream",
];

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

/// Says of which types the files of a form are, and that an image may come without a form.
pub(super) struct ImageTypes;

impl Modify for ImageTypes {
    fn modify(&self, document: &mut Document) {
        for item in document.paths.paths.values_mut() {
            let Some(RefOr::T(body)) =
                item.post.as_mut().and_then(|operation| operation.request_body.as_mut())
            else {
                continue;
            };
            let Some(RefOr::T(form)) = body.content.get_mut("multipart/form-data") else {
                continue;
            };
            let types = Encoding::builder().content_type(Some(IMAGE_TYPES.join(", "))).build();
            form.encoding.insert("file".into(), types);
            for image_type in IMAGE_TYPES {
                let image = Ref::from_schema_name("EncodedImage");
                let content = ContentBuilder::new().schema(Some(image)).build();
                body.content.insert(image_type.into(), RefOr::T(content));
            }
        }
    }
}
