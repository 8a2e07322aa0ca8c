//! The body of a form as clients write it, made into one that the HTTP library's parser takes.
//!
//! actix-multipart asks for what the standards ask of a sender, and passes over parts whose boundary it does not
//! know. Clients are otherwise: white space after a boundary (RFC 2046 allows it), line feeds alone, names of files
//! that are not UTF-8 or end in a backslash, a preamble, a part's length that is wrong. This stream finds the parts, and
//! writes each anew with the same content, a plain head, and a boundary that cannot stand in it by chance or design.

mod parameters;
mod part_head;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use memchr::memmem;
use uuid::Uuid;

use self::parameters::Parameters;
use self::part_head::PartHead;

/// Longest head of a part, in bytes, each line with its line break; and longest text before the first one.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// Longest boundary, in bytes: RFC 2046 allows 70.
const MAX_BOUNDARY_BYTES: usize = 256;

/// White space after a boundary, in bytes, at most.
const MAX_PADDING_BYTES: usize = 256;

/// The boundary that a content type names, or what is wrong with it.
pub(crate) fn boundary(content_type: &[u8]) -> Result<Vec<u8>, String> {
    let advice = "do not set Content-Type: your client sets it, with the boundary that it uses";
    let parameters = Parameters::of(content_type);
    let boundary = parameters.one("boundary")?.unwrap_or_default();
    if boundary.is_empty() {
        return Err(format!("the content type names no boundary; {advice}"));
    }
    if boundary.len() > MAX_BOUNDARY_BYTES || boundary.iter().any(u8::is_ascii_control) {
        return Err(format!("the content type names a boundary that cannot be one; {advice}"));
    }
    Ok(boundary.to_vec())
}

/// A form with plain parts, made of the `body` of a request.
pub(crate) struct PlainForm<S> {
    body: S,
    /// What has come and is not given on.
    received: BytesMut,
    /// Nothing more comes.
    is_received: bool,
    at: At,
    /// `--` and the body's own boundary.
    delimiter: memmem::Finder<'static>,
    /// Some of the part's content has been given on, so that what was received begins within a line.
    has_begun: bool,
    /// Lines end in a line feed alone, so that a carriage return before it belongs to the content.
    has_bare_line_feeds: bool,
    /// The boundary of the form that is given on.
    boundary: String,
}

/// Where in the body the next byte is.
#[derive(Clone, Copy, Debug)]
enum At {
    /// Before the first part.
    Preamble,
    Head,
    Content,
    /// Behind the last part.
    Epilogue,
    /// The end of what is given on, too.
    End,
}

/// A line with a boundary.
struct Line {
    /// Where it begins in what was received, with the line break before it.
    start: usize,
    /// Where it ends, with its own line break.
    end: usize,
    is_last: bool,
    has_bare_line_feed: bool,
}

/// What the bytes after a boundary make of it.
enum Tail {
    /// A line of as many more bytes.
    Line { len: usize, is_last: bool, has_bare_line_feed: bool },
    /// Content in which it stands by chance.
    Content,
    /// Only more of it tells.
    Unknown,
}

impl<S> PlainForm<S> {
    /// Of a body with parts between lines of `boundary`.
    pub fn new(body: S, boundary: &[u8]) -> Self {
        Self {
            body,
            received: BytesMut::new(),
            is_received: false,
            at: At::Preamble,
            has_begun: false,
            delimiter: memmem::Finder::new(&[b"--", boundary].concat()).into_owned(),
            has_bare_line_feeds: false,
            boundary: Uuid::new_v4().simple().to_string(),
        }
    }

    /// The headers of the form that is given on.
    pub fn headers(&self) -> HeaderMap {
        let content_type = format!("multipart/form-data; boundary={}", self.boundary);
        let content_type = HeaderValue::try_from(content_type).expect("letters and digits");
        HeaderMap::from_iter([(CONTENT_TYPE, content_type)])
    }

    /// What can be given on of what was received; `None` when more has to come first.
    fn give_on(&mut self) -> Result<Option<Bytes>, String> {
        match self.at {
            At::Preamble => self.pass_preamble(),
            At::Head => self.read_head(),
            At::Content => self.read_content(),
            At::Epilogue => {
                self.at = At::End;
                Ok(Some(format!("\r\n--{}--\r\n", self.boundary).into()))
            }
            At::End => Ok(None),
        }
    }

    fn pass_preamble(&mut self) -> Result<Option<Bytes>, String> {
        let found = self.find_line();
        let start = found.as_ref().map_or_else(|start| *start, |line| line.start);
        if start > MAX_HEAD_BYTES || (found.is_err() && self.is_received) {
            let boundary = String::from_utf8_lossy(&self.delimiter.needle()[2..]).into_owned();
            return Err(format!(
                "its boundary, `{boundary}`, is not in the body: leave Content-Type to your client, which knows it"
            ));
        }
        let Ok(line) = found else { return Ok(None) };
        self.has_bare_line_feeds = line.has_bare_line_feed;
        self.pass(&line);
        Ok(Some(Bytes::new()))
    }

