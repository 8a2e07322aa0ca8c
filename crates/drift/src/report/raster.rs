//! A drawing as PNG.

use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use crate::error::{Error, Result};

/// `DejaVu` Sans, its Latin, Greek and Cyrillic letters: so that a machine without fonts draws text as well. Other
/// scripts come from the machine's fonts, where it has any.
const FONT: &[u8] = include_bytes!("../../assets/DejaVuSans-subset.ttf");

/// The name of [`FONT`].
const FAMILY: &str = "DejaVu Sans";

/// Pixels a unit: sharp on today's screens, and in print.
const PIXELS: f32 = 2.0;

static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(FONT.to_vec());
    fonts.load_system_fonts();
    fonts.set_sans_serif_family(FAMILY);
    Arc::new(fonts)
});

/// An SVG of this module's as PNG, two pixels a unit.
///
/// # Errors
///
/// [`Error::Drawing`] for what is no SVG, or too large for memory.
pub fn png(svg: &str) -> Result<Vec<u8>> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| Error::Drawing { source };
    let options =
        Options { fontdb: Arc::clone(&FONTS), font_family: FAMILY.into(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| failed(error.into()))?;
    let size = tree.size().to_int_size().scale_by(PIXELS);
    let pixmap = size.and_then(|size| Pixmap::new(size.width(), size.height()));
    let mut pixmap = pixmap.ok_or_else(|| failed("it has no size".into()))?;
    pixmap.fill(resvg::tiny_skia::Color::WHITE);
    resvg::render(&tree, Transform::from_scale(PIXELS, PIXELS), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|error| failed(error.into()))
}
