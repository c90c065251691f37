//! How fast a generated world lives.

use jiff::SignedDuration;

use crate::sim::Settings;
use crate::sim::world::lineage::{self, Cadence, Generator};
use crate::sim::world::noise::Noise;

/// One creation every `seconds`, scaled by the settings' speed.
pub(super) fn cadence(settings: &Settings, noise: Noise, seconds: f64) -> Cadence {
    let interval = micros(settings, seconds).max(1);
    Cadence {
        noise: noise.with(1),
        interval,
        phase: (noise.with(2).unit() * interval as f64) as i64,
    }
}

/// A duration, scaled by the settings' speed.
pub(super) fn scaled(settings: &Settings, seconds: f64) -> SignedDuration {
    SignedDuration::from_micros(micros(settings, seconds))
}

fn micros(settings: &Settings, seconds: f64) -> i64 {
    // A scale that is not a positive number would stop the world; it counts as 1.
    let scale = if settings.time_scale.is_finite() && settings.time_scale > 0.0 {
        settings.time_scale
    } else {
        1.0
    };
    (seconds / scale * 1e6) as i64
}

/// Part of a duration.
pub(super) fn part(whole: SignedDuration, share: f64) -> SignedDuration {
    SignedDuration::from_micros((lineage::micros(whole) as f64 * share) as i64)
}

/// When the thing with a number is created.
pub(super) fn born(stream: &impl Generator, number: i64) -> SignedDuration {
    stream.cadence().born(number)
}
