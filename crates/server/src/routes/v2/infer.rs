//! `POST /v2/models/{name}[/versions/{version}]/infer`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::future::try_join_all;
use sdd_serving::Origin;
use sdd_serving::engine::{Answer, Engine, Permit, Ticket};

use crate::error::{ApiError, Shortage};
use crate::request::{Context, INFERENCE_HEADER_LENGTH, RequestContext};
use crate::routes::blocking::off_async;
use crate::routes::bodies::{EncodedImage, JsonAndTensors, OriginHeaders};
use crate::routes::classify;
use crate::routes::v2::binary;
use crate::routes::v2::compression::Coding;
use crate::routes::v2::input::{InputDecoder, Inputs, tensor_len};
use crate::routes::v2::model::ModelPath;
use crate::routes::v2::output::WantedOutput;
use crate::routes::v2::request::{InferRequest, invalid};
use crate::routes::v2::response::{AnswerForm, InferResponse};
use crate::service::Service;
use crate::uploads::{self, UploadLimits};

/// Bytes of JSON beside the tensors' values.
const JSON_BYTES: usize = 64 << 10;

/// Bytes that a value may take in JSON, as `-0.12345678901234567, `.
const JSON_VALUE_BYTES: usize = 24;

/// A gray picture in base64, to try it out.
const EXAMPLE_IMAGE: &str = "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAAAAABWESUoAAAAFklEQVR42mNoIAAYRhWMKhhVMFIVAABCAAAfN5c2AAAAAABJRU5ErkJggg==";

/// Classify the images of one input tensor
///
/// They are taken on all or none, and answered all or none. `inference-header-content-length` stands
/// where binary data follows the JSON; 0 is for a body that is one encoded image and nothing else. The
/// body may be compressed, as `content-encoding` says: gzip or deflate. So is the answer's where
/// `accept-encoding` asks for it.
#[utoipa::path(
    post,
    path = "/v2/models/{name}/infer",
    tag = "Open Inference Protocol",
    params(
        ModelPath,
        OriginHeaders,
        (
            "inference-header-content-length" = Option<u64>, Header,
            description = "Bytes of the JSON, where binary data follows it",
        ),
    ),
    request_body(content(
        (InferRequest = "application/json", example = json!({
            "inputs": [{"name": "encoded_image", "shape": [1], "datatype": "BYTES", "data": [EXAMPLE_IMAGE]}]
        })),
        (JsonAndTensors = "application/octet-stream"),
        (EncodedImage = "image/*"),
    )),
    responses((
        status = 200,
        description = "The outputs: JSON, or JSON and binary data",
        content((InferResponse = "application/json"), (JsonAndTensors = "application/octet-stream")),
        headers((
            "inference-header-content-length" = u64,
            description = "Bytes of the JSON, where binary data follows it"
        )),
    )),
)]
pub async fn infer(
    request: HttpRequest,
    body: Payload,
    path: Path<ModelPath>,
    service: Data<Service>,
    context: Context,
) -> Result<HttpResponse, ApiError> {
    // A request keeps to the pair that it begins with.
    let engine = service.engine();
    path.check(engine.served())?;
    let limits = BodyLimits::new(&service, &engine);
    let transfer = Transfer::of(&request)?;
    let headers = uploads::origin_of(&request)?;
    let max_bytes = match transfer.request_coding {
        Some(_) => limits.decompressed.min(limits.bytes),
        None => limits.bytes,
    };
    let read = async |limits: UploadLimits<'_>| uploads::read_whole(&request, body, limits).await;
    let body = classify::receive(&service, &context, (max_bytes, 1), read).await?;
    context.bytes.set(body.len());
    // Before it is decompressed and parsed, which cost more than some images do.
    let first = service.admission.admit(1, context.deadline)?;
    let decoding = {
        let (service, engine) = (service.clone(), Arc::clone(&engine));
        // With its room: the work goes on when the client has left.
        move || Ok((decode(body, &transfer, &limits, &service, &engine)?, first))
    };
    let decoded = off_async(decoding).await?;
    let decoded = decoded.map_err(|error| with_wait(error, &service));
    let (Inference { inputs, form, timeout, mut origin }, first) = decoded?;
    origin.stream = origin.stream.or(headers.stream);
    origin.group = origin.group.or(headers.group);
    let deadline = timeout.and_then(|timeout| context.started.checked_add(timeout));
    let deadline = deadline.map_or(context.deadline, |asked| asked.min(context.deadline));
    let answers =
        answer_all(&engine, &service, &context, inputs, (first, deadline), &origin).await?;
    service.remember(&context, &engine, &answers).await;
    let written = off_async(move || form.write(&answers, engine.served())).await??;
    Ok(written.into())
}

/// The same error; one of too little memory says when there is likely to be more, as what waits holds it.
fn with_wait(error: ApiError, service: &Service) -> ApiError {
    match error {
        ApiError::Overloaded { shortage: shortage @ Shortage::Memory, .. } => {
            ApiError::Overloaded { shortage, retry_after: service.admission.wait() }
        }
        error => error,
    }
}

