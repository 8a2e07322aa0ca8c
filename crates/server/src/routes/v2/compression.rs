//! Compressed bodies, in what comes and in what goes.

use std::io::{Read, Write};

use actix_web::HttpRequest;
use actix_web::http::header::{
    AcceptEncoding, CONTENT_ENCODING, ContentEncoding, Encoding, Header, HeaderMap,
};
use bytes::Bytes;
use flate2::Compression;
use flate2::bufread::{GzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use sdd_serving::{Allowance, Reservation};

use crate::error::{ApiError, Shortage};

/// Bytes that are decompressed at a time.
const CHUNK: usize = 64 << 10;

/// Members of a gzip body at most. Tools that compress in parallel or for reading in between write one for every 64 KiB
/// or more, so these are enough for 256 MiB; each one costs some work, also if it is empty.
const MAX_MEMBERS: usize = 4096;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// HTTP's name for zlib, RFC 1950.
    Deflate,
}

impl Coding {
    /// How a request's body is compressed; `None` where it is not.
    pub fn of_request(headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let mut names = headers.get_all(CONTENT_ENCODING);
        let (Some(name), more) = (names.next(), names.next()) else { return Ok(None) };
        let name = String::from_utf8_lossy(name.as_bytes()).trim().to_ascii_lowercase();
        match name.as_str() {
            "gzip" | "x-gzip" if more.is_none() => Ok(Some(Self::Gzip)),
            "deflate" if more.is_none() => Ok(Some(Self::Deflate)),
            "identity" | "" if more.is_none() => Ok(None),
            _ => Err(ApiError::UnsupportedEncoding {
                found: name,
                supported: "gzip, deflate or none",
            }),
        }
    }

    /// How the client would like the answer; `None` for not compressed.
    pub fn accepted(request: &HttpRequest) -> Option<Self> {
        let supported = [Encoding::gzip(), Encoding::deflate(), Encoding::identity()];
        let accepted = AcceptEncoding::parse(request).ok()?;
        match accepted.negotiate(supported.iter())? {
            Encoding::Known(ContentEncoding::Gzip) => Some(Self::Gzip),
            Encoding::Known(ContentEncoding::Deflate) => Some(Self::Deflate),
            _ => None,
        }
    }

    /// The name in headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    /// What was compressed, if that is at most `limit` bytes. Blocks.
    pub fn decompress(
        self,
        body: &[u8],
        limit: usize,
        memory: &Allowance,
    ) -> Result<Bytes, ApiError> {
        let mut decompressed = Decompressed::new(limit, memory);
        let mut rest = body;
        let members = if self == Self::Gzip { MAX_MEMBERS } else { 1 };
        for _ in 0..members {
            rest = match self {
                Self::Gzip => decompressed.read(GzDecoder::new(rest))?.into_inner(),
                Self::Deflate => decompressed.read(ZlibDecoder::new(rest))?.into_inner(),
            };
            if rest.is_empty() {
                return Ok(decompressed.end());
            }
        }
        let reason = match self {
            Self::Gzip => {
                format!("it has more than {MAX_MEMBERS} gzip members: compress it in one piece")
            }
            Self::Deflate => "bytes follow the compressed ones".into(),
        };
        Err(ApiError::MalformedBody { reason })
    }

    /// Compresses an answer, fast rather than well.
    pub fn compress(self, body: &[u8]) -> std::io::Result<Vec<u8>> {
        let compressed = Vec::with_capacity(body.len() / 2);
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(compressed, Compression::fast());
                encoder.write_all(body)?;
                encoder.finish()
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(compressed, Compression::fast());
                encoder.write_all(body)?;
                encoder.finish()
            }
        }
    }
}

/// What has been decompressed, of all members together.
struct Decompressed {
    bytes: Vec<u8>,
    reservation: Reservation,
    limit: usize,
    chunk: Vec<u8>,
}

