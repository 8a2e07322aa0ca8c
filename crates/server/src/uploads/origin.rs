//! Where images come from, as their client says.

use actix_web::HttpRequest;
use sdd_serving::Origin;

use crate::error::ApiError;

/// By the headers `x-stream` and `x-group`.
pub fn of_headers(request: &HttpRequest) -> Result<Origin, ApiError> {
    let name = |name: &'static str| {
        let mut values = request.headers().get_all(name);
        let Some(value) = values.next() else { return Ok(None) };
        let refuse = |reason| ApiError::InvalidHeader { name, reason };
        if values.any(|other| other != value) {
            return Err(refuse("expected one name, found several".to_owned()));
        }
        let text = str::from_utf8(value.as_bytes())
            .map_err(|_| refuse("expected a name in UTF-8".to_owned()))?;
        Origin::name(text).map_err(|expected| refuse(format!("expected {expected}")))
    };
    Ok(Origin { stream: name("x-stream")?, group: name("x-group")? })
}

/// What a form says of each of its files: their streams and their groups.
pub(crate) struct Origins([OriginField; 2]);

/// A field holds for all files where there is one of its name, wherever in the form it stands; else each for the files
/// behind it.
pub(crate) struct OriginField {
    name: &'static str,
    /// What holds for files of which the form says nothing.
    header: Option<String>,
    /// What holds at the moment.
    current: Option<String>,
    files: Vec<Option<String>>,
    times: usize,
}

impl Origins {
    pub fn new(request: &HttpRequest) -> Result<Self, ApiError> {
        let Origin { stream, group } = of_headers(request)?;
        let field = |name, header| {
            let (current, files) = (None, Vec::new());
            OriginField { name, header, current, files, times: 0 }
        };
        Ok(Self([field("stream", stream), field("group", group)]))
    }

    /// The field of this name, where it is one of these.
    pub fn field(&mut self, name: &str) -> Option<&mut OriginField> {
        self.0.iter_mut().find(|field| field.name == name)
    }

    /// What comes next is a file.
    pub fn next_file(&mut self) {
        for field in &mut self.0 {
            field.files.push(field.current.clone());
        }
    }

    /// In the order of the files.
    pub fn of_files(self) -> impl Iterator<Item = Origin> {
        let [streams, groups] = self.0.map(OriginField::of_files);
        streams.zip(groups).map(|(stream, group)| Origin { stream, group })
    }
}

impl OriginField {
    pub fn take(&mut self, text: &[u8]) -> Result<(), ApiError> {
        let refuse = |expected| ApiError::InvalidField { name: self.name, expected };
        let text = str::from_utf8(text).map_err(|_| refuse("a name in UTF-8".to_owned()))?;
        self.current = Origin::name(text).map_err(refuse)?;
        self.times += 1;
        Ok(())
    }

    fn of_files(self) -> impl Iterator<Item = Option<String>> {
        let Self { header, current, files, times, .. } = self;
        let of_file = move |file: Option<String>| {
            let stated = if times == 1 { current.clone() } else { file };
            stated.or_else(|| header.clone())
        };
        files.into_iter().map(of_file)
    }
}
