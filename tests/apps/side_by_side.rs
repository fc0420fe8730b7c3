//! Apps of two packs on one `PostgreSQL` server, attacked by the same roles: one table of what was found.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use authwright_probe::catalogue;

use crate::{
    builds,
    common::{empty, finished},
    holds,
    postgres::postgres,
    run, severity, tool, turn,
};

const PACKS: [&str; 2] = ["axum", "fastapi"];
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/side-by-side.md");
const HEAD: &str = "\
# Two packs on one PostgreSQL server

What the probe found in an app of each pack, made by `authwright new --with password,tokens --db postgres`, by the same roles.
A deviation is one that the pack's `AUDIT.md` declares. `SEVERITY=critical,high,medium,low cargo test --test apps side_by_side`
writes this table; every run of the tests attacks by the critical controls and compares.

";

/// What was found of each control, and the roles that the app's contract has.
fn probed(pack: &str, server: &str, severity: &str) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let project = empty("probed");
    let new = ["new", "app", "--stack", pack, "--with", "password,tokens", "--db", "postgres", "--yes", "--no-check"];
    run(&project.dir, &new).exits(0);
    let probe = ["probe", "app", "--json", "--severity", severity, "--database", server];
    let mut command = tool(&project.dir, &probe);
    let done = finished(&command.env("CARGO_TARGET_DIR", builds().join("authwright")).output().unwrap());
    holds(&done, severity);
    let found = done.exits(0).json();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let controls = found["controls"].as_array().unwrap().iter();
    (controls.map(|one| (text(&one["id"]), text(&one["result"]))).collect(), roles(&project.dir.join("app")))
}

fn roles(app: &Path) -> BTreeSet<String> {
    let files = ["src/auth", "app/auth"].map(|dir| app.join(dir).join("contract.toml"));
    let contract = files.iter().find_map(|file| fs::read_to_string(file).ok()).unwrap();
    let names = contract.lines().filter_map(|line| line.strip_prefix("[roles.")?.strip_suffix(']'));
    names.map(str::to_owned).collect()
}

/// A row for each control that has something to be about in either app.
fn rows(found: &[BTreeMap<String, String>]) -> BTreeMap<String, String> {
    let all = catalogue::all().unwrap();
    let named = all.iter().filter(|control| found.iter().all(|of| of.contains_key(&control.id)));
    let rows = named.filter_map(|control| {
        let results: Vec<&str> = found.iter().map(|of| of[&control.id].as_str()).collect();
        let applies = results.iter().any(|result| *result != "not-applicable");
        let row =
            format!("| {} | {} | {} | {} |", control.id, control.severity.name(), control.title, results.join(" | "));
        applies.then(|| (control.id.clone(), row))
    });
    rows.collect()
}

fn table(rows: &BTreeMap<String, String>) -> String {
    let mut text =
        format!("{HEAD}| control | severity | what holds | {} |\n|---|---|---|---|---|\n", PACKS.join(" | "));
    for row in rows.values() {
        _ = writeln!(text, "{row}");
    }
    text
}

#[test]
fn two_packs_are_attacked_alike_on_one_server() {
    let _turn = turn();
    let folder = empty("server");
    let (_server, url) = postgres(&folder.dir.join("database"));
    let severity = severity();
    let [(first, roles), (second, others)] = PACKS.map(|pack| probed(pack, &url, &severity));
    assert_eq!(roles, others);
    let rows = rows(&[first, second]);
    if std::env::var_os("SEVERITY").is_some() {
        fs::write(TABLE, table(&rows)).unwrap();
    }
    let kept = fs::read_to_string(TABLE).unwrap();
    let changed: Vec<&String> = rows.values().filter(|row| !kept.lines().any(|line| line == *row)).collect();
    assert!(changed.is_empty(), "not as in {TABLE}: {changed:#?}");
}
