//! What each combination of options renders, before anything is built.

use std::{collections::BTreeMap, path::Path};

use crate::common::{
    options::{BASES, combinations},
    read, tree,
};

/// What is wrong with a text in `src/auth`.
fn malformed(dir: &Path, path: &str, text: &str) -> Vec<String> {
    let mut wrong = vec![];
    if ["[%", "%]", "[~", "~]", "[= ", " =]"].iter().any(|delimiter| text.contains(delimiter)) {
        wrong.push("a part of a template is left".to_owned());
    }
    if !text.ends_with('\n') || text.ends_with("\n\n") || text.contains("\n\n\n") {
        wrong.push("an empty line too many, or no last line".to_owned());
    }
    if text.lines().any(|line| line.ends_with(' ')) {
        wrong.push("a space at the end of a line".to_owned());
    }
    match path.rsplit_once('.') {
        Some((_, "toml")) => wrong.extend(text.parse::<toml::Table>().err().map(|error| error.to_string())),
        Some((_, "md")) => {
            wrong.extend(links(text).filter(|link| !dir.join("src/auth").join(link).exists()).map(str::to_owned));
        }
        _ => {}
    }
    wrong
}

/// Files that a page links to.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let ends = text.match_indices("](").map(|(at, mark)| at + mark.len());
    let targets = ends.filter_map(|end| text[end..].split([')', '#']).next());
    targets.filter(|target| !target.contains("://"))
}

#[test]
fn every_combination_is_well_formed_and_differs() {
    for base in &BASES {
        let mut seen = BTreeMap::new();
        for flags in combinations() {
            let project = base.with(&flags);
            let lock = read(&project.dir, ".authwright/lock.toml");
            for pair in flags.chunks(2) {
                let answer = format!("{} = \"{}\"", &pair[0][2..], pair[1]);
                assert!(lock.contains(&answer), "{answer}: {lock}");
            }
            let files = tree(&project.dir.join("src/auth"));
            for (path, bytes) in files.iter().filter(|(path, _)| !path.ends_with('/')) {
                let wrong = malformed(&project.dir, path, std::str::from_utf8(bytes).unwrap());
                assert!(wrong.is_empty(), "{} {flags:?}: {path}: {wrong:?}", base.name);
            }
            if let Some(other) = seen.insert(files, flags.clone()) {
                panic!("{}: {flags:?} and {other:?} are the same app", base.name);
            }
        }
        assert!(seen.len() >= 6, "{}", seen.len());
    }
}
