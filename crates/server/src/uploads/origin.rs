//! Where images come from, as their client says.

use actix_web::HttpRequest;
use sdd_serving::Origin;

use crate::error::ApiError;

/// What a client may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OriginField {
    Stream,
    Group,
}

impl OriginField {
    /// The field of a form with this name.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "stream" => Some(Self::Stream),
            "group" => Some(Self::Group),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Group => "group",
        }
    }

    fn of_origin(self, origin: &mut Origin) -> &mut Option<String> {
        match self {
            Self::Stream => &mut origin.stream,
            Self::Group => &mut origin.group,
        }
    }
}

/// By the headers `x-stream` and `x-group`.
pub fn of_headers(request: &HttpRequest) -> Result<Origin, ApiError> {
    let name = |name: &'static str| {
        let Some(value) = request.headers().get(name) else { return Ok(None) };
        let refuse = |reason| ApiError::InvalidHeader { name, reason };
        let text = str::from_utf8(value.as_bytes())
            .map_err(|_| refuse("expected a name in UTF-8".to_owned()))?;
        Origin::name(text).map_err(|expected| refuse(format!("expected {expected}")))
    };
    Ok(Origin { stream: name("x-stream")?, group: name("x-group")? })
}

/// What a form says of each of its files. A field holds for all files where there is one of its name, wherever in the
/// form it stands; else each for the files behind it.
pub(crate) struct Origins {
    /// What holds for files of which the form says nothing.
    headers: Origin,
    /// What holds at the moment.
    current: Origin,
    files: Vec<Origin>,
    /// How often there was a stream, and a group.
    times: [usize; 2],
}

impl Origins {
    pub fn new(request: &HttpRequest) -> Result<Self, ApiError> {
        let headers = of_headers(request)?;
        Ok(Self { headers, current: Origin::default(), files: Vec::new(), times: [0; 2] })
    }

    /// Takes a field.
    pub fn take(&mut self, field: OriginField, text: &[u8]) -> Result<(), ApiError> {
        let refuse = |expected| ApiError::InvalidField { name: field.name(), expected };
        let text = str::from_utf8(text).map_err(|_| refuse("a name in UTF-8".to_owned()))?;
        *field.of_origin(&mut self.current) = Origin::name(text).map_err(refuse)?;
        self.times[field as usize] += 1;
        Ok(())
    }

    /// What comes next is a file.
    pub fn next_file(&mut self) {
        self.files.push(self.current.clone());
    }

    /// In the order of the files.
    pub fn of_files(mut self) -> Vec<Origin> {
        for field in [OriginField::Stream, OriginField::Group] {
            let stated = field.of_origin(&mut self.current).clone();
            let header = field.of_origin(&mut self.headers).clone();
            for file in &mut self.files {
                let of_file = field.of_origin(file);
                if self.times[field as usize] == 1 {
                    of_file.clone_from(&stated);
                }
                if of_file.is_none() {
                    of_file.clone_from(&header);
                }
            }
        }
        self.files
    }
}
