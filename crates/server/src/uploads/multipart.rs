//! The images of a `multipart/form-data` body.

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::Payload;
use futures_util::{StreamExt, TryStreamExt};
use sdd_serving::causes::chain_of;

use crate::error::ApiError;
use crate::uploads::budget::{Budget, Receiving};
use crate::uploads::form::{self, PlainForm};
use crate::uploads::limits::UploadLimits;
use crate::uploads::origin::Origins;
use crate::uploads::upload::{Upload, why_unread};

/// The field that carries an image.
const FIELD: &str = "file";

/// Parts beside the images that are read and thrown away, as browsers' forms may send some.
const MAX_OTHER_PARTS: usize = 16;

/// Bytes of another field that are looked at: more than a `group` or `stream` may have.
const MAX_TEXT_BYTES: usize = 1024;

pub(crate) async fn read(
    request: &HttpRequest,
    body: Payload,
    limits: UploadLimits<'_>,
) -> Result<Vec<Upload>, ApiError> {
    let max_images = limits.max_images;
    let mut budget = Budget::new(request, limits);
    budget.check_announced()?;
    let content_type = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let boundary = form::boundary(content_type.unwrap_or_default())
        .map_err(|reason| ApiError::MalformedMultipart { reason })?;
    let form = PlainForm::new(body.into_inner(), &boundary);
    let mut multipart = Multipart::new(&form.headers(), form);
    let mut images = Vec::new();
    let mut origins = Origins::new(request)?;
    let (mut files, mut named, mut others) = (0, 0, 0);
    while let Some(mut part) = multipart.try_next().await.map_err(|error| malformed(&error))? {
        if part.name() != Some(FIELD) {
            let field = part.name().and_then(|name| origins.field(name));
            // Each file may have a group and a stream of its own.
            let (count, limit) = match field {
                Some(_) => (&mut named, 2 * max_images + MAX_OTHER_PARTS),
                None => (&mut others, MAX_OTHER_PARTS),
            };
            *count += 1;
            if *count > limit {
                return Err(ApiError::TooManyFields { limit });
            }
            let text = receive_text(&mut part, &mut budget).await?;
            if let Some(field) = field {
                field.take(&text)?;
            }
            continue;
        }
        if files == max_images {
            return Err(ApiError::TooManyFiles { limit: max_images });
        }
        files += 1;
        origins.next_file();
        images.push(receive(&mut part, &mut budget).await?);
        if budget.is_refused() {
            // None of them will be looked at.
            images.clear();
        }
    }
    // Rather than that another field is too large: it may be the image under a wrong name.
    if files == 0 && !budget.is_refused_beforehand {
        return Err(ApiError::MissingFile);
    }
    budget.check()?;
    let finish = |((image, content_type, file_name), origin): (Received, _)| {
        Ok(Upload { bytes: budget.end(image)?, content_type, file_name, origin })
    };
    images.into_iter().zip(origins.of_files()).map(finish).collect()
}

type Received = (Receiving, Option<String>, Option<String>);

async fn receive(part: &mut Field, budget: &mut Budget<'_>) -> Result<Received, ApiError> {
    let mut image = budget.begin();
    while let Some(chunk) = part.next().await {
        budget.keep(&mut image, &chunk.map_err(|error| malformed(&error))?)?;
    }
    let content_type = part.content_type().map(|mime| mime.essence_str().to_owned());
    let file_name = part.content_disposition().and_then(|disposition| disposition.get_filename());
    let file_name = file_name.map(str::to_owned);
    Ok((image, content_type, file_name))
}

/// The beginning of a short text: what is longer is refused all the same.
async fn receive_text(part: &mut Field, budget: &mut Budget<'_>) -> Result<Vec<u8>, ApiError> {
    let mut text = Vec::new();
    while let Some(chunk) = part.next().await {
        let chunk = chunk.map_err(|error| malformed(&error))?;
        budget.pass(&chunk)?;
        let room = MAX_TEXT_BYTES.saturating_sub(text.len());
        text.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Ok(text)
}

fn malformed(error: &MultipartError) -> ApiError {
    let reason = match error {
        MultipartError::Payload(error) => why_unread(error),
        error => chain_of(error),
    };
    ApiError::MalformedMultipart { reason }
}
