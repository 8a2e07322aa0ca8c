//! From a request's body to answers: what all paths that take images have in common.

use std::sync::Arc;
use std::time::Instant;

use actix_web::HttpRequest;
use actix_web::web::Payload;
use futures_util::future::join_all;
use sdd_core::ImageError;
use sdd_serving::Origin;
use sdd_serving::engine::{Answer, Engine, EngineShortage, Input, Permit, Ticket};

use crate::error::ApiError;
use crate::request::RequestContext;
use crate::service::Service;
use crate::uploads::{self, Upload, UploadLimits, may_be_image};

/// Reads a body in the time and the memory that there is for it: `max_images` of `max_bytes` each.
pub async fn receive<T>(
    service: &Service,
    context: &RequestContext,
    (max_bytes, max_images): (usize, usize),
    read: impl AsyncFnOnce(UploadLimits<'_>) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let shortage = || service.admission.shortage(context.deadline);
    let wait = || service.admission.wait();
    let failing = service.engine().check().err().map(ApiError::from);
    let overloaded = |shortage: EngineShortage| ApiError::Overloaded {
        shortage: shortage.into(),
        retry_after: wait(),
    };
    let limits = UploadLimits {
        max_bytes,
        max_images,
        memory: &service.uploads,
        timeout: service.settings.limits.upload_timeout,
        deadline: context.deadline,
        refusal: failing.or_else(|| shortage().map(overloaded)),
        shortage: &shortage,
        wait: &wait,
    };
    let start = Instant::now();
    let received = read(limits).await;
    context.read_time.set(Some(start.elapsed()));
    received
}

async fn read_images(
    request: &HttpRequest,
    body: Payload,
    service: &Service,
    context: &RequestContext,
    max_images: usize,
) -> Result<Vec<Upload>, ApiError> {
    let read = async |limits: UploadLimits<'_>| uploads::read(request, body, limits).await;
    let most = (service.settings.model.max_bytes, max_images);
    let images = receive(service, context, most, read).await?;
    context.bytes.set(images.iter().map(|image| image.bytes.len()).sum());
    Ok(images)
}

/// Reads and classifies the one image of a request; `keep` where it may be kept.
pub async fn one(
    request: &HttpRequest,
    body: Payload,
    service: &Service,
    context: &RequestContext,
    keep: bool,
) -> Result<(Arc<Engine>, Answer), ApiError> {
    let mut images = read_images(request, body, service, context, 1).await?;
    let image = images.pop().ok_or(ApiError::MissingFile)?;
    let engine = service.engine();
    let permit = service.admission.admit(1, context.deadline)?.pop();
    let permit = permit.ok_or_else(|| ApiError::overloaded(EngineShortage::Room.into()))?;
    let answer = classify(&engine, context, image, permit, keep).await?;
    Ok((engine, answer))
}

/// The answer for one image of a request that may have several.
pub struct Item {
    /// The name that the client gave it.
    pub file_name: Option<String>,
    /// What it came to.
    pub answer: Result<Answer, ApiError>,
}

/// Reads and classifies all images of a request; `keep` where they may be kept. They are taken on all or
/// none; what is wrong with one does no harm to the others.
pub async fn many(
    request: &HttpRequest,
    body: Payload,
    service: &Service,
    context: &RequestContext,
    keep: bool,
) -> Result<(Arc<Engine>, Vec<Item>), ApiError> {
    let images = read_images(request, body, service, context, service.max_images()).await?;
    let engine = service.engine();
    let permits = service.admission.admit(images.len(), context.deadline)?;
    let items =
        images.into_iter().zip(permits).map(|(image, permit)| {
            let (engine, file_name) = (&engine, image.file_name.clone());
            async move {
                Item { file_name, answer: classify(engine, context, image, permit, keep).await }
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
    keep: bool,
) -> Result<Answer, ApiError> {
    let Upload { bytes, content_type, file_name, mut origin } = image;
    if let (None, Some(name)) = (&origin.group, &file_name) {
        // Of a name that a client could not give it either, nothing is known.
        let group = engine.served().group_of(name);
        origin.group = group.and_then(|group| Origin::name(&group).ok().flatten());
    }
    let ticket = Ticket { permit, deadline: context.deadline, keep_image: keep, origin };
    let answer = engine.answer(Input::Encoded(bytes), ticket).await;
    let answer =
        answer.inspect(|answer| context.note_answer(engine.served().class_of(answer), answer));
    let answer = answer.map_err(|error| match (error.into(), content_type) {
        // What is no image and was not sent as one has the wrong type, rather than being broken.
        (ApiError::Image(ImageError::NotAnImage), Some(found)) if !may_be_image(&found) => {
            ApiError::NotAnImageType { found }
        }
        (error, _) => error,
    });
    answer.inspect_err(|error| context.errors.borrow_mut().push(error.code()))
}

/// What is wrong with one image of a request that has `count`, named by its position where there are
/// several.
pub fn of_image(error: ApiError, index: usize, count: usize) -> ApiError {
    match error {
        ApiError::Image(error) if count > 1 => ApiError::ImageAt { index, error },
        error => error,
    }
}