impl Decompressed {
    fn new(limit: usize, memory: &Allowance) -> Self {
        Self { bytes: Vec::new(), reservation: memory.reserve(), limit, chunk: vec![0; CHUNK] }
    }

    /// Reads a decoder to its end, and gives it back.
    fn read<D: Read>(&mut self, mut decoder: D) -> Result<D, ApiError> {
        loop {
            let length = decoder.read(&mut self.chunk).map_err(|error| {
                let reason = format!("it cannot be decompressed: {error}");
                ApiError::MalformedBody { reason }
            })?;
            if length == 0 {
                return Ok(decoder);
            }
            if self.bytes.len() + length > self.limit {
                return Err(ApiError::TooManyBytes { limit: self.limit });
            }
            if !self.reservation.grow(length) {
                return Err(ApiError::overloaded(Shortage::Memory));
            }
            self.bytes.extend_from_slice(&self.chunk[..length]);
        }
    }

    fn end(self) -> Bytes {
        self.reservation.hold(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
    use actix_web::test::TestRequest;
    use sdd_serving::Allowance;

    use super::Coding;
    use crate::error::ApiError;

    const CODINGS: [Coding; 2] = [Coding::Gzip, Coding::Deflate];

    #[test]
    fn both_ways_within_the_limits() {
        let body: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let memory = Allowance::new(1 << 20);
        for coding in CODINGS {
            let small = coding.compress(&body).unwrap();
            assert!(small.len() < body.len());
            let found = coding.decompress(&small, body.len(), &memory).unwrap();
            assert_eq!((&*found, memory.used()), (&body[..], body.len()));
            drop(found);
            assert_eq!(memory.used(), 0);

            let over = coding.decompress(&small, body.len() - 1, &memory);
            assert!(matches!(over, Err(ApiError::TooManyBytes { .. })));
            let little = Allowance::new(1000);
            let full = coding.decompress(&small, body.len(), &little);
            assert!(matches!(full, Err(ApiError::Overloaded { .. })));
            assert_eq!((memory.used(), little.used()), (0, 0));
        }
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let memory = Allowance::new(1 << 20);
        for coding in CODINGS {
            let good = coding.compress(b"some text, some text").unwrap();
            let longer = [&good[..], b"x"].concat();
            let twice = good.repeat(2);
            let broken_off = &twice[..twice.len() - 1];
            for bad in [&[][..], b"{}", &good[..good.len() - 1], &longer, broken_off] {
                let found = coding.decompress(bad, 1000, &memory);
                assert!(matches!(found, Err(ApiError::MalformedBody { .. })), "{coding:?} {bad:?}");
            }
        }
    }

    #[test]
    fn headers_choose() {
        let of_request = |value: &str| {
            let request = TestRequest::default().insert_header((CONTENT_ENCODING, value));
            Coding::of_request(request.to_http_request().headers())
        };
        assert!(matches!(of_request("GZIP"), Ok(Some(Coding::Gzip))));
        assert!(matches!(of_request("deflate"), Ok(Some(Coding::Deflate))));
        assert!(matches!(of_request("identity"), Ok(None)));
        for bad in ["br", "gzip, gzip", "zstd"] {
            assert!(matches!(of_request(bad), Err(ApiError::UnsupportedEncoding { .. })), "{bad}");
        }
        for (value, expected) in [
            ("gzip", Some(Coding::Gzip)),
            ("deflate", Some(Coding::Deflate)),
            ("gzip;q=0.1, deflate;q=0.9", Some(Coding::Deflate)),
            ("br", None),
            ("identity", None),
            ("gzip;q=0", None),
            ("", None),
            ("\"nonsense", None),
        ] {
            let request = TestRequest::default().insert_header((ACCEPT_ENCODING, value));
            assert_eq!(Coding::accepted(&request.to_http_request()), expected, "{value}");
        }
        assert_eq!(Coding::accepted(&TestRequest::default().to_http_request()), None);
    }
}
