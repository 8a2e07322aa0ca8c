//! The head of a part: what it is for, read as clients write it.

use crate::uploads::form::parameters::{Parameters, text};

/// What the head of a part says.
#[derive(Debug, PartialEq)]
pub(crate) struct PartHead {
    /// The name of the form's field.
    name: String,
    file_name: Option<String>,
    /// Only where it can stand in a header.
    content_type: Option<String>,
}

impl PartHead {
    /// Of the lines of a head, without the empty one at its end.
    pub fn parse(head: &[u8]) -> Result<Self, String> {
        let (mut disposition, mut content_type) = (None, None);
        for line in unfolded_lines(head) {
            let colon = line.iter().position(|byte| *byte == b':');
            let colon = colon.ok_or_else(|| {
                format!("a line in the head of a part is no header: `{}`", beginning_of(&line))
            })?;
            let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-disposition") {
                disposition = Some(value.to_vec());
            } else if name.eq_ignore_ascii_case(b"content-type") {
                content_type = Some(text(value));
            }
        }
        let disposition = disposition.ok_or("a part has no Content-Disposition")?;
        let parameters = Parameters::of(&disposition);
        let nameless = || {
            let found = beginning_of(&disposition);
            format!("the Content-Disposition of a part has no `name`: `{found}`")
        };
        let name = parameters.one("name")?.map(text).ok_or_else(nameless)?;
        let content_type =
            content_type.filter(|text| text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
        Ok(Self { name, file_name: parameters.file_name()?, content_type })
    }

    /// The same as the library's parser takes it, with the empty line at its end.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut head = vec![format!("Content-Disposition: form-data; name={}", quoted(&self.name))];
        if let Some(file_name) = &self.file_name {
            head.push(format!("; filename={}", quoted(file_name)));
        }
        if let Some(content_type) = &self.content_type {
            head.push(format!("\r\nContent-Type: {content_type}"));
        }
        head.push("\r\n\r\n".into());
        head.concat().into_bytes()
    }
}

/// Lines, those that begin with white space joined to the one before.
fn unfolded_lines(head: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in head.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match lines.last_mut() {
            Some(last) if line.starts_with(b" ") || line.starts_with(b"\t") => {
                last.extend_from_slice(line);
            }
            _ if line.is_empty() => {}
            _ => lines.push(line.to_vec()),
        }
    }
    lines
}

/// Between quotation marks; characters that a header cannot have are replaced.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        let is_control = character.is_ascii_control();
        quoted.push(if is_control { char::REPLACEMENT_CHARACTER } else { character });
    }
    quoted.push('"');
    quoted
}

/// For a message.
fn beginning_of(bytes: &[u8]) -> String {
    text(bytes).chars().take(100).collect()
}
