//! The table of all mutants and what noticed them: `snapshots/<stack>/mutants.md`.

use std::{collections::BTreeMap, fs, path::PathBuf};

use super::{STACK, trial::Seen};
use crate::common::mutants::Mutants;

/// A mutant's id to the last cell of its row.
type Rows = BTreeMap<String, String>;

const UNTRIED: &str = "not tried yet";
/// How a cell begins where nothing was noticed.
const UNNOTICED: [&str; 3] = [UNTRIED, "not noticed: ", "broken: "];

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(STACK).join("mutants.md")
}

/// Writes the rows of what was tried now. The others stay as they are.
pub fn write(mutants: &Mutants, found: &BTreeMap<&str, Seen>) {
    let mut rows = rows(&fs::read_to_string(path()).unwrap());
    rows.extend(found.iter().map(|(id, seen)| ((*id).to_owned(), by(seen))));
    fs::write(path(), text(mutants, &rows)).unwrap();
}

fn by(seen: &Seen) -> String {
    let seen = seen.to_string();
    cell(seen.strip_prefix("noticed: ").unwrap_or(&seen))
}

/// The rows of a table as it was written. A bar within a cell has no space before it.
fn rows(table: &str) -> Rows {
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
        let id = cells.next()?;
        Some((id.to_owned(), cells.nth(1)?.to_owned()))
    };
    table.lines().filter_map(row).collect()
}

fn text(mutants: &Mutants, rows: &Rows) -> String {
    let by = |id: &str| rows.get(id).map_or(UNTRIED, String::as_str);
    let is_noticed = |id: &str| !UNNOTICED.iter().any(|start| by(id).starts_with(start));
    let noticed = mutants.all.iter().filter(|mutant| is_noticed(&mutant.id)).count();
    let all = mutants.all.iter().map(|mutant| {
        let answers = mutant.answers.iter().map(|(option, value)| format!(" ({option}: {value})"));
        let what = [cell(&mutant.what)].into_iter().chain(answers).collect::<String>();
        format!("| {} | {what} | {} |\n", mutant.id, by(&mutant.id))
    });
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
        all.collect::<String>(),
        mutants.equivalent.len(),
        equivalent.collect::<String>(),
    )
}

/// Text in one cell of a table.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('\n', " ")
}

mod tests {
    use super::*;
    use crate::common::mutants::of;

    #[test]
    fn rows_that_were_not_tried_stay() {
        let mut mutants = of(STACK);
        mutants.all.truncate(4);
        let ids: Vec<&str> = mutants.all.iter().map(|mutant| mutant.id.as_str()).collect();
        let noticed = Seen::Noticed(["a b | c".to_owned()].into());
        let missed = Seen::Missed("pass".to_owned());
        let first = Rows::from([(ids[0].to_owned(), by(&noticed)), (ids[1].to_owned(), by(&missed))]);
        let mut second = rows(&text(&mutants, &first));
        assert_eq!(second[ids[0]], "a b \\| c");
        assert_eq!(second[ids[3]], UNTRIED);
        second.extend([(ids[3].to_owned(), by(&noticed)), ("PWD-00.m1".to_owned(), "gone".to_owned())]);
        let table = text(&mutants, &second);
        assert!(table.contains("\n2 of 4 are noticed.\n"), "{table}");
        assert!(table.contains(&format!("| {} | {} | not noticed: pass |\n", ids[1], mutants.all[1].what)), "{table}");
        assert!(!table.contains("PWD-00"), "{table}");
    }

    #[test]
    fn the_table_is_of_the_mutants_that_there_are() {
        let stored = fs::read_to_string(path()).unwrap();
        assert!(text(&of(STACK), &rows(&stored)) == stored, "`tools/mutants` writes the table anew");
    }
}
