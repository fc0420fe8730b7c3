//! Text of others, broken at random: nothing panics, hangs, or loses a byte that is not the tool's.
//!
//! `FUZZ_SECONDS=3600 cargo test fuzz -- --nocapture` goes on for that long, all targets together; `FUZZ_SEED` begins with
//! other cases, `FUZZ_TARGET` names the targets to try. A case is decided by its target, the seed and its number. Without a
//! time, each target has a number of cases that does not grow with the machine, so that a run finds what others have seen.
#![expect(
    clippy::disallowed_methods,
    reason = "seeds are read from disk, settings from the environment, and runs are timed"
)]

mod mutate;
mod plans;
mod targets;

use std::{
    env,
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use mutate::{Random, mutated};

/// The seed of the run that everybody does.
const SEED: u64 = 20_261_130;
/// All targets together, where nothing else is asked for, and the cases of one at the most.
const SECONDS: u64 = 24;
const CASES: usize = 150;
/// A case that takes longer hangs.
const HANGS: Duration = Duration::from_secs(20);
/// As of the program's first thread.
const STACK: usize = 8 << 20;

type Try = Box<dyn Fn(&str, &mut Random) + Send + Sync>;

/// What is tried with texts that are like `seeds`.
pub struct Target {
    name: String,
    seeds: Vec<String>,
    attempt: Try,
}

impl Target {
    fn new(
        name: impl Into<String>,
        seeds: Vec<String>,
        attempt: impl Fn(&str, &mut Random) + Send + Sync + 'static,
    ) -> Self {
        let name = name.into();
        assert!(!seeds.is_empty(), "no seeds for {name}");
        Self { name, seeds, attempt: Box::new(attempt) }
    }

    /// The reason why an attempt with a text fails.
    fn failure(&self, text: &str, random: &Random) -> Option<String> {
        let started = Instant::now();
        let done = catch_unwind(AssertUnwindSafe(|| (self.attempt)(text, &mut random.clone())));
        let hangs = started.elapsed() > HANGS;
        match done {
            Ok(()) if hangs => Some(format!("took {:?}", started.elapsed())),
            Ok(()) => None,
            Err(reason) => {
                let text = reason.downcast_ref::<String>().cloned();
                Some(text.or_else(|| reason.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default())
            }
        }
    }

    /// A shorter text that fails as well.
    fn smallest(&self, text: &str, random: &Random) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        let until = Instant::now() + HANGS;
        let mut size = chars.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < chars.len() && Instant::now() < until {
                let end = (at + size).min(chars.len());
                let shorter: String = chars[..at].iter().chain(&chars[end..]).collect();
                if self.failure(&shorter, random).is_some() {
                    chars = shorter.chars().collect();
                } else {
                    at = end;
                }
            }
            size /= 2;
        }
        chars.into_iter().collect()
    }

    /// The seeds as they are, then as many cases as there is time for; how many, and the first that fails.
    fn run(&self, seed: u64, time: Duration, most: usize) -> (usize, Option<String>) {
        let until = Instant::now() + time;
        let name = self.name.bytes().fold(seed, |all, byte| all.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let mut count = 0;
        while count == 0 || count < most && Instant::now() < until {
            let number = u64::try_from(count).unwrap();
            let mut random = Random::new(name ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d));
            let text = self.seeds.get(count).cloned().unwrap_or_else(|| mutated(&self.seeds, &mut random));
            if let Some(why) = self.failure(&text, &random) {
                let small = self.smallest(&text, &random);
                let last = self.failure(&small, &random).unwrap_or_default();
                let from = format!("{}, FUZZ_SEED={seed}, case {count}", self.name);
                return (count, Some(format!("{from}: {why}\nsmallest: {small:?}\n{last}")));
            }
            count += 1;
        }
        (count, None)
    }
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn whatever_a_text_looks_like_it_is_read_or_refused() {
    let (seed, asked) = (number("FUZZ_SEED").unwrap_or(SEED), number("FUZZ_SECONDS"));
    let (seconds, most) = (asked.unwrap_or(SECONDS), asked.map_or(CASES, |_| usize::MAX));
    let only = env::var("FUZZ_TARGET").unwrap_or_default();
    let mut targets = targets::all();
    targets.extend(plans::all());
    targets.retain(|target| target.name.contains(&only));
    assert!(!targets.is_empty(), "no target is named {only}");
    let workers = thread::available_parallelism().map_or(1, usize::from).min(targets.len());
    let parts = u32::try_from(targets.len().div_ceil(workers)).unwrap();
    let share = Duration::from_secs(seconds) / parts;
    let (next, told) = (AtomicUsize::new(0), Mutex::new(vec![]));
    thread::scope(|scope| {
        for _ in 0..workers {
            let work = || {
                while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let done = target.run(seed, share, most);
                    told.lock().unwrap().push((target.name.clone(), done));
                }
            };
            thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).unwrap();
        }
    });
    let mut told = told.into_inner().unwrap();
    told.sort();
    let mut table = String::new();
    for (name, (count, _)) in &told {
        _ = writeln!(table, "{count:>9}  {name}");
    }
    println!("FUZZ_SEED={seed}, {share:?} a target\n{table}");
    let wrong: Vec<String> = told.into_iter().filter_map(|(_, (_, wrong))| wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
