//! `GET /metrics`: numbers for Prometheus.

mod drift;
mod exposition;
mod process;
mod state;

use actix_web::http::header::{Accept, Header};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use self::exposition::{Format, expose};
use crate::error::ApiError;
use crate::routes::blocking::off_async;
use crate::service::Service;

/// Numbers for Prometheus
///
/// As `OpenMetrics` where the scraper prefers it, else as Prometheus's text.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "Health",
    responses((
        status = 200,
        description = "Prometheus's text, or OpenMetrics where it is asked for",
        content((String = "text/plain"), (String = "application/openmetrics-text")),
    )),
)]
pub async fn metrics(
    request: HttpRequest,
    service: Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let format = preferred(&request);
    let text = off_async(move || expose(&service, format)).await?;
    let text = text.map_err(|error| ApiError::Internal(error.into()))?;
    Ok(HttpResponse::Ok().content_type(format.content_type()).body(text))
}

fn preferred(request: &HttpRequest) -> Format {
    // A header that cannot be read is as good as none.
    let accepted = Accept::parse(request).map(|accept| accept.ranked()).unwrap_or_default();
    let known = accepted.iter().find_map(|mime| {
        let version = mime.get_param("version");
        match mime.essence_str() {
            "application/openmetrics-text" if version.is_none_or(|version| version == "1.0.0") => {
                Some(Format::OpenMetrics)
            }
            "text/plain" | "text/*" | "*/*" => Some(Format::Prometheus),
            _ => None,
        }
    });
    known.unwrap_or(Format::Prometheus)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::{Format, preferred};

    #[test]
    fn scrapers_get_what_they_prefer() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, format) in [
            (prometheus, Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("application/openmetrics-text;version=0.0.1,text/plain;q=0.5", Format::Prometheus),
            ("text/plain;version=0.0.4", Format::Prometheus),
            ("text/plain, application/openmetrics-text;q=0.1", Format::Prometheus),
            ("*/*", Format::Prometheus),
            ("image/png", Format::Prometheus),
            (";;;", Format::Prometheus),
        ] {
            let request =
                TestRequest::default().insert_header(("accept", accept)).to_http_request();
            assert_eq!(preferred(&request), format, "{accept}");
        }
    }
}
