//! The target of image files.

use sdd_core::ImageLimits;
use sdd_core::image::Decoder;
use sdd_core::spec::Color;

/// Small, so that an input's time goes into the decoder and not into its pixels.
const LIMITS: ImageLimits = ImageLimits { max_bytes: 1 << 20, max_side: 4096, max_pixels: 1 << 20 };

/// Decodes the input as gray and as color.
pub fn image(input: &[u8]) {
    let mut decoder = Decoder::new(LIMITS);
    let sizes = [Color::Gray, Color::Rgb].map(|color| {
        let pixels = decoder.decode(input, color).ok()?;
        let samples = pixels.width as usize * pixels.height as usize * color.channels();
        assert_eq!(pixels.data.len(), samples, "as many samples as the size says");
        Some((pixels.width, pixels.height))
    });
    assert_eq!(sizes[0], sizes[1], "what can be read as gray can be read as color");
}
