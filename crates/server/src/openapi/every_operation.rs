//! What all operations have in common: the headers of requests and answers.

use utoipa::Modify;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::{OpenApi as Document, RefOr};

use crate::request::{REQUEST_ID, REQUEST_TIMEOUT};

/// Adds the headers.
pub(crate) struct Headers;

impl Modify for Headers {
    fn modify(&self, document: &mut Document) {
        for operation in document.paths.paths.values_mut().flat_map(operations) {
            let parameters = operation.parameters.get_or_insert_default();
            parameters.extend([request_id(), request_timeout()].map(RefOr::T));
            for response in operation.responses.responses.values_mut() {
                if let RefOr::T(response) = response {
                    response.headers.insert(REQUEST_ID.into(), RefOr::T(answered_id()));
                    response.headers.insert("server-timing".into(), RefOr::T(server_timing()));
                }
            }
        }
    }
}

/// The operations of a path with the methods that this service knows.
pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [item.get.as_mut(), item.post.as_mut()].into_iter().flatten()
}

fn text() -> Object {
    ObjectBuilder::new().schema_type(Type::String).build()
}

fn request_id() -> Parameter {
    ParameterBuilder::new()
        .name(REQUEST_ID)
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "The client's name for the request, for the answer and the log: 1 to 128 visible ASCII \
             characters; another is made where it is anything else.",
        ))
        .schema(Some(text()))
        .build()
}

fn request_timeout() -> Parameter {
    let milliseconds = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(u32::MAX))
        .build();
    ParameterBuilder::new()
        .name(REQUEST_TIMEOUT)
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "The milliseconds that the client will wait, after which the answer is 504. The \
             server's own limit stands where it is lower.",
        ))
        .schema(Some(milliseconds))
        .build()
}

fn answered_id() -> Header {
    HeaderBuilder::new()
        .schema(Some(text()))
        .description(Some("The name of the request: the client's, or a new one."))
        .build()
}

fn server_timing() -> Header {
    HeaderBuilder::new()
        .schema(Some(text()))
        .description(Some(
            "Milliseconds that each stage took (W3C Server Timing): read, queue, decode, \
             preprocess, infer, drift, total.",
        ))
        .build()
}
