//! From a request's body to answers: what all paths that take images have in common.

use std::sync::Arc;
use std::time::Instant;

use actix_web::HttpRequest;
use actix_web::web::Payload;
use futures_util::future::join_all;
use sdd_core::ImageError;
use sha2::{Digest, Sha256};

use super::blocking::off_async;
use crate::capture::Capture;
use crate::engine::{Answer, Engine, Input, Permit, Ticket};
use crate::error::{ApiError, Shortage};
use crate::request::RequestContext;
use crate::service::Service;
use crate::uploads::{self, Upload, UploadLimits, may_be_image};

/// What the uploads of a request may cost: `max_images` of `max_bytes` each.
pub fn upload_limits(
    service: &Service,
    context: &RequestContext,
    max_bytes: usize,
    max_images: usize,
) -> UploadLimits {
    UploadLimits {
        max_bytes,
        max_images,
        timeout: service.settings.limits.upload_timeout,
        deadline: context.deadline(),
        keep: service.admission.has_room(),
    }
}

async fn read_images(
    request: &HttpRequest,
    body: Payload,
    service: &Service,
    context: &RequestContext,
    max_images: usize,
) -> Result<Vec<Upload>, ApiError> {
    let start = Instant::now();
    let limits = upload_limits(service, context, service.settings.model.max_bytes, max_images);
    let images = uploads::read(request, body, &limits, &service.uploads).await;
    context.note_read(start.elapsed());
    let images = images?;
    context.note_upload(images.iter().map(|image| image.bytes.len()).sum());
    Ok(images)
}

/// Reads and classifies the one image of a request, and hands the answer in to `capture`.
///
/// # Errors
/// As [`uploads::read`]; [`ApiError::Overloaded`]; what is wrong with the image.
pub async fn one(
    request: &HttpRequest,
    body: Payload,
    service: &Service,
    context: &RequestContext,
    capture: Option<&Capture>,
) -> Result<(Arc<Engine>, Answer), ApiError> {
    let mut images = read_images(request, body, service, context, 1).await?;
    let image = images.pop().ok_or(ApiError::MissingFile)?;
    let engine = service.engine();
    let permit = service.admission.admit(1, context.deadline())?.pop();
    let permit = permit.ok_or_else(|| ApiError::overloaded(Shortage::Room))?;
    let answer = classify(&engine, context, image, permit, capture).await?;
    Ok((engine, answer))
}

/// The answer for one image of a request that may have several.
pub struct Item {
    /// The name that the client gave it.
    pub file_name: Option<String>,
    /// What it came to.
    pub answer: Result<Answer, ApiError>,
}

/// Reads and classifies all images of a request, and hands the answers in to `capture`. They are
/// taken on all or none; what is wrong with one does no harm to the others.
///
/// # Errors
/// As [`uploads::read`]; [`ApiError::Overloaded`].
pub async fn many(
    request: &HttpRequest,
    body: Payload,
    service: &Service,
    context: &RequestContext,
    capture: Option<&Capture>,
) -> Result<(Arc<Engine>, Vec<Item>), ApiError> {
    let images = read_images(request, body, service, context, service.max_images()).await?;
    let engine = service.engine();
    let permits = service.admission.admit(images.len(), context.deadline())?;
    let items = images.into_iter().zip(permits).map(|(mut image, permit)| {
        let (engine, file_name) = (&engine, image.file_name.take());
        async move {
            Item { file_name, answer: classify(engine, context, image, permit, capture).await }
        }
    });
    let items = join_all(items).await;
    Ok((engine, items))
}

async fn classify(
    engine: &Engine,
    context: &RequestContext,
    image: Upload,
    permit: Permit,
    capture: Option<&Capture>,
) -> Result<Answer, ApiError> {
    let Upload { bytes, content_type, .. } = image;
    let ticket = Ticket { permit, deadline: context.deadline() };
    let answer = self::answer(engine, context, Input::Encoded(bytes), ticket, capture).await;
    let answer = answer.map_err(|error| match (error, content_type) {
        // What is no image and was not sent as one has the wrong type, rather than being broken.
        (ApiError::Image(ImageError::NotAnImage), Some(found)) if !may_be_image(&found) => {
            ApiError::NotAnImageType { found }
        }
        (error, _) => error,
    });
    answer.inspect_err(|error| context.note_error(error.code()))
}

/// What is wrong with one image of a request that has `count`, named by its position where there are
/// several.
#[must_use]
pub fn of_image(error: ApiError, index: usize, count: usize) -> ApiError {
    match error {
        ApiError::Image(error) if count > 1 => ApiError::ImageAt { index, error },
        error => error,
    }
}

/// Classifies one image, and hands the answer in to `capture`.
///
/// # Errors
/// As [`Engine::answer`]; the caller notes them.
pub async fn answer(
    engine: &Engine,
    context: &RequestContext,
    input: Input,
    ticket: Ticket,
    capture: Option<&Capture>,
) -> Result<Answer, ApiError> {
    let captured = match (capture, &input) {
        (Some(capture), Input::Encoded(image)) => Some((capture, image.bytes())),
        // A tensor is no image that anyone could look at.
        (_, Input::Tensor(_)) | (None, _) => None,
    };
    let mut answer = engine.answer(input, ticket).await?;
    if let Some((_, image)) = &captured {
        let image = image.clone();
        answer.image_sha256 =
            Some(off_async(move || format!("{:x}", Sha256::digest(&image))).await?);
    }
    context.note_answer(engine.served().class_of(&answer), &answer);
    if let Some((capture, image)) = captured {
        capture.offer(image, context.id(), &answer, engine.served());
    }
    Ok(answer)
}
