//! Times that can be compared: taken in turn, told as ratios.

use std::time::Duration;

use crate::test::Outcome;

/// How long the requests of one class took, in order of length.
pub struct Times(Vec<Duration>);

impl Times {
    pub fn median(&self) -> Duration {
        self.at(self.0.len() / 2)
    }

    /// The first quartile.
    pub fn quick(&self) -> Duration {
        self.at(self.0.len() / 4)
    }

    /// Whether no one could tell the two classes by their times. A difference of the application's own shows in quick answers
    /// and in usual ones; a busy machine only adds to some, so it moves the median before the first quartile.
    pub fn are_like(&self, other: &Self) -> bool {
        is_alike(self.median(), other.median()) || is_alike(self.quick(), other.quick())
    }

    fn at(&self, place: usize) -> Duration {
        self.0.get(place).copied().unwrap_or_default()
    }
}

fn is_alike(a: Duration, b: Duration) -> bool {
    (0.5..=2.0).contains(&ratio(a, b))
}

/// The times of each class. Classes take turns, so that what slows the machine slows all of them; the first `warm` rounds
/// are not counted.
///
/// # Errors
/// What a sample gives.
pub fn times<const N: usize>(
    rounds: usize,
    warm: usize,
    mut sample: impl FnMut(usize) -> Outcome<Duration>,
) -> Outcome<[Times; N]> {
    let mut taken: [Vec<Duration>; N] = std::array::from_fn(|_| vec![]);
    for round in 0..rounds + warm {
        for (class, times) in taken.iter_mut().enumerate() {
            let time = sample(class)?;
            if round >= warm {
                times.push(time);
            }
        }
    }
    Ok(taken.map(|mut times| {
        times.sort();
        Times(times)
    }))
}

/// How many times as long `a` is as `b`.
pub fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64().max(f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(millis: impl Iterator<Item = u64>) -> Times {
        let mut times: Vec<_> = millis.map(Duration::from_millis).collect();
        times.sort();
        Times(times)
    }

    #[test]
    fn noise_is_no_difference_and_a_step_that_one_class_lacks_is_one() {
        let usual = class(20..40);
        let busy = class((20..40).map(|time| if time % 3 == 0 { time } else { time * 4 }));
        assert!(ratio(busy.median(), usual.median()) > 2.0);
        assert!(usual.are_like(&busy) && busy.are_like(&usual));
        let longer = class((20..40).map(|time| time + 60));
        assert!(!usual.are_like(&longer) && !longer.are_like(&usual));
    }
}
