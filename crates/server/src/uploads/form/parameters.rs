//! Parameters of a header's value, as `; name="file"; filename="part.jpg"`, as clients write them.

use percent_encoding::percent_decode;

/// The parameters of one header, in their order.
#[derive(Debug)]
pub(crate) struct Parameters(Vec<(String, Vec<u8>)>);

/// What a backslash between quotation marks is.
#[derive(Clone, Copy, PartialEq)]
enum Backslash {
    /// `\"` and `\\` stand for the second character, as the standards have it.
    Escape,
    /// A character as any other, as in the names of Windows that browsers sent as they were.
    Letter,
}

impl Parameters {
    /// Of the whole value of a header; what stands before its first `;` is not one of them.
    ///
    /// The standards' reading goes before the lenient one: `"C:\cam\"` ends in the middle only if the quotation mark
    /// after the backslash were none.
    pub fn of(value: &[u8]) -> Self {
        let parameters = value.iter().position(|byte| *byte == b';').map(|start| &value[start..]);
        let parameters = parameters.unwrap_or_default();
        let strict = parse(parameters, Backslash::Escape);
        Self(strict.or_else(|| parse(parameters, Backslash::Letter)).unwrap_or_default())
    }

    /// The value of a parameter, as it was sent.
    ///
    /// An error where it stands there more than once, and not always the same.
    pub fn one(&self, name: &str) -> Result<Option<&[u8]>, String> {
        let mut values = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
        let first = values.next();
        match first {
            Some(first) if values.any(|other| other != first) => {
                Err(format!("the parameter `{name}` stands there twice, with two values"))
            }
            _ => Ok(first.map(Vec::as_slice)),
        }
    }

    /// The name of a file: of `filename*` (RFC 8187), which says how it is encoded, or else of `filename`.
    pub fn file_name(&self) -> Result<Option<String>, String> {
        if let Some(extended) = self.one("filename*")? {
            return Ok(Some(extended_text(extended)));
        }
        Ok(self.one("filename")?.map(text))
    }
}

/// Bytes in an unknown encoding: UTF-8 where they can be, else Latin-1, in which all can.
pub(crate) fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => latin_1(bytes),
    }
}

fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// `UTF-8'en'%e2%82%ac.jpg`.
fn extended_text(value: &[u8]) -> String {
    let mut parts = value.splitn(3, |byte| *byte == b'\'');
    let (charset, encoded) = match (parts.next(), parts.next(), parts.next()) {
        (Some(charset), Some(_), Some(encoded)) => (charset, encoded),
        _ => (&[][..], value),
    };
    let bytes: Vec<u8> = percent_decode(encoded).collect();
    if charset.eq_ignore_ascii_case(b"iso-8859-1") { latin_1(&bytes) } else { text(&bytes) }
}

/// `None` where they cannot be read in this way.
fn parse(mut rest: &[u8], backslash: Backslash) -> Option<Vec<(String, Vec<u8>)>> {
    let mut parameters = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        let Some((first, after)) = rest.split_first() else { return Some(parameters) };
        if *first == b';' {
            rest = after;
            continue;
        }
        let end = rest.iter().position(|byte| b"=;".contains(byte)).unwrap_or(rest.len());
        let name = String::from_utf8_lossy(rest[..end].trim_ascii()).to_ascii_lowercase();
        if rest.get(end) != Some(&b'=') {
            // A word without a value says nothing.
            rest = &rest[end..];
            continue;
        }
        let value;
        (value, rest) = take_value(rest[end + 1..].trim_ascii_start(), backslash)?;
        parameters.push((name, value));
    }
}

/// The value at the beginning, and what follows it.
fn take_value(rest: &[u8], backslash: Backslash) -> Option<(Vec<u8>, &[u8])> {
    match rest.split_first() {
        Some((b'"', quoted)) if backslash == Backslash::Escape => take_quoted(quoted),
        Some((b'"', quoted)) => {
            let end = (0..quoted.len()).find(|at| quoted[*at] == b'"' && ends(&quoted[*at + 1..]));
            let end = end.unwrap_or(quoted.len());
            Some((quoted[..end].to_vec(), quoted.get(end + 1..).unwrap_or_default()))
        }
        _ => {
            let end = rest.iter().position(|byte| *byte == b';').unwrap_or(rest.len());
            Some((rest[..end].trim_ascii_end().to_vec(), &rest[end..]))
        }
    }
}

/// By the standards; `None` where it does not end, or more than the next parameter follows.
fn take_quoted(quoted: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut at = 0;
    loop {
        match (quoted.get(at)?, quoted.get(at + 1)) {
            (b'\\', Some(escaped @ (b'"' | b'\\'))) => {
                value.push(*escaped);
                at += 2;
            }
            (b'"', _) => {
                let rest = &quoted[at + 1..];
                return ends(rest).then_some((value, rest));
            }
            (other, _) => {
                value.push(*other);
                at += 1;
            }
        }
    }
}

/// Whether a value is over before `rest`.
fn ends(rest: &[u8]) -> bool {
    matches!(rest.trim_ascii_start().first(), None | Some(b';'))
}
