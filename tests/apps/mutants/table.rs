//! The table of all mutants and what noticed them: `snapshots/<stack>/mutants.md`.

use std::{collections::BTreeMap, fs, path::Path};

use super::{STACK, trial::Seen};
use crate::common::mutants::Mutants;

pub fn write(mutants: &Mutants, found: &BTreeMap<&str, Seen>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(STACK).join("mutants.md");
    fs::write(path, text(mutants, found)).unwrap();
}

fn text(mutants: &Mutants, found: &BTreeMap<&str, Seen>) -> String {
    let noticed = found.values().filter(|seen| matches!(seen, Seen::Noticed(_))).count();
    let rows: Vec<String> = mutants
        .all
        .iter()
        .map(|mutant| {
            let answers: Vec<String> =
                mutant.answers.iter().map(|(option, value)| format!(" ({option}: {value})")).collect();
            let by = found.get(mutant.id.as_str()).map(ToString::to_string).unwrap_or_default();
            let by = by.strip_prefix("noticed: ").unwrap_or(&by);
            format!("| {} | {}{} | {} |\n", mutant.id, cell(&mutant.what), answers.concat(), cell(by))
        })
        .collect();
    let equivalent = mutants.equivalent.iter().map(|one| format!("| {} | {} |\n", one.id, cell(&one.reason)));
    format!(
        "# Mutants of {STACK}\n\n\
         Each row is a generated app with one protection taken out (`templates/{STACK}/mutants.toml`), attacked by the control\n\
         that the protection is for. It counts as noticed if a negative assertion of that control fails, and the app still\n\
         works otherwise. `tools/mutants` writes this file.\n\n\
         {noticed} of {} are noticed.\n\n\
         | mutant | what was taken out | what turned out not to be so |\n|---|---|---|\n{}\n\
         ## Not possible here\n\n\
         {} mutants of the catalogue cannot exist in this app.\n\n\
         | mutant | why |\n|---|---|\n{}",
        mutants.all.len(),
        rows.concat(),
        mutants.equivalent.len(),
        equivalent.collect::<String>(),
    )
}

/// Text in one cell of a table.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('\n', " ")
}
