//! `cargo bench --bench commands`: what each command takes in an axum project of growing size, and how that grows.
//!
//! The project's own files are sources that the pack reads, so each of them counts. Nothing is built: what a check costs is the
//! price of the project's own compiler and tests.
#![expect(clippy::disallowed_methods, reason = "it makes the projects that it measures, and times the tool")]
#![expect(clippy::print_stdout, reason = "a table is what it is for")]

mod measure;

use std::path::Path;

use anyhow::Result;
use measure::Cost;

const SIZES: [usize; 4] = [1, 10, 100, 1_000];
const RUNS: usize = 9;

/// In the order in which a user would give them: each finds what it needs, and the last leaves the project as it was.
const COMMANDS: [(&str, &[&str]); 6] = [
    ("start-up", &["--version"]),
    ("detect", &["detect"]),
    ("plan", &["add", "--dry-run", "--yes"]),
    ("apply", &["add", "--no-check", "--yes"]),
    ("verify", &["verify"]),
    ("undo", &["undo", "--yes"]),
];

fn main() -> Result<()> {
    let columns = SIZES.iter().map(|size| measured(*size)).collect::<Result<Vec<_>>>()?;
    println!(
        "| ms, by source files | {} | growth |\n|---|{}",
        SIZES.map(|size| size.to_string()).join(" | "),
        "---|".repeat(SIZES.len() + 1)
    );
    for (row, (name, _)) in COMMANDS.iter().enumerate() {
        let costs: Vec<Cost> = columns.iter().map(|column| column[row]).collect();
        let cells: Vec<String> = costs.iter().map(|cost| format!("{:.1}", cost.ms)).collect();
        println!("| {name} | {} | {:.1} |", cells.join(" | "), costs[costs.len() - 1].ms / costs[0].ms);
    }
    let peak = columns.iter().flatten().map(|cost| cost.peak).max().unwrap_or_default();
    println!("\nPeak of memory, of all: {} MiB.", peak / 1024);
    Ok(())
}

/// What each command costs in a project of so many source files.
fn measured(size: usize) -> Result<Vec<Cost>> {
    let folder = tempfile::tempdir()?;
    make(folder.path(), size)?;
    let round = || COMMANDS.iter().map(|(_, args)| measure::run(folder.path(), args)).collect::<Result<Vec<_>>>();
    // The first round reads from the disk.
    round()?;
    let rounds = (0..RUNS).map(|_| round()).collect::<Result<Vec<_>>>()?;
    let of = |row: usize| measure::median(rounds.iter().map(|round| round[row]).collect());
    Ok((0..COMMANDS.len()).map(of).collect())
}

fn make(root: &Path, size: usize) -> Result<()> {
    measure::write(
        root,
        "Cargo.toml",
        "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\naxum = \"0.8\"\n\
         tokio = { version = \"1\", features = [\"full\"] }\n",
    )?;
    measure::write(
        root,
        "src/main.rs",
        "use axum::{Router, routing::get};\n\n#[tokio::main]\nasync fn main() {\n    \
         let app = Router::new().route(\"/\", get(|| async { \"shop\" }));\n    \
         let listener = tokio::net::TcpListener::bind(\"127.0.0.1:3000\").await.unwrap();\n    \
         axum::serve(listener, app).await.unwrap();\n}\n",
    )?;
    let text = "/// What a page of the shop shows.\npub fn shown(count: u32) -> u32 {\n    count + 1\n}\n".repeat(20);
    (1..size).try_for_each(|index| measure::write(root, &format!("src/m{:03}/f{index}.rs", index / 20), &text))
}
