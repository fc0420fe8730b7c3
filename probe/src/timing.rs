//! Times that can be compared: taken in turn, as medians, told as ratios.

use std::time::Duration;

use crate::test::Outcome;

/// The median of each class. Classes take turns, so that what slows the machine slows all of them; the first `warm` rounds
/// are not counted.
///
/// # Errors
/// What a sample gives.
pub fn medians<const N: usize>(
    rounds: usize,
    warm: usize,
    mut sample: impl FnMut(usize) -> Outcome<Duration>,
) -> Outcome<[Duration; N]> {
    let mut taken: [Vec<Duration>; N] = std::array::from_fn(|_| vec![]);
    for round in 0..rounds + warm {
        for (class, times) in taken.iter_mut().enumerate() {
            let time = sample(class)?;
            if round >= warm {
                times.push(time);
            }
        }
    }
    Ok(taken.map(median))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// How many times as long `a` is as `b`.
pub fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64().max(f64::EPSILON)
}
