//! Faults as the document has them: an answer for each status.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Content, ContentBuilder, Ref, RefOr, Response, ResponseBuilder, Schema};

use super::documented::Documented;

pub(in crate::contract) type Responses = BTreeMap<String, RefOr<Response>>;

/// With our own body.
pub(super) fn responses_of(groups: &[&[Documented]]) -> Responses {
    responses_with(groups, own_description, own_content)
}

/// The answers of each status, with what `describe` says of a fault, and the body that `content` makes
/// of those of one status.
pub(in crate::contract) fn responses_with(
    groups: &[&[Documented]],
    describe: fn(&Documented) -> String,
    content: fn(&[&Documented]) -> Content,
) -> Responses {
    let mut by_status: BTreeMap<u16, Vec<&Documented>> = BTreeMap::new();
    for fault in groups.iter().copied().flatten() {
        by_status.entry(fault.status).or_default().push(fault);
    }
    let response = |faults: Vec<&Documented>| {
        let lines: Vec<_> = faults.iter().map(|fault| format!("- {}", describe(fault))).collect();
        let response = ResponseBuilder::new()
            .description(lines.join("\n"))
            .content("application/json", content(&faults));
        with_retry_after(response, &faults).build()
    };
    by_status
        .into_iter()
        .map(|(status, faults)| (status.to_string(), RefOr::T(response(faults))))
        .collect()
}

fn own_description(fault: &Documented) -> String {
    format!("`{}`: {}", fault.code, fault.when)
}

fn own_content(faults: &[&Documented]) -> Content {
    let codes = faults.iter().map(|fault| fault.code);
    let code = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes));
    let error = ObjectBuilder::new().property("code", code);
    let body = AllOfBuilder::new()
        .item(Ref::from_schema_name("Error"))
        .item(ObjectBuilder::new().property("error", error));
    let example = json!({"error": {"code": faults[0].code, "message": faults[0].when}});
    ContentBuilder::new().schema(Some(Schema::AllOf(body.build()))).example(Some(example)).build()
}

fn with_retry_after(response: ResponseBuilder, faults: &[&Documented]) -> ResponseBuilder {
    if !faults
        .iter()
        .any(|fault| matches!(fault.code, "overloaded" | "rate_limited" | "engine_failing"))
    {
        return response;
    }
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    let header = HeaderBuilder::new()
        .schema(Some(seconds))
        .description(Some("Seconds after which there is likely to be room."));
    response.header("retry-after", header.build())
}
