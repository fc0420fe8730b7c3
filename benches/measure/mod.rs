//! The tool as a process, timed.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

/// What a run took: milliseconds of wall time, and the peak of resident memory in KiB.
#[derive(Clone, Copy)]
pub struct Cost {
    pub ms: f64,
    pub peak: u64,
}

/// What one command costs in a folder; an error if it fails.
pub fn run(folder: &Path, args: &[&str]) -> Result<Cost> {
    let begin = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_authwright"))
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let watched = child.id();
    let watch = thread::spawn(move || peak(watched));
    let status = child.wait()?;
    let ms = begin.elapsed().as_secs_f64() * 1000.0;
    ensure!(status.success(), "`authwright {}` failed", args.join(" "));
    Ok(Cost { ms, peak: watch.join().unwrap_or_default() })
}

/// The run in the middle by its time, with the highest peak of all.
pub fn median(mut runs: Vec<Cost>) -> Cost {
    runs.sort_by(|a, b| a.ms.total_cmp(&b.ms));
    Cost { ms: runs[runs.len() / 2].ms, peak: runs.iter().map(|run| run.peak).max().unwrap_or_default() }
}

/// The highest peak that is seen while the process runs; 0 where the system does not tell.
fn peak(id: u32) -> u64 {
    let status = format!("/proc/{id}/status");
    let mut peak = 0;
    while let Some(kib) = resident(&status) {
        peak = peak.max(kib);
        thread::sleep(Duration::from_micros(500));
    }
    peak
}

fn resident(status: &str) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

pub fn write(root: &Path, path: &str, text: &str) -> Result<()> {
    let path = root.join(path);
    fs::create_dir_all(path.parent().context("no folder")?)?;
    Ok(fs::write(path, text)?)
}
