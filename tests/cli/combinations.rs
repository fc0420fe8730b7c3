//! What each combination of options renders, before anything is built.

use std::{collections::BTreeMap, path::Path};

use crate::common::{options::BASES, read, tree};

/// What is wrong with a generated text.
fn malformed(folder: &Path, path: &str, text: &str) -> Vec<String> {
    let mut wrong = vec![];
    // Python has two empty lines between what stands at the top.
    let kind = path.rsplit_once('.').map(|(_, kind)| kind);
    let too_many = if kind == Some("py") { "\n\n\n\n" } else { "\n\n\n" };
    if ["[%", "%]", "[~", "~]", "[= ", " =]"].iter().any(|delimiter| text.contains(delimiter)) {
        wrong.push("a part of a template is left".to_owned());
    }
    let marks_a_package = text.is_empty() && path.ends_with("__init__.py");
    if !marks_a_package && !text.ends_with('\n') || text.ends_with("\n\n") || text.contains(too_many) {
        wrong.push("an empty line too many, or no last line".to_owned());
    }
    if text.lines().any(|line| line.ends_with(' ')) {
        wrong.push("a space at the end of a line".to_owned());
    }
    match kind {
        Some("toml") => wrong.extend(text.parse::<toml::Table>().err().map(|error| error.to_string())),
        Some("md") => {
            wrong.extend(links(text).filter(|link| !folder.join(link).exists()).map(str::to_owned));
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
        for flags in base.stack.combinations() {
            let project = base.with(&flags);
            let lock = read(&project.dir, ".authwright/lock.toml");
            for pair in flags.chunks(2) {
                let answer = match pair[0].as_str() {
                    "--with" => format!("modules = [\"{}\"]", pair[1].replace(',', "\", \"")),
                    option => format!("{} = \"{}\"", &option[2..], pair[1]),
                };
                assert!(lock.contains(&answer), "{answer}: {lock}");
            }
            let folder = project.dir.join(base.stack.folder);
            let files = tree(&folder);
            for (path, bytes) in files.iter().filter(|(path, _)| !path.ends_with('/')) {
                let wrong = malformed(&folder, path, std::str::from_utf8(bytes).unwrap());
                assert!(wrong.is_empty(), "{} {flags:?}: {path}: {wrong:?}", base.name);
            }
            if let Some(other) = seen.insert(files, flags.clone()) {
                panic!("{}: {flags:?} and {other:?} are the same app", base.name);
            }
        }
        assert_eq!(seen.len(), base.stack.combinations().len());
    }
}
