//! The types that images are sent as.

use utoipa::Modify;
use utoipa::openapi::encoding::Encoding;
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Ref, RefOr};

/// The types that an image can be sent as.
const IMAGE_TYPES: [&str; 6] = [
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/bmp",
    "image/tiff",
    "application/octet-stream",
];

/// Says of which types the files of a form are, and that an image may come without a form.
pub(crate) struct ImageTypes;

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
