//! Work that keeps a worker busy for seconds, so that what happens meanwhile has an order.

use std::io::{BufReader, Cursor, ErrorKind, Write};
use std::net::TcpStream;
use std::sync::LazyLock;

use image::{DynamicImage, GrayImage, ImageFormat};

use crate::answer::Answer;
use crate::eventually::eventually;
use crate::exposition::Exposition;
use crate::server::{Server, multipart};
use crate::socket::{answer, connect, upload_request};

/// A picture that is small to send and takes long to decode.
pub fn slow_picture() -> &'static [u8] {
    static PICTURE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut file = Cursor::new(Vec::new());
        let large = GrayImage::from_fn(6000, 6000, |x, _| image::Luma([x.to_le_bytes()[0]]));
        DynamicImage::from(large).write_to(&mut file, ImageFormat::Png).unwrap();
        file.into_inner()
    });
    &PICTURE
}

/// A form with this many slow pictures.
pub fn slow_batch(images: usize) -> Vec<u8> {
    multipart(&vec![("file", Some("image/png"), slow_picture()); images])
}

/// A request with many slow pictures that is in work.
pub struct Hold(BufReader<TcpStream>);

impl Hold {
    /// Returns once the server has taken the pictures on, which it does with all or none.
    pub fn start(server: &Server, images: usize) -> Self {
        let mut connection = connect(server);
        let request = upload_request("/predict/batch", &slow_batch(images), "");
        connection.write_all(&request).unwrap();
        eventually("work", || Exposition::of(server).number("sdd_admitted_images") > 0);
        let hold = Self(BufReader::new(connection));
        assert!(!hold.is_answered());
        hold
    }

    pub fn is_answered(&self) -> bool {
        let connection = self.0.get_ref();
        connection.set_nonblocking(true).unwrap();
        let peeked = connection.peek(&mut [0]);
        connection.set_nonblocking(false).unwrap();
        match peeked {
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            other => other.unwrap() > 0,
        }
    }

    pub fn answer(mut self) -> Answer {
        answer(&mut self.0)
    }
}