/// What the headers say of the bodies.
struct Transfer {
    json_length: Option<usize>,
    request_coding: Option<Coding>,
    response_coding: Option<Coding>,
}

impl Transfer {
    fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        Ok(Self {
            json_length: binary::json_length(request.headers())?,
            request_coding: Coding::of_request(request.headers())?,
            response_coding: Coding::accepted(request),
        })
    }
}

/// How long bodies may be.
struct BodyLimits {
    /// As they come.
    bytes: usize,
    /// Once decompressed, where they came so: images hardly compress, and a few bytes must not become
    /// many.
    decompressed: usize,
    max_images: usize,
}

impl BodyLimits {
    fn new(service: &Service, engine: &Engine) -> Self {
        let settings = &service.settings;
        let max_images = service.max_images();
        let max_bytes = settings.model.max_bytes;
        let values = tensor_len(&engine.served().spec).saturating_mul(max_images);
        // Base64 makes four bytes of three.
        let images = max_bytes.saturating_add(max_bytes / 3).saturating_mul(max_images);
        let tensors = values.saturating_mul(JSON_VALUE_BYTES);
        let bytes = images.max(tensors).saturating_add(JSON_BYTES);
        let binary_tensors = values.saturating_mul(size_of::<f32>());
        let decompressed = max_bytes.max(binary_tensors).saturating_add(JSON_BYTES);
        Self { bytes: bytes.min(settings.limits.max_upload_memory), decompressed, max_images }
    }
}

/// A request that was understood.
struct Inference {
    inputs: Inputs,
    form: AnswerForm,
    /// The time that the client will wait.
    timeout: Option<Duration>,
    /// Where the client says that the images come from.
    origin: Origin,
}

fn decode(
    mut body: Bytes,
    transfer: &Transfer,
    limits: &BodyLimits,
    service: &Service,
    engine: &Engine,
) -> Result<Inference, ApiError> {
    if let Some(coding) = transfer.request_coding {
        body = coding.decompress(&body, limits.decompressed, &service.uploads)?;
    }
    let served = engine.served();
    let decoder = InputDecoder {
        spec: &served.spec,
        max_images: limits.max_images,
        memory: &service.uploads,
    };
    let json_length = transfer.json_length.unwrap_or(body.len());
    if json_length > body.len() {
        return Err(invalid(format!(
            "{} says {json_length}, and the body has {} bytes",
            INFERENCE_HEADER_LENGTH,
            body.len()
        )));
    }
    let coding = transfer.response_coding;
    // Triton's raw binary request: no JSON, and the body is the one tensor.
    if transfer.json_length == Some(0) {
        let outputs = WantedOutput::choose(&[], false, served)?;
        let form = AnswerForm { id: None, outputs, coding };
        let (inputs, origin) = (decoder.raw(body), Origin::default());
        return Ok(Inference { inputs, form, timeout: None, origin });
    }
    let request = InferRequest::from_json(&body[..json_length])?;
    let inputs = decoder.decode(&request, &body.slice(json_length..body.len()))?;
    let parameters = request.parameters.unwrap_or_default();
    let is_binary = parameters.binary_data_output.unwrap_or(false);
    let requested = request.outputs.unwrap_or_default();
    let outputs = WantedOutput::choose(&requested.0, is_binary, served)?;
    let timeout = parameters.timeout.filter(|timeout| *timeout > 0).map(Duration::from_micros);
    let name = |name: &str, text: Option<String>| {
        let name = |expected| invalid(format!("expected {expected}, as the parameter `{name}`"));
        Origin::name(&text.unwrap_or_default()).map_err(name)
    };
    let origin = Origin {
        stream: name("stream", parameters.stream)?,
        group: name("group", parameters.group)?,
    };
    let form = AnswerForm { id: request.id, outputs, coding };
    Ok(Inference { inputs, form, timeout, origin })
}

/// All answers, or the first thing that is wrong; then those that have not begun are left.
async fn answer_all(
    engine: &Engine,
    service: &Service,
    context: &RequestContext,
    inputs: Inputs,
    (first, deadline): (Vec<Permit>, Instant),
    origin: &Origin,
) -> Result<Vec<Answer>, ApiError> {
    if deadline <= Instant::now() {
        return Err(ApiError::DeadlineExceeded);
    }
    let count = inputs.images.len();
    let permits = service.admission.admit_more(first, count, deadline)?;
    let keep_image = service.capture.is_some();
    let images = inputs.images.into_iter().zip(permits).enumerate();
    let answers = images.map(|(index, (image, permit))| async move {
        let ticket = Ticket { permit, deadline, keep_image, origin: origin.clone() };
        let answer = engine.answer(image, ticket).await;
        let answer = answer.map_err(|error| classify::of_image(error.into(), index, count));
        answer.inspect_err(|error| context.errors.borrow_mut().push(error.code()))
    });
    let answers = try_join_all(answers).await?;
    // Not one by one: where one cannot be answered, none of them is.
    for answer in &answers {
        context.note_answer(engine.served().class_of(answer), answer);
    }
    Ok(answers)
}
