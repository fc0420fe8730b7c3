//! `cargo bench --bench detect`: how long `detect` takes in trees of growing size, and how much memory.
#![expect(clippy::disallowed_methods, reason = "it makes the trees that it measures, and times the tool")]
#![expect(clippy::print_stdout, reason = "a table is what it is for")]

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};

const SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];
const RUNS: usize = 9;

fn main() -> Result<()> {
    println!("| files | median ms | fastest ms | peak MiB |\n|---|---|---|---|");
    for size in SIZES {
        let folder = tempfile::tempdir()?;
        make(folder.path(), size)?;
        // The first run reads from the disk.
        run(folder.path())?;
        let mut runs = (0..RUNS).map(|_| run(folder.path())).collect::<Result<Vec<_>>>()?;
        runs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let peak = runs.iter().map(|run| run.1).max().unwrap_or_default();
        println!("| {size} | {:.0} | {:.0} | {} |", runs[RUNS / 2].0, runs[0].0, peak / 1024);
    }
    Ok(())
}

/// A repository of services: each has a manifest and sources in folders of twenty; among them, what git ignores.
fn make(root: &Path, size: usize) -> Result<()> {
    let write = |path: String, text: &str| -> Result<()> {
        let path = root.join(path);
        fs::create_dir_all(path.parent().context("no folder")?)?;
        Ok(fs::write(path, text)?)
    };
    write(".gitignore".to_owned(), "/target\n*.log\n")?;
    write("package.json".to_owned(), "{ \"workspaces\": [\"services/*\"] }\n")?;
    for index in 2..size {
        let (service, file) = (index / 500, index % 500);
        let folder = format!("services/s{service:03}");
        match file {
            0 => write(format!("{folder}/package.json"), "{ \"dependencies\": { \"express\": \"^5.0.0\" } }\n")?,
            1 => write(format!("{folder}/src/server.ts"), "const app = express();\napp.listen(3000);\n")?,
            _ => write(format!("{folder}/src/m{:02}/f{file}.ts", file / 20), "export const value = 1;\n")?,
        }
    }
    Ok(())
}

/// Milliseconds, and the peak of resident memory in KiB.
fn run(root: &Path) -> Result<(f64, u64)> {
    let begin = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_authwright"))
        .args(["detect", "--json"])
        .arg(root)
        .stdout(Stdio::null())
        .spawn()?;
    let peak = peak(child.id(), || Ok(child.try_wait()?.is_some()))?;
    ensure!(child.wait()?.success(), "`authwright detect` failed");
    Ok((begin.elapsed().as_secs_f64() * 1000.0, peak))
}

/// The highest peak that is seen while the process runs; 0 where the system does not tell.
fn peak(id: u32, mut ended: impl FnMut() -> Result<bool>) -> Result<u64> {
    let status = format!("/proc/{id}/status");
    let mut peak = 0;
    while !ended()? {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = peak.max(line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    Ok(peak)
}
