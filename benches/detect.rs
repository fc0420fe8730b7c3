//! `cargo bench --bench detect`: how long `detect` takes in trees of growing size, and how much memory.
#![expect(clippy::disallowed_methods, reason = "it makes the trees that it measures, and times the tool")]
#![expect(clippy::print_stdout, reason = "a table is what it is for")]

mod measure;

use std::path::Path;

use anyhow::Result;

const SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];
const RUNS: usize = 9;

fn main() -> Result<()> {
    println!("| files | median ms | peak MiB |\n|---|---|---|");
    for size in SIZES {
        let folder = tempfile::tempdir()?;
        make(folder.path(), size)?;
        let run = || measure::run(folder.path(), &["detect", "--json"]);
        // The first run reads from the disk.
        run()?;
        let cost = measure::median((0..RUNS).map(|_| run()).collect::<Result<Vec<_>>>()?);
        println!("| {size} | {:.0} | {} |", cost.ms, cost.peak / 1024);
    }
    Ok(())
}

/// A repository of services: each has a manifest and sources in folders of twenty; among them, what git ignores.
fn make(root: &Path, size: usize) -> Result<()> {
    measure::write(root, ".gitignore", "/target\n*.log\n")?;
    measure::write(root, "package.json", "{ \"workspaces\": [\"services/*\"] }\n")?;
    for index in 2..size {
        let (service, file) = (index / 500, index % 500);
        let folder = format!("services/s{service:03}");
        let (path, text) = match file {
            0 => (format!("{folder}/package.json"), "{ \"dependencies\": { \"express\": \"^5.0.0\" } }\n"),
            1 => (format!("{folder}/src/server.ts"), "const app = express();\napp.listen(3000);\n"),
            _ => (format!("{folder}/src/m{:02}/f{file}.ts", file / 20), "export const value = 1;\n"),
        };
        measure::write(root, &path, text)?;
    }
    Ok(())
}