    fn read_head(&mut self) -> Result<Option<Bytes>, String> {
        let found = end_of_head(&self.received);
        // Where its end has not come, the last byte may be the beginning of the empty line after it.
        let least = self.received.len().saturating_sub(1);
        if found.map_or(least, |(len, _)| len) > MAX_HEAD_BYTES {
            return Err(format!(
                "the head of a part has more than {MAX_HEAD_BYTES} bytes: leave out headers other than \
                 Content-Disposition and Content-Type, or shorten the file's name"
            ));
        }
        let Some((len, end)) = found else {
            return if self.is_received { Err(broken_off()) } else { Ok(None) };
        };
        let head = PartHead::parse(&self.received[..len])?;
        // The line break at its end may be the one before the next boundary.
        drop(self.received.split_to(end));
        (self.at, self.has_begun) = (At::Content, false);
        let line = format!("\r\n--{}\r\n", self.boundary).into_bytes();
        Ok(Some([line, head.to_bytes()].concat().into()))
    }

    fn read_content(&mut self) -> Result<Option<Bytes>, String> {
        match self.find_line() {
            Ok(line) => {
                let content = self.received.split_to(line.start).freeze();
                self.pass(&Line { start: 0, end: line.end - line.start, ..line });
                Ok(Some(content))
            }
            Err(_) if self.is_received => Err(broken_off()),
            Err(0) => Ok(None),
            Err(len) => {
                self.has_begun = true;
                Ok(Some(self.received.split_to(len).freeze()))
            }
        }
    }

    fn pass(&mut self, line: &Line) {
        drop(self.received.split_to(line.end));
        self.at = if line.is_last { At::Epilogue } else { At::Head };
    }

    /// The first line with a boundary, or the number of bytes in which none begins.
    fn find_line(&self) -> Result<Line, usize> {
        let received = &self.received[..];
        let delimiter_len = self.delimiter.needle().len();
        for at in self.delimiter.find_iter(received) {
            let Some(start) = self.start_of_line(at) else { continue };
            match self.tail(&received[at + delimiter_len..]) {
                Tail::Line { len, is_last, has_bare_line_feed } => {
                    let end = at + delimiter_len + len;
                    return Ok(Line { start, end, is_last, has_bare_line_feed });
                }
                Tail::Content => {}
                Tail::Unknown => return Err(start),
            }
        }
        // The line break and a part of the boundary may have come.
        Err(received.len().saturating_sub(delimiter_len + 1))
    }

    /// Where the line break before `at` begins, if it is the beginning of a line.
    fn start_of_line(&self, at: usize) -> Option<usize> {
        let before = &self.received[..at];
        if before.is_empty() {
            // Also behind a head: a part may be without any content.
            return (!self.has_begun).then_some(0);
        }
        let before = before.strip_suffix(b"\n")?;
        let has_return = before.ends_with(b"\r") && !self.has_bare_line_feeds;
        Some(before.len() - usize::from(has_return))
    }

    /// What the bytes after a boundary make of it.
    fn tail(&self, after: &[u8]) -> Tail {
        let is_last = after.starts_with(b"--");
        if !is_last && after == b"-" && !self.is_received {
            return Tail::Unknown;
        }
        let rest = if is_last { &after[2..] } else { after };
        let padding = rest.iter().take_while(|byte| b" \t".contains(byte)).count();
        let len = after.len() - rest.len() + padding;
        if padding > MAX_PADDING_BYTES {
            return Tail::Content;
        }
        match &rest[padding..] {
            [b'\n', ..] => Tail::Line { len: len + 1, is_last, has_bare_line_feed: true },
            [b'\r', b'\n', ..] => Tail::Line { len: len + 2, is_last, has_bare_line_feed: false },
            [] | [b'\r'] if self.is_received && is_last => {
                Tail::Line { len: after.len(), is_last, has_bare_line_feed: false }
            }
            [] | [b'\r'] if !self.is_received => Tail::Unknown,
            _ => Tail::Content,
        }
    }
}

/// The length of a head's lines, and where the empty line after them ends.
fn end_of_head(received: &[u8]) -> Option<(usize, usize)> {
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', received) {
        if matches!(&received[start..end], b"" | b"\r") {
            return Some((start, end + 1));
        }
        start = end + 1;
    }
    None
}

fn broken_off() -> String {
    "it ends before its last boundary".into()
}

impl<S> Stream for PlainForm<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            match this.give_on() {
                Ok(Some(given_on)) if given_on.is_empty() => {}
                Ok(Some(given_on)) => return Poll::Ready(Some(Ok(given_on))),
                Ok(None) if this.is_received || matches!(this.at, At::End) => {
                    return Poll::Ready(None);
                }
                Ok(None) => match ready!(Pin::new(&mut this.body).poll_next(context)) {
                    Some(Ok(bytes)) => this.received.extend_from_slice(&bytes),
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => this.is_received = true,
                },
                Err(malformed) => {
                    this.at = At::End;
                    let error = PayloadError::Io(io::Error::other(malformed));
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
