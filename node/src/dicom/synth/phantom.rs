//! The phantom's shape: nested ellipses with densities, moving along the body, and noise.

use super::{SynthConfig, stream};
use rand_chacha::rand_core::Rng;

/// Rows of a slice.
pub(super) const ROWS: usize = 512;
/// Columns of a slice.
pub(super) const COLUMNS: usize = 512;
/// Distance of pixel centres.
pub(super) const PIXEL_SPACING_MM: f64 = 0.75;
/// Distance of slices.
pub(super) const SLICE_SPACING_MM: f64 = 1.0;
/// Density in Hounsfield units of the stored value 0.
pub(super) const INTERCEPT: i32 = -1024;

/// Stream of the generator for the phantom's build; noise has one a slice after it.
const STREAM_BUILD: u64 = 2;
const STREAM_NOISE: u64 = 1 << 40;

/// Largest value of 12 bits.
const VALUE_MAX: i32 = 4095;

/// Standard deviation of the noise in Hounsfield units, times the divisor in [`noise`].
const NOISE_HU: i32 = 14;

/// An ellipse across the body: centre and half axes in millimetres from the middle, density in
/// Hounsfield units. Later ones cover earlier ones.
#[derive(Debug, Clone, Copy)]
struct Ellipse {
    x: f64,
    y: f64,
    half_width: f64,
    half_height: f64,
    density: i32,
}

/// How this phantom differs from that of another seed.
pub(super) struct Phantom {
    /// Size of the body, 0.9 to 1.1.
    scale: f64,
    /// A nodule in one lung: place across and along the body, and radius in millimetres.
    nodule: (f64, f64, f64, f64),
}

impl Phantom {
    pub(super) fn new(seed: u64) -> Self {
        let mut build = stream(seed, STREAM_BUILD);
        // 16 random bits as a fraction, exact in a double.
        let mut between = |low: f64, high: f64| {
            let fraction = f64::from(build.next_u32() >> 16) / 65_536.0;
            low + (high - low) * fraction
        };
        let side = if between(0.0, 1.0) < 0.5 { -1.0 } else { 1.0 };
        Self {
            scale: between(0.9, 1.1),
            nodule: (
                side * between(55.0, 85.0),
                between(-25.0, 25.0),
                between(0.55, 0.8),
                between(3.0, 7.0),
            ),
        }
    }

    /// Stored values of one slice, row by row.
    pub(super) fn slice(&self, config: SynthConfig, index: u32) -> Vec<u16> {
        let along = (f64::from(index) + 0.5) / f64::from(config.slices);
        let length_mm = f64::from(config.slices) * SLICE_SPACING_MM;
        let mut image = vec![-1000_i32; ROWS * COLUMNS];
        for ellipse in self.anatomy(along, length_mm) {
            self.paint(&mut image, ellipse);
        }
        let mut noise_stream = stream(config.seed, STREAM_NOISE + u64::from(index));
        let mut random = vec![0; image.len() * 4];
        noise_stream.fill_bytes(&mut random);
        let (quads, _) = random.as_chunks::<4>();
        let value = |(density, quad): (&i32, &[u8; 4])| {
            (density + noise(*quad) - INTERCEPT).clamp(0, VALUE_MAX) as u16
        };
        image.iter().zip(quads).map(value).collect()
    }

    /// The ellipses of the slice at `along` (0 at the pelvis, 1 at the neck).
    fn anatomy(&self, along: f64, length_mm: f64) -> Vec<Ellipse> {
        let mut parts = vec![
            ellipse(0.0, 0.0, 165.0, 115.0, -95),
            ellipse(0.0, 0.0, 150.0, 100.0, 45),
        ];
        // Lungs widen from the diaphragm and close towards the apex.
        let chest = hump(along, 0.42, 1.0);
        if chest > 0.0 {
            for side in [-1.0, 1.0] {
                let (width, height) = (52.0 * chest, 78.0 * chest);
                parts.push(ellipse(side * 72.0, 0.0, width, height, -850));
                parts.push(ellipse(side * 48.0, 5.0, 5.0 * chest, 7.0 * chest, 60));
            }
            parts.push(ellipse(18.0, -25.0, 45.0 * chest, 38.0 * chest, 150));
        }
        let liver = hump(along, 0.25, 0.6);
        if liver > 0.0 {
            parts.push(ellipse(-65.0, -15.0, 75.0 * liver, 65.0 * liver, 110));
            parts.push(ellipse(95.0, 25.0, 35.0 * liver, 40.0 * liver, 125));
        }
        let kidneys = hump(along, 0.15, 0.42);
        if kidneys > 0.0 {
            for side in [-1.0, 1.0] {
                parts.push(ellipse(
                    side * 62.0,
                    40.0,
                    28.0 * kidneys,
                    32.0 * kidneys,
                    180,
                ));
                parts.push(ellipse(
                    side * 55.0,
                    40.0,
                    11.0 * kidneys,
                    13.0 * kidneys,
                    30,
                ));
            }
        }
        // Vertebrae alternate with discs every 30 mm.
        let in_disc = (along * length_mm) % 30.0 < 6.0;
        parts.push(ellipse(
            0.0,
            62.0,
            22.0,
            18.0,
            if in_disc { 90 } else { 650 },
        ));
        parts.push(ellipse(
            0.0,
            62.0,
            18.0,
            14.0,
            if in_disc { 80 } else { 220 },
        ));
        parts.push(ellipse(0.0, 86.0, 14.0, 10.0, 700));
        parts.push(ellipse(0.0, 84.0, 9.0, 7.0, 30));
        parts.push(ellipse(14.0, 36.0, 12.0, 12.0, 280));
        let (x, y, place, radius) = self.nodule;
        let apart_mm = (along - place) * length_mm;
        let rest = radius * radius - apart_mm * apart_mm;
        if chest > 0.0 && rest > 0.0 {
            let across = rest.sqrt();
            parts.push(ellipse(x, y, across, across, 55));
        }
        parts
    }

    fn paint(&self, image: &mut [i32], part: Ellipse) {
        let to_mm = |pixel: usize, count: usize| {
            (pixel as f64 + 0.5 - count as f64 / 2.0) * PIXEL_SPACING_MM / self.scale
        };
        for (row, line) in image.chunks_exact_mut(COLUMNS).enumerate() {
            let dy = (to_mm(row, ROWS) - part.y) / part.half_height;
            if dy * dy > 1.0 {
                continue;
            }
            for (column, density) in line.iter_mut().enumerate() {
                let dx = (to_mm(column, COLUMNS) - part.x) / part.half_width;
                if dx * dx + dy * dy <= 1.0 {
                    *density = part.density;
                }
            }
        }
    }
}

const fn ellipse(x: f64, y: f64, half_width: f64, half_height: f64, density: i32) -> Ellipse {
    Ellipse {
        x,
        y,
        half_width,
        half_height,
        density,
    }
}

/// A smooth hump from 0 at `start` over 1 in the middle to 0 at `end`.
fn hump(at: f64, start: f64, end: f64) -> f64 {
    if at <= start || at >= end {
        return 0.0;
    }
    let middle = 2.0 * (at - start) / (end - start) - 1.0;
    (1.0 - middle * middle).sqrt()
}

/// Nearly Gaussian noise from the sum of four random bytes, whose standard deviation is 148.
fn noise(quad: [u8; 4]) -> i32 {
    let sum: i32 = quad.iter().map(|byte| i32::from(*byte)).sum();
    (sum - 510) * NOISE_HU / 148
}
