//! Restart markers, after each of which decoding begins anew: whether a stream has those that it should.

use super::stream::{EOI, Frame, SOS, Segment, Segments, is_frame};

const DRI: u8 = 0xDD;

/// Whether each scan has the restart markers that its size and interval ask for, numbered in a row.
pub(super) fn are_complete(bytes: &[u8]) -> bool {
    let mut components = None;
    let mut interval = 0;
    let segments = Segments::of(bytes).into_iter().flatten().flatten();
    for Segment { marker, content, data } in segments.take_while(|one| one.marker != EOI) {
        match marker {
            DRI => interval = short(content).unwrap_or(0),
            SOS => {
                let found = restarts(data);
                let counted = components.as_ref().and_then(|components: &Components| {
                    let units = components.units(content)?;
                    Some(units.div_ceil(u64::from(interval.max(1))).saturating_sub(1))
                });
                let expected = if interval == 0 { Some(0) } else { counted };
                let in_a_row = found.iter().zip((0xD0..=0xD7).cycle()).all(|(a, b)| *a == b);
                if !in_a_row || expected.is_some_and(|count| count != found.len() as u64) {
                    return false;
                }
            }
            _ if is_frame(marker) && components.is_none() => {
                components = Components::of(marker, content);
            }
            _ => {}
        }
    }
    true
}

/// How often the components of a frame are sampled: their names, and horizontal and vertical factors.
struct Components {
    width: u64,
    height: u64,
    factors: Vec<(u8, u64, u64)>,
}

impl Components {
    /// None for lossless frames, whose units are samples.
    fn of(process: u8, content: &[u8]) -> Option<Self> {
        let frame = Frame::of(process, content).ok()?;
        let (components, _) = content.get(6..)?.as_chunks::<3>();
        let factor = |[name, factors, _]: &[u8; 3]| {
            (*name, u64::from(factors >> 4).max(1), u64::from(factors & 15).max(1))
        };
        let factors = components.iter().take(frame.components.into()).map(factor).collect();
        let lossless = process == 0xC3;
        (!lossless).then_some(Self {
            width: frame.width.into(),
            height: frame.height.into(),
            factors,
        })
    }

    /// Coded units of a scan (T.81, A.2): blocks of 8 x 8 of its one component, or as many of each as make a whole.
    fn units(&self, scan: &[u8]) -> Option<u64> {
        let widest = self.factors.iter().map(|(_, across, _)| *across).max()?;
        let highest = self.factors.iter().map(|(.., down)| *down).max()?;
        let (across, down) = match scan {
            [1, name, ..] => {
                let (_, across, down) = self.factors.iter().find(|(of, ..)| of == name)?;
                (
                    (self.width * across).div_ceil(widest).div_ceil(8),
                    (self.height * down).div_ceil(highest).div_ceil(8),
                )
            }
            _ => (self.width.div_ceil(8 * widest), self.height.div_ceil(8 * highest)),
        };
        Some(across * down)
    }
}

/// The restart markers in a scan's data.
fn restarts(data: &[u8]) -> Vec<u8> {
    let pairs = data.windows(2).filter(|pair| pair[0] == 0xFF);
    pairs.map(|pair| pair[1]).filter(|code| matches!(code, 0xD0..=0xD7)).collect()
}

fn short(content: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(*content.first_chunk()?))
}
